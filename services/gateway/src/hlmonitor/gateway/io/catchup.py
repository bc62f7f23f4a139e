"""Reads over REST what the stream did not prove, and forwards it."""

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hlmonitor.domain.addresses import Address
from hlmonitor.gateway.core.backfill import Pager
from hlmonitor.gateway.core.session import Catchup, Session
from hlmonitor.gateway.io.notifier import Notifier
from hlmonitor.runtime.logs import Log
from hlmonitor.v1 import events_pb2 as pb
from hlmonitor.venue.core import wire
from hlmonitor.venue.core.backoff import Backoff
from hlmonitor.venue.errors import VenueError
from hlmonitor.venue.io.rest import InfoClient

_ATTEMPTS = 6
_ROOM_POLL_S = 0.5
_MS = 1000
_ROOM_FOR_ENDS = 0.5
# From here on one list of the account's orders costs less weight than single questions.
_ASK_SINGLY_UP_TO = 20
# The venue keeps about 2000 orders of an account; the newest are the ones that it still knows.
_ASK_SINGLY_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class _Row:
    """A fill of either feed."""

    fill: wire.Fill
    twap_id: int | None


@dataclass(slots=True)
class CatchupReader:
    """Does the REST work of all wallets of a gateway, a few at a time."""

    client: InfoClient
    room: Notifier
    """Notified when the window lost events."""
    added: Callable[[], None]
    """Called when events were added to the window."""
    log: Log
    rest_lag_ms: int
    horizon_rows: int
    turns: asyncio.Semaphore

    async def perform(self, session: Session, work: Catchup) -> None:
        """Do it, trying again while the venue does not answer, until it is done, void or given up."""
        backoff = Backoff()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self.turns:
                    await self._read(session, work)
            except VenueError as error:
                self.log.warning("catch_up_failed", address=session.address, attempt=attempt, error=str(error))
            else:
                return
            if session.is_void(work):
                return
            await asyncio.sleep(backoff.next_delay(random.random()))  # noqa: S311 jitter
        session.gave_up(work)
        self.log.error("catch_up_given_up", address=session.address, feed=pb.Feed.Name(work.feed))

    async def _read(self, session: Session, work: Catchup) -> None:
        known_ms = session.venue_ms - self.rest_lag_ms
        pager = Pager[_Row](work.from_ms, work.to_ms, lambda row: row.fill.time)
        oids = set(work.oids)
        last_ms = work.from_ms
        while work.reads_rows and (start_ms := pager.next_start_ms) is not None:
            for row in pager.page(await self._fetch(session.address, work.feed, start_ms, work.to_ms)):
                if not await self._forward(session, work, row):
                    return
                last_ms = max(last_ms, row.fill.time)
                if work.generation is not None and work.feed == pb.FEED_USER_FILLS and row.fill.oid > 0:
                    oids.add(row.fill.oid)
            self.added()
        await self._statuses(session, work, oids)
        if work.reads_rows and work.feed == pb.FEED_USER_TWAP_SLICE_FILLS:
            await self._twap_ends(session, work)
        if session.is_void(work):
            return
        self._finish(session, work, pager, max(last_ms, known_ms) if work.reads_rows else work.through_ms)
        self.added()

    async def _fetch(
        self, address: Address, feed: pb.Feed.ValueType, start_ms: int, end_ms: int | None
    ) -> Iterable[_Row]:
        if feed == pb.FEED_USER_TWAP_SLICE_FILLS:
            slices = await self.client.user_twap_slice_fills_by_time(address, start_ms, end_ms)
            return [_Row(slice_.fill, slice_.twap_id) for slice_ in slices]
        return [_Row(fill, None) for fill in await self.client.user_fills_by_time(address, start_ms, end_ms)]

    async def _forward(self, session: Session, work: Catchup, row: _Row) -> bool:
        while not session.is_void(work):
            if session.window.has_room(session.address):
                return session.fill(work.feed, row.fill, row.twap_id, _now_ms(), replayed=True)
            self.added()
            await self.room.wait(_ROOM_POLL_S)
        return False

    async def _statuses(self, session: Session, work: Catchup, oids: set[int]) -> None:
        rest = set(oids)
        if len(oids) > _ASK_SINGLY_UP_TO:
            listed = [row for row in await self.client.historical_orders(session.address) if row.order.oid in oids]
            await self._forward_statuses(session, work, listed)
            # The list has a row for each status, so it may end before the orders do that the venue still knows.
            rest -= {row.order.oid for row in listed}
        for oid in sorted(rest, reverse=True)[:_ASK_SINGLY_AT_MOST]:
            found = await self.client.order_status(session.address, oid)
            if found is not None:
                await self._forward_statuses(session, work, [found])

    async def _forward_statuses(self, session: Session, work: Catchup, rows: Iterable[wire.OrderUpdate]) -> None:
        for row in rows:
            while not session.is_void(work) and not session.window.has_room(session.address):
                await self.room.wait(_ROOM_POLL_S)
            session.statuses([row], _now_ms())

    async def _twap_ends(self, session: Session, work: Catchup) -> None:
        rows = await self.client.twap_history(session.address)
        # The venue tells these times in whole seconds.
        ended = [row for row in rows if (row.time + 1) * _MS > work.from_ms]
        while not session.is_void(work) and not session.window.has_room(session.address, _ROOM_FOR_ENDS):
            await self.room.wait(_ROOM_POLL_S)
        session.twap_ends(ended, _now_ms())

    def _finish(self, session: Session, work: Catchup, pager: Pager[_Row], through_ms: int) -> None:
        now_ms = _now_ms()
        if pager.stalled_at_ms is not None:
            at_ms = pager.stalled_at_ms
            session.unprovable(work.feed, at_ms, None, "page_within_one_ms", now_ms)
            self.log.error("catch_up_stalled", address=session.address, at_ms=at_ms)
            return
        from_ms = work.from_ms
        if pager.rows_read >= self.horizon_rows and pager.first_ms is not None and pager.first_ms > from_ms:
            session.unprovable(work.feed, from_ms, pager.first_ms, "older_than_the_venue_keeps", now_ms)
            from_ms = pager.first_ms
        if work.generation is None:
            covered_ms = through_ms if work.to_ms is None else min(work.to_ms, max(through_ms, from_ms))
            session.covered(work.feed, from_ms, covered_ms, now_ms)
        else:
            session.caught_up(work.feed, from_ms, through_ms, now_ms)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
