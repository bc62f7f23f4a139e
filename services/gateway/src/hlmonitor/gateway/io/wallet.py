"""One wallet's connection to the venue, kept up and replaced in time as long as the wallet is this gateway's."""

import asyncio
import random
import time
from dataclasses import dataclass, field

from hlmonitor.gateway.core.rotation import Rotation
from hlmonitor.gateway.core.session import Session
from hlmonitor.gateway.io.access import VenueAccess
from hlmonitor.gateway.io.backlog import Backlog
from hlmonitor.gateway.io.line import Line
from hlmonitor.runtime.clock import wall_ms
from hlmonitor.venue.core.backoff import Backoff
from hlmonitor.venue.io.websocket import Ended

_WAIT_SLICE_S = 0.25
_SUCCESSOR_S = 60.0
"""A connection that does not take another's place within this time is given up."""


@dataclass(slots=True)
class Wallet:
    """Streams one wallet and does its REST work."""

    session: Session
    venue: VenueAccess
    lines: list[Line] = field(default_factory=list)
    """Its connections: one, none while it reconnects, two while the second takes the first one's place."""
    refusal: str | None = None
    """Why the venue does not serve the wallet, while it does not."""
    priority: int = 0
    """The watch list's: higher is served first."""
    backlog: Backlog = field(init=False)

    def __post_init__(self) -> None:
        """Give the REST work the same session."""
        self.backlog = Backlog(self.session, self.venue.reader, self.priority, self._report_news)

    @property
    def is_connected(self) -> bool:
        """A connection to the venue stands."""
        return any(line.is_open for line in self.lines)

    async def run(self) -> None:
        """Keep the wallet streaming until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stream())
            tasks.create_task(self.backlog.run())

    def state(self) -> str:
        """One word for people."""
        if self.refusal:
            return "refused"
        if not self.is_connected:
            return "connecting"
        if not self.session.is_acknowledged:
            return "subscribing"
        if not self.session.is_keeping:
            return "window_full"
        return "live" if self.session.is_caught_up else "catching_up"

    @property
    def is_live(self) -> bool:
        """Everything that happens to the wallet is forwarded, and what happened before was."""
        return self.state() == "live"

    async def _stream(self) -> None:
        backoff = Backoff(self.venue.backoff_initial_s, self.venue.backoff_most_s)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._await_budget()
                line: Line | None = self._open(tasks)
                while line is not None:
                    line = await self._hold(tasks, line, backoff)

    async def _hold(self, tasks: asyncio.TaskGroup, line: Line, backoff: Backoff) -> Line | None:
        """Wait until the line ends or is replaced, and return its successor, if any, when all is done for that."""
        now = time.monotonic()
        if now < line.rotation.due_at:
            await asyncio.wait({line.task}, timeout=line.rotation.due_at - now)
        if line.task.done():
            if line.was_acknowledged:
                backoff.succeeded()
            self._ended(line, line.task.result())
            await asyncio.sleep(backoff.next_delay(random.random()))  # noqa: S311 jitter
            return None
        if self.venue.pool.place_again(self.session.address) is not None:
            return await self._replace(tasks, line)
        if now >= line.rotation.latest_at:
            await self._close(line, "rotated_without_spare")
            return None
        await asyncio.wait({line.task}, timeout=_WAIT_SLICE_S)
        return line

    async def _replace(self, tasks: asyncio.TaskGroup, line: Line) -> Line | None:
        await self._await_budget()
        successor = self._open(tasks)
        until = time.monotonic() + _SUCCESSOR_S
        while not line.task.done() and not successor.task.done() and time.monotonic() < until:
            await asyncio.wait({line.task, successor.task}, timeout=_WAIT_SLICE_S, return_when=asyncio.FIRST_COMPLETED)
            if self.session.is_relieved(line.connection, time.monotonic()):
                break
        if line.task.done() or self.session.is_relieved(line.connection, time.monotonic()):
            await self._close(line, "rotated")
            self.venue.pool.moved(self.session.address)
            return successor
        await self._close(successor, "successor_given_up")
        self.venue.pool.stayed(self.session.address)
        line.rotation.postpone(time.monotonic(), self.venue.rotate_after_s)
        return line

    async def _await_budget(self) -> None:
        # In slices: the share of the budget changes with the members of the egress group.
        while (wait_s := self.venue.new_connections.take(1, time.monotonic())) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(wait_s, _WAIT_SLICE_S))

    def _open(self, tasks: asyncio.TaskGroup) -> Line:
        rotation = Rotation.plan(time.monotonic(), self.venue.rotate_after_s, random.random())  # noqa: S311 jitter
        line = Line(self.session, self.venue, rotation, self._report_news, self._refused)
        line.task = tasks.create_task(line.run())
        self.lines.append(line)
        return line

    async def _close(self, line: Line, cause: str) -> None:
        """End a line that stands; one that ended by itself has a cause of its own."""
        line.task.cancel()
        await asyncio.wait({line.task})
        self._ended(line, Ended(cause) if line.task.cancelled() else line.task.result())

    def _ended(self, line: Line, ended: Ended) -> None:
        self.lines.remove(line)
        tell = self.venue.log.info if line.task.cancelled() else self.venue.log.warning
        tell("venue_connection_ended", address=self.session.address, cause=ended.cause, detail=ended.detail)
        self.venue.metrics.venue_reconnects_total.labels(ended.cause).inc()
        self.session.lost(line.connection, ended.cause, time.monotonic(), wall_ms())
        self._report_news()

    def _refused(self, reason: str | None) -> None:
        # What a second connection is refused, the first one may still have.
        if reason is None or not self.session.is_acknowledged:
            self.refusal = reason

    def _report_news(self) -> None:
        session = self.session
        if session.rejected:
            self.venue.frames.rejected("bad_row", len(session.rejected), sample=session.rejected[0])
            session.rejected.clear()
        for reason in session.gaps_told:
            self.venue.metrics.venue_gaps_total.labels(reason).inc()
            if reason == "window_full":
                self.venue.metrics.message_queue_full_total.inc()
        session.gaps_told.clear()
        self.venue.added()
