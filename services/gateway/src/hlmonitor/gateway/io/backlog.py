"""Does the REST work of one wallet: two lanes side by side, so that a routine look holds up nothing urgent."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from hlmonitor.gateway.core.backlog import Lane
from hlmonitor.gateway.core.feeds import Catchup
from hlmonitor.gateway.core.session import Session
from hlmonitor.gateway.io.catchup import CatchupReader, Reading


@dataclass(slots=True)
class Backlog:
    """The works that wait and the ones that are being done."""

    session: Session
    reader: CatchupReader
    priority: int
    report: Callable[[], None]
    """Called after each work: the session may have news."""
    _lanes: tuple[Lane, Lane] = field(default_factory=lambda: (Lane(), Lane()))
    _added: tuple[asyncio.Event, asyncio.Event] = field(default_factory=lambda: (asyncio.Event(), asyncio.Event()))
    _reading: dict[int, Reading] = field(default_factory=dict)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(len(self._lanes)):
                tasks.create_task(self._work(number))

    def request(self, work: Catchup) -> None:
        """Queue work. Without room it is left out: the aggregator asks again."""
        number = int(work.routine)
        if not self._lanes[number].add(work):
            self.reader.metrics.message_queue_full_total.inc()
            self.session.gave_up(work)
        self._added[number].set()

    def __len__(self) -> int:
        return sum(len(lane) for lane in self._lanes) + len(self._reading)

    def shown(self) -> list[dict[str, int | str]]:
        """What is being read, for people."""
        return [reading.progress.shown() for reading in self._reading.values()]

    async def _work(self, number: int) -> None:
        lane, added = self._lanes[number], self._added[number]
        while True:
            while (work := lane.take()) is None:
                added.clear()
                await added.wait()
            if not self.session.is_void(work):
                await self._perform(number, work)

    async def _perform(self, number: int, work: Catchup) -> None:
        reading = self._reading[number] = Reading(self.session, work, self.priority)
        try:
            if left := await self.reader.perform(reading):
                self.request(left)
        except Exception:
            # As with the stream: one wallet's trouble stays its own, and the aggregator is asked again.
            self.reader.log.exception("catch_up_failed", address=self.session.address)
            self.session.gave_up(work)
        finally:
            del self._reading[number]
        self.report()
