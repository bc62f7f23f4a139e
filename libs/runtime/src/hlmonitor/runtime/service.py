"""The life of a service: settings, logs, health server, signals, drain, exit code.

Exit codes: 0 done, 1 failed (the log says why), 2 wrong settings, 3 the drain did not end in time.
"""

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from hlmonitor.runtime.health import Health, HealthServer
from hlmonitor.runtime.logs import Log, configure_logs
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.runtime.settings import ServiceSettings, load_settings

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_DRAIN_TIMED_OUT = 3
_COLLECT_AFTER = (5_000, 10, 1_000)
"""When the collector of cyclic garbage looks at objects of the three ages. By default it looks at all of them whenever
there are a quarter more, and the process stands still meanwhile: a second and longer with a hundred thousand orders, of
which none is garbage. What is in no cycle is freed without it."""

S = TypeVar("S", bound=ServiceSettings)


class ServiceFailedError(Exception):
    """A service cannot do its work for a reason that its message tells whole: it is logged without a traceback."""


class StoppedError(Exception):
    """The service was told to stop while it waited for something without which there is nothing to drain."""


@dataclass(slots=True)
class Service(Generic[S]):
    """What a service's `serve` is handed."""

    name: str
    settings: S
    log: Log
    metrics: Metrics = field(default_factory=Metrics)
    health: Health = field(default_factory=Health)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by SIGTERM or SIGINT: stop intake, flush, hand over, return."""

    async def until_stopping(self, work: Coroutine[None, None, None]) -> None:
        """Do work that needs no drain: it is cancelled when the service is told to stop."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            task.cancel()
            await asyncio.gather(task, stop, return_exceptions=True)
        if not task.cancelled():
            task.result()


def run_service(name: str, kind: type[S], serve: Callable[[Service[S]], Awaitable[None]]) -> None:
    """Run a service until it returns or is told to stop, then exit the process."""
    settings = load_settings(name, kind, sys.argv[1:])
    log = configure_logs(name, settings)
    gc.set_threshold(*_COLLECT_AFTER)
    sys.exit(asyncio.run(_run(Service(name, settings, log), serve)))


async def _run(service: Service[S], serve: Callable[[Service[S]], Awaitable[None]]) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, service, number)
    server = HealthServer(service.health, service.metrics)
    try:
        await server.start(service.settings.health_host, service.settings.health_port)
    except OSError as error:
        service.log.error("health_port_unusable", port=service.settings.health_port, error=str(error))  # noqa: TRY400
        return EXIT_FAILED
    service.log.info("service_started", health=f"http://{service.settings.health_host}:{server.port}")
    try:
        return await _supervise(service, serve)
    finally:
        await server.stop()


async def _supervise(service: Service[S], serve: Callable[[Service[S]], Awaitable[None]]) -> int:
    work = asyncio.ensure_future(serve(service))
    stop = asyncio.ensure_future(service.stopping.wait())
    await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    timeout_s = service.settings.drain_timeout_s
    _, pending = await asyncio.wait({work}, timeout=timeout_s)
    if pending:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await work
        service.log.error("drain_timed_out", timeout_s=timeout_s)
        return EXIT_DRAIN_TIMED_OUT
    error = work.exception()
    if isinstance(error, ServiceFailedError):
        service.log.error("service_failed", reason=str(error))
        return EXIT_FAILED
    if error and not isinstance(error, StoppedError):
        service.log.error("service_failed", exc_info=error)
        return EXIT_FAILED
    service.log.info("service_stopped")
    return EXIT_DONE


def _stop(service: Service[S], number: signal.Signals) -> None:
    if not service.stopping.is_set():
        service.log.info("service_stopping", signal=number.name)
    service.health.stopping = True
    service.stopping.set()
