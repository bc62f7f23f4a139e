"""Hears what consumers hear: the v1 stream from its beginning, and the original's subject."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import nats
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from hlmonitor.demo.comparison import StreamMessage
from hlmonitor.runtime.clock import wall_ms

LEGACY_SUBJECT = "hl_address_signal"
SUBJECTS = "hl.signals.v1.>"
_RETRY_S = 0.1


@dataclass(slots=True)
class Collector:
    """Everything heard so far. Bounded by the length of a demo with a verdict; without one nothing is kept."""

    keep: bool
    on_signal: Callable[[StreamMessage], None]
    stream: list[StreamMessage] = field(default_factory=list)
    legacy: list[bytes] = field(default_factory=list)
    count: int = 0

    @asynccontextmanager
    async def listen(self, nats_url: str) -> AsyncIterator[None]:
        """Listen while the context lasts; waits until the aggregators have made the stream."""
        client = await nats.connect(nats_url, connect_timeout=5, max_reconnect_attempts=-1)
        try:
            await client.subscribe(LEGACY_SUBJECT, cb=self._heard_legacy)
            jetstream = client.jetstream()
            while True:
                try:
                    await jetstream.subscribe(SUBJECTS, cb=self._heard_signal, ordered_consumer=True)
                except NotFoundError:
                    await asyncio.sleep(_RETRY_S)
                else:
                    break
            yield
        finally:
            await client.close()

    async def _heard_signal(self, message: Msg) -> None:
        heard = StreamMessage(message.data, wall_ms())
        self.count += 1
        if self.keep:
            self.stream.append(heard)
        self.on_signal(heard)

    async def _heard_legacy(self, message: Msg) -> None:
        if self.keep:
            self.legacy.append(message.data)
