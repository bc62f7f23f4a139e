"""Tells consumers on core NATS what has changed beside signals; what it cannot tell is in SQL."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from hlmonitor.aggregator.core.news import News, subject_of
from hlmonitor.aggregator.io.signal_stream import SignalStream, StreamError
from hlmonitor.runtime.metrics import Metrics

MAX_NEWS = 10_000
"""News that wait for NATS; at the bound the oldest are dropped."""
RETRY_S = 0.5


@dataclass(slots=True)
class Announcer:
    """The news of all partitions of this process, in the order in which they came."""

    stream: SignalStream
    metrics: Metrics
    _waiting: deque[News] = field(default_factory=deque)
    _kick: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, news: Iterable[News]) -> None:
        """Tell these; what they say of SQL must be committed."""
        for one in news:
            if len(self._waiting) >= MAX_NEWS:
                self._waiting.popleft()
                self.metrics.status_events_dropped_total.inc()
            self._waiting.append(one)
        self._kick.set()

    async def run(self) -> None:
        """Tell what there is, for ever."""
        while True:
            await self._kick.wait()
            self._kick.clear()
            while self._waiting:
                await self._tell(self._waiting.popleft())

    async def _tell(self, news: News) -> None:
        while True:
            try:
                await self.stream.tell(subject_of(news), msgspec.json.encode(news))
            except StreamError:
                await asyncio.sleep(RETRY_S)
            else:
                return
