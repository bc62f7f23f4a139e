"""The connection to NATS."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from hlmonitor.runtime.health import Component
from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.metrics import Metrics

CONNECT_RETRY_S = 1
REQUEST_TIMEOUT_S = 5.0


@asynccontextmanager
async def connect_nats(
    url: str,
    name: str,
    *,
    component: Component,
    metrics: Metrics,
    log: Log,
    on_connected: Callable[[], Awaitable[None]] | None = None,
) -> AsyncIterator[Client]:
    """A connection that is tried until it stands, and again whenever it breaks, for ever.

    The client's reconnect buffer is off: what is published while NATS is away fails at once, so that nothing is
    believed sent that was not (DESIGN G3).
    """
    client = Client()
    waiting = closing = False

    def up() -> None:
        component.up()
        metrics.nats_connected.set(1)

    async def disconnected() -> None:
        component.down(f"no connection to {url}")
        metrics.nats_connected.set(0)
        if not closing:
            log.warning("nats_disconnected", url=url)

    async def reconnected() -> None:
        up()
        log.info("nats_reconnected", url=url)
        if on_connected:
            await on_connected()

    async def failed(error: Exception) -> None:
        log.debug("nats_error", error=repr(error))

    component.down(f"no connection to {url}")
    while True:
        try:
            await client.connect(
                url,
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
            break
        except (NatsError, OSError, TimeoutError) as error:
            if not waiting:
                log.warning("nats_unreachable", url=url, error=str(error) or repr(error), retry_s=CONNECT_RETRY_S)
            waiting = True
            client = Client()
            await asyncio.sleep(CONNECT_RETRY_S)
    up()
    log.info("nats_connected", url=url)
    try:
        yield client
    finally:
        closing = True
        await client.close()


def jetstream_of(client: Client) -> JetStreamContext:
    """The JetStream context with the timeout that all our requests have."""
    return client.jetstream(timeout=REQUEST_TIMEOUT_S)
