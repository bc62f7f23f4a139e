"""Reads over REST what the stream did not prove, and forwards it."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from hlmonitor.gateway.core import events
from hlmonitor.gateway.core.backfill import Pager
from hlmonitor.gateway.core.feeds import Catchup
from hlmonitor.gateway.core.progress import Progress
from hlmonitor.gateway.core.session import Session
from hlmonitor.gateway.core.turns import Heat, heat
from hlmonitor.gateway.io.notifier import Notifier
from hlmonitor.gateway.io.turns import Gate
from hlmonitor.runtime.clock import wall_ms
from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.v1 import events_pb2 as pb
from hlmonitor.venue.core import wire
from hlmonitor.venue.core.backoff import Backoff
from hlmonitor.venue.core.limits import weight_of
from hlmonitor.venue.errors import VenueError
from hlmonitor.venue.io.rest import InfoClient

T = TypeVar("T")

_ATTEMPTS = 6
_ROOM_POLL_S = 0.5
_MS = 1000
# The stream goes on meanwhile, and must not find the window full of rows that can be read again at any time.
_ROOM = 0.5
# From here on one list of the account's orders costs less weight than single questions.
_ASK_SINGLY_UP_TO = 20
# Timers wait for a catch-up, for a minute at most: the budget allows about as many questions in it.
_ASK_SINGLY_AT_ONCE = 500
# Later so many are one work: what else somebody waits for goes between two of them.
_SLICE = 100
# The venue keeps about 2000 orders of an account; the newest are the ones that it still knows.
_KEPT_ORDERS = 2_000
_UNKNOWN_IN_A_ROW = 20
_TELL_EVERY_PAGES = 5
_GONE = "older_than_the_venue_keeps"


@dataclass(frozen=True, slots=True)
class _Row:
    """A fill of either feed."""

    fill: wire.Fill
    twap_id: int | None


@dataclass(slots=True)
class Reading:
    """A work that is being done for a wallet."""

    session: Session
    work: Catchup
    priority: int
    """The wallet's in the watch list."""
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is read yet."""
        self.begin()

    def begin(self) -> None:
        """Read from the beginning, perhaps again."""
        work = self.work
        kind = "routine" if work.routine else "asked" if work.generation is None else "catch_up"
        self.progress = Progress(pb.Feed.Name(work.feed), kind, work.from_ms, self.session.venue_ms, work.from_ms)

    @property
    def place(self) -> Heat:
        """Its place among the works of all wallets."""
        session, work = self.session, self.work
        return heat(
            session.address,
            routine=work.routine,
            priority=self.priority,
            open_orders=len(work.oids),
            last_fill_ms=session.last_fill_ms,
        )


@dataclass(slots=True)
class CatchupReader:
    """Does the REST work of all wallets of a gateway, a few requests at a time."""

    client: InfoClient
    gate: Gate
    room: Notifier
    """Notified when the window lost events."""
    added: Callable[[], None]
    """Called when events were added to the window."""
    metrics: Metrics
    log: Log
    rest_lag_ms: int
    horizon_rows: int

    async def perform(self, reading: Reading) -> Catchup | None:
        """Do it, trying again while the venue does not answer, until it is done, void or given up.

        Returns the work that is left: orders whose ends are still to be asked for.
        """
        session, work = reading.session, reading.work
        backoff = Backoff()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._read(reading)
            except VenueError as error:
                self.log.warning("catch_up_failed", address=session.address, attempt=attempt, error=str(error))
            if session.is_void(work):
                return None
            await asyncio.sleep(backoff.next_delay(random.random()))  # noqa: S311 jitter
        session.gave_up(work)
        self.log.error("catch_up_given_up", address=session.address, feed=pb.Feed.Name(work.feed))
        return None

    async def _read(self, reading: Reading) -> Catchup | None:
        reading.begin()
        session, work = reading.session, reading.work
        known_ms = session.venue_ms - self.rest_lag_ms
        pager = Pager[_Row](work.from_ms, work.to_ms, lambda row: row.fill.time)
        oids = set(work.oids)
        asks_for_ends = work.generation is not None and work.feed == pb.FEED_USER_FILLS
        last_ms = work.from_ms
        while work.reads_rows and (start_ms := pager.next_start_ms) is not None:
            for row in pager.page(await self._page(reading, start_ms)):
                if not await self._forward(session, work, row):
                    return None
                last_ms = max(last_ms, row.fill.time)
                if asks_for_ends and (oid := events.oid_with_end(session.address, row.fill)) > 0:
                    oids.add(oid)
            self._note_page(reading, pager, last_ms)
        left: list[int] = []
        if work.feed == pb.FEED_USER_FILLS:
            left = await self._ends(reading, oids, known_ms)
        elif work.reads_rows:
            await self._twap_ends(reading)
        if session.is_void(work):
            return None
        self._finish(session, work, pager, max(last_ms, known_ms) if work.reads_rows else work.through_ms)
        self.added()
        if not left:
            return None
        return replace(work, to_ms=None, oids=tuple(left), reads_rows=False, generation=None, singly=True)

    def _note_page(self, reading: Reading, pager: Pager[_Row], at_ms: int) -> None:
        progress = reading.progress
        kind = progress.kind
        self.metrics.backfill_pages_total.labels(kind).inc()
        self.metrics.backfill_rows_total.labels(kind).inc(pager.rows_read - progress.rows)
        progress.pages, progress.rows, progress.at_ms = pager.pages, pager.rows_read, at_ms
        is_over = pager.next_start_ms is None
        if progress.pages > 1 and (is_over or progress.pages % _TELL_EVERY_PAGES == 0):
            event = "catch_up_read" if is_over else "catch_up_progress"
            self.log.info(event, address=reading.session.address, **progress.shown())
        self.added()

    async def _page(self, reading: Reading, start_ms: int) -> Iterable[_Row]:
        address, end_ms = reading.session.address, reading.work.to_ms
        if reading.work.feed == pb.FEED_USER_TWAP_SLICE_FILLS:
            slices = self.client.user_twap_slice_fills_by_time(address, start_ms, end_ms)
            rows = await self._ask(reading, "userTwapSliceFillsByTime", slices)
            return [_Row(slice_.fill, slice_.twap_id) for slice_ in rows]
        fills = self.client.user_fills_by_time(address, start_ms, end_ms)
        return [_Row(fill, None) for fill in await self._ask(reading, "userFillsByTime", fills)]

    async def _ask(self, reading: Reading, name: str, request: Awaitable[Sequence[T]]) -> Sequence[T]:
        place = reading.place
        async with self.gate.turn(place):
            rows = await request
        self.gate.spent(place, weight_of(name, len(rows)))
        return rows

    async def _forward(self, session: Session, work: Catchup, row: _Row) -> bool:
        await self._await_room(session, work)
        return not session.is_void(work) and session.fill(work.feed, row.fill, row.twap_id, wall_ms(), replayed=True)

    async def _await_room(self, session: Session, work: Catchup) -> None:
        while not session.is_void(work) and not session.window.has_room(session.address, _ROOM):
            self.added()
            await self.room.wait(_ROOM_POLL_S)

    async def _ends(self, reading: Reading, oids: set[int], known_ms: int) -> list[int]:
        """Forward the statuses of orders, and with a list of all of them those that nobody may have heard of.

        Returns the orders that are still to be asked for.
        """
        session, work = reading.session, reading.work
        rest = set(oids)
        if not work.singly and (work.routine or len(oids) > _ASK_SINGLY_UP_TO):
            since_ms = session.ends_heard_through_ms(work.from_ms)
            rows = await self._ask(reading, "historicalOrders", self.client.historical_orders(session.address))
            listed = [row for row in rows if row.order.oid in oids or row.status_timestamp >= since_ms]
            await self._forward_statuses(session, work, listed)
            session.heard_ends(known_ms)
            # The list has a row for each status, so it may end before the orders do that the venue still knows.
            rest -= {row.order.oid for row in listed}
        unknown = 0
        newest_first = sorted(rest, reverse=True)[:_KEPT_ORDERS]
        slice_ = _SLICE if work.generation is None else _ASK_SINGLY_AT_ONCE
        for oid in newest_first[:slice_]:
            found = await self._ask(reading, "orderStatus", self._status_of(session, oid))
            await self._forward_statuses(session, work, found)
            unknown = 0 if found else unknown + 1
            if unknown >= _UNKNOWN_IN_A_ROW or session.is_void(work):
                return []
        return newest_first[slice_:]

    async def _status_of(self, session: Session, oid: int) -> list[wire.OrderUpdate]:
        found = await self.client.order_status(session.address, oid)
        return [] if found is None else [found]

    async def _forward_statuses(self, session: Session, work: Catchup, rows: Iterable[wire.OrderUpdate]) -> None:
        for row in rows:
            await self._await_room(session, work)
            session.statuses([row], wall_ms())

    async def _twap_ends(self, reading: Reading) -> None:
        session, work = reading.session, reading.work
        rows = await self._ask(reading, "twapHistory", self.client.twap_history(session.address))
        # The venue tells these times in whole seconds.
        ended = [row for row in rows if (row.time + 1) * _MS > work.from_ms]
        await self._await_room(session, work)
        session.twap_ends(ended, wall_ms())

    def _finish(self, session: Session, work: Catchup, pager: Pager[_Row], through_ms: int) -> None:
        now_ms = wall_ms()
        from_ms = work.from_ms
        if pager.first_ms is not None and pager.is_beyond(self.horizon_rows):
            self.log.warning("catch_up_beyond_horizon", address=session.address, from_ms=from_ms, to_ms=pager.first_ms)
            if not work.routine:
                # The oldest row's own ms may have been cut too.
                from_ms = pager.first_ms + 1
                session.unprovable(work.feed, work.from_ms, from_ms, _GONE, now_ms)
        for first_ms, last_ms in pager.overtaken:
            self.log.warning("catch_up_overtaken", address=session.address, from_ms=first_ms, to_ms=last_ms)
            if not work.routine:
                session.unprovable(work.feed, first_ms, last_ms + 1, _GONE, now_ms)
        for hole_ms in pager.holes:
            session.unprovable(work.feed, hole_ms, hole_ms + 1, "page_within_one_ms", now_ms)
            self.log.error("catch_up_page_within_one_ms", address=session.address, at_ms=hole_ms)
        if work.generation is None and work.reads_rows:
            covered_ms = through_ms if work.to_ms is None else min(work.to_ms, max(through_ms, from_ms))
            session.covered(work.feed, from_ms, covered_ms, now_ms)
        elif work.generation is not None:
            session.caught_up(work.feed, from_ms, through_ms, now_ms)
