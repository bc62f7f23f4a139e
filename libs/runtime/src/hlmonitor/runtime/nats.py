"""The connection to NATS."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ConnectionReconnectingError
from nats.js import JetStreamContext

from hlmonitor.runtime.health import Component
from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.runtime.service import StoppedError
from hlmonitor.runtime.settings import without_credentials

CONNECT_RETRY_S = 1
STREAM_EXISTS = 10058
"""JetStream's error code for a stream, or bucket, of that name with another configuration."""
NO_MESSAGE = 10037
"""JetStream's error code for a message that is not there, in a stream that is."""
WRONG_LAST_SEQUENCE = 10071
"""JetStream's error code for a write that expected another last message."""
REQUEST_TIMEOUT_S = 5.0


class _Client(Client):
    """The library's client, whose requests can always be cancelled and do not outlive their connection."""

    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        timeout: float = REQUEST_TIMEOUT_S,  # noqa: ASYNC109 the library's signature
        old_style: bool = False,  # noqa: FBT001, FBT002 same
        headers: dict[str, Any] | None = None,
    ) -> Msg:
        """As the library's."""
        task = asyncio.current_task()
        asked = task.cancelling() if task else 0
        try:
            return await super().request(subject, payload, timeout, old_style, headers)
        finally:
            # Python 3.11's wait_for forgets a cancellation that arrives together with the answer; the task would go on.
            if task and task.cancelling() > asked:
                raise asyncio.CancelledError

    def fail_requests(self) -> None:
        """Nobody will answer what was asked over a connection that broke: fail it now, not after its timeout."""
        for answer in self._resp_map.values():
            if not answer.done():
                answer.set_exception(ConnectionReconnectingError())
                # Who asked may have given up: an error that nobody retrieves would be logged at some later time.
                answer.exception()


@asynccontextmanager
async def connect_nats(
    url: str,
    name: str,
    *,
    component: Component,
    metrics: Metrics,
    log: Log,
    on_connected: Callable[[], Awaitable[None]] | None = None,
    stopping: asyncio.Event | None = None,
) -> AsyncIterator[Client]:
    """A connection that is tried until it stands, and again whenever it breaks, for ever.

    `url` is one server's or several servers', separated by commas.

    The client's reconnect buffer is off: what is published while NATS is away fails at once, so that nothing is
    believed sent that was not (DESIGN G3).

    Raises:
        nats.errors.Error: the URL is not one.
        StoppedError: `stopping` was set before the first connection stood.
    """
    client, shown = _Client(), without_credentials(url)
    told = closing = False

    def up() -> None:
        component.up()
        metrics.nats_connected.set(1)

    async def disconnected() -> None:
        component.down(f"no connection to {shown}")
        metrics.nats_connected.set(0)
        client.fail_requests()
        if not closing:
            log.warning("nats_disconnected", url=shown)

    async def reconnected() -> None:
        up()
        log.info("nats_reconnected", url=shown)
        if on_connected:
            await on_connected()

    async def failed(error: Exception) -> None:
        nonlocal told
        if component.is_up or told:
            log.debug("nats_error", error=repr(error))
            return
        told = True
        log.warning("nats_unreachable", url=shown, error=str(error) or repr(error), retry_s=CONNECT_RETRY_S)

    component.down(f"no connection to {shown}")
    # With these options the client itself tries for ever, at the first connection too.
    connecting = client.connect(
        [server.strip() for server in url.split(",")],
        name=name,
        connect_timeout=5,
        reconnect_time_wait=CONNECT_RETRY_S,
        max_reconnect_attempts=-1,
        allow_reconnect=True,
        pending_size=0,
        ping_interval=5,
        max_outstanding_pings=2,
        disconnected_cb=disconnected,
        reconnected_cb=reconnected,
        error_cb=failed,
    )
    await _unless(stopping or asyncio.Event(), connecting)
    up()
    log.info("nats_connected", url=shown)
    try:
        yield client
    finally:
        closing = True
        await client.close()


async def _unless(stopping: asyncio.Event, connecting: Coroutine[None, None, None]) -> None:
    work, stop = asyncio.ensure_future(connecting), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()
        work.cancel()
        await asyncio.gather(work, stop, return_exceptions=True)
    if work.cancelled():
        raise StoppedError("told to stop before NATS was there")
    work.result()


def jetstream_of(client: Client) -> JetStreamContext:
    """The JetStream context with the timeout that all our requests have."""
    return client.jetstream(timeout=REQUEST_TIMEOUT_S)
