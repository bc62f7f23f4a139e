"""Simulated processes: a service's `serve` on the shared loop, killed, paused and stopped as real ones are."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import stamina

from dst.loop import Scope, VirtualLoop
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.runtime.service import EXIT_FAILED, Service, _supervise
from hlmonitor.runtime.settings import ServiceSettings

Trace = Callable[[str, str], None]


def quiet() -> None:
    """Retries are seen in the trace by what they do."""
    stamina.instrumentation.set_on_retry_hooks([])


@cache
def shared_metrics() -> Metrics:
    """Nobody decides by metrics, and to make them takes long."""
    return Metrics()


@dataclass(slots=True)
class Journal:
    """In the place of a service's log: lines for the trace, and what must never be logged."""

    scope: Scope
    trace: Trace
    defects: list[str]

    def debug(self, event: str, **fields: object) -> None:
        """A fact."""
        self.trace(self.scope.name, f"log {event} {_text(fields)}")

    info = warning = debug

    def exception(self, event: str, **fields: object) -> None:
        """A defect that was caught somewhere."""
        self.debug(event, **fields)
        if self.scope.is_alive:
            self.defects.append(f"{self.scope.name} logged {event}: {traceback.format_exc()}")

    def error(self, event: str, **fields: object) -> None:
        """Somebody must act."""
        failure = fields.get("exc_info")
        if isinstance(failure, BaseException) and self.scope.is_alive:
            self.defects.append(f"{self.scope.name} logged {event}: {''.join(traceback.format_exception(failure))}")
        self.debug(event, **fields)

    def bind(self, **_: object) -> "Journal":
        """Fields that all lines have are left out."""
        return self


@dataclass(slots=True, eq=False)
class Process:
    """One incarnation of a service."""

    kind: str
    scope: Scope
    service: Service[Any]
    main: asyncio.Task[None]

    @property
    def name(self) -> str:
        """As in heartbeats."""
        return self.scope.name

    def stop(self) -> None:
        """SIGTERM."""
        self.service.health.stopping = True
        self.service.stopping.set()


@dataclass(slots=True)
class Launcher:
    """Starts processes."""

    loop: VirtualLoop
    trace: Trace
    defects: list[str] = field(default_factory=list)

    def start(
        self, kind: str, name: str, settings: ServiceSettings, serve: Callable[[Service[Any]], Awaitable[None]]
    ) -> Process:
        """Begin a new incarnation."""
        scope = Scope(name)
        log: Any = Journal(scope, self.trace, self.defects)
        context = scope.new_context()
        service = context.run(lambda: Service(kind, settings, log, metrics=shared_metrics()))
        main = self.loop.create_task(self._run(scope, service, serve), context=context)
        return Process(kind, scope, service, main)

    def kill(self, process: Process, sever: Callable[[Scope], None]) -> None:
        """SIGKILL: first nothing that it does reaches anybody, then it is taken apart."""
        scope = process.scope
        scope.is_alive = False
        sever(scope)
        self.loop.resume(scope)
        for task in scope.tasks:
            task.cancel()

    async def _run(self, scope: Scope, service: Service[Any], serve: Callable[[Service[Any]], Awaitable[None]]) -> None:
        status = await _supervise(service, serve)
        if scope.is_alive and (status == EXIT_FAILED or not service.stopping.is_set()):
            self.defects.append(f"{scope.name} ended by itself with status {status}")


def _text(fields: dict[str, object]) -> str:
    return " ".join(f"{name}={value}" for name, value in fields.items())
