"""What a gateway tells of one wallet: events from frames, gaps from losses, and proof that a feed was caught up.

After each opening: acknowledgements and first snapshots, then `Opened`; the aggregator answers `Resume` for each feed
of fills; what the snapshot does not prove is read over REST; then `CaughtUp`. A loss of the connection, or of room in
the window, is told as `Gap` and answered by the same path (DESIGN §7, G1, G5).

A wallet may have two connections for a while: the frames of both are forwarded, one of them is vouched for, and the
other takes its place, without a word, once it has shown everything for long enough. Monotonic times are seconds; all
other times are ms.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.partitions import partition_of
from hlmonitor.gateway.core import events
from hlmonitor.gateway.core.connection import Connection, Row
from hlmonitor.gateway.core.feeds import FEEDS, Catchup, Feed, FeedState
from hlmonitor.gateway.core.window import Window
from hlmonitor.v1 import events_pb2 as pb
from hlmonitor.v1 import ingest_pb2
from hlmonitor.venue.core import frames, wire

R = TypeVar("R")

ROOM_SHARE = 0.5
"""A wallet whose events were dropped is taken up again when the window is no fuller than this."""


@dataclass(slots=True)
class SessionLimits:
    """How long answers may take, in seconds."""

    snapshot_timeout_s: float = 10.0
    resume_timeout_s: float = 15.0
    overlap_s: float = 2.0
    """A connection may take another's place when it has shown everything for so long: statuses have no snapshot, and
    the venue may be slower on one connection than on the other."""


@dataclass(slots=True)
class Session:
    """One wallet on this gateway."""

    address: Address
    window: Window
    limits: SessionLimits
    rejected: list[str] = field(default_factory=list)
    """Rows that could not be forwarded since the shell last looked, one reason each."""
    gaps_told: list[str] = field(default_factory=list)
    """Reasons of the gaps told since the shell last looked."""
    venue_ms: int = 0
    """The venue's clock as far as frames showed it."""
    generation: int = 0
    _partition: int = field(init=False)
    _feeds: dict[Feed, FeedState] = field(default_factory=lambda: {feed: FeedState() for feed in FEEDS})
    _connections: list[Connection] = field(default_factory=list)
    _voucher: Connection | None = None
    """The connection by which the wallet was opened, or the one that took its place."""
    _opened_at: float | None = None
    _keeping: bool = True
    _ends_heard_ms: int | None = None

    def __post_init__(self) -> None:
        self._partition = partition_of(self.address)

    @property
    def is_acknowledged(self) -> bool:
        """The venue serves every subscription of the wallet."""
        return any(connection.acknowledged_at is not None for connection in self._connections)

    @property
    def is_caught_up(self) -> bool:
        """Opened, resumed, read up on, and no gap of it open."""
        return self._opened_at is not None and all(
            state.resumed and state.covered_from_ms is not None and not state.gap_told for state in self._feeds.values()
        )

    @property
    def last_fill_ms(self) -> int:
        """Venue time of the newest fill that was seen."""
        return max(state.last_ms for state in self._feeds.values())

    def ends_heard_through_ms(self, default_ms: int) -> int:
        """Until when every order's end was told, if the venue's list of them was ever read; else the default."""
        return default_ms if self._ends_heard_ms is None else self._ends_heard_ms

    def heard_ends(self, through_ms: int) -> None:
        """The list of orders that ended was read and forwarded."""
        self._ends_heard_ms = through_ms

    @property
    def is_keeping(self) -> bool:
        """Events are kept; False after the window was full."""
        return self._keeping

    def connect(self) -> Connection:
        """A connection is being opened."""
        connection = Connection()
        self._connections.append(connection)
        return connection

    def reopen(self, now: float, now_ms: int) -> None:
        """Another aggregator answers for the wallet now, or the same one anew: introduce the wallet to it."""
        if self._opened_at is None or not self._keeping:
            return
        for state in self._feeds.values():
            state.resumed = False
        self._tell_opened(now, now_ms)

    def acknowledged(self, connection: Connection, now: float, now_ms: int) -> None:
        """Every subscription of the connection stands."""
        connection.acknowledged_at = now
        self._open_if_whole(connection, now, now_ms)

    def is_relieved(self, connection: Connection, now: float) -> bool:
        """Another connection can take this one's place without a hole."""
        return self._relief(connection, now) is not None

    def lost(self, connection: Connection, reason: str, now: float, now_ms: int) -> None:
        """The connection ended. Unless another one takes its place, nothing is vouched for from the last frame on."""
        if connection in self._connections:
            self._connections.remove(connection)
        if connection is not self._voucher and (self._voucher or connection.acknowledged_at is None):
            return
        self._voucher = self._relief(connection, now)
        if self._voucher:
            for feed in (feed for feed, state in self._feeds.items() if state.resumed):
                self._voucher.forget_snapshot(feed)
            return
        self._close(reason, now_ms)
        for other in self._connections:
            self._open_if_whole(other, now, now_ms)

    def frame(self, connection: Connection, frame: frames.Frame, now: float, now_ms: int) -> None:
        """Forward what a frame of the connection says of this wallet."""
        match frame:
            case frames.UserFills(user=user) if user == self.address:
                rows = [(row, None) for row in frame.rows]
                self._fills(connection, pb.FEED_USER_FILLS, rows, now_ms, is_snapshot=frame.is_snapshot)
                ends = ((row.time, events.oid_with_end(self.address, row)) for row in frame.rows)
                self._snapshot(connection, pb.FEED_USER_FILLS, frame, ends)
                self._open_if_whole(connection, now, now_ms)
            case frames.TwapSliceFills(user=user) if user == self.address:
                slices = [(row.fill, row.twap_id) for row in frame.rows]
                feed = pb.FEED_USER_TWAP_SLICE_FILLS
                self._fills(connection, feed, slices, now_ms, is_snapshot=frame.is_snapshot)
                self._snapshot(connection, feed, frame, ((row.time, row.oid) for row, _ in slices))
                self._open_if_whole(connection, now, now_ms)
            case frames.TwapHistory(user=user) if user == self.address:
                self.twap_ends(frame.rows, now_ms)
            case frames.OrderUpdates():
                self.statuses(frame.rows, now_ms)
            case frames.PerpStates() | frames.SpotState() | frames.AccountMode() if frame.user == self.address:
                self._account(frame, now_ms)
            case _:
                return

    def tick(self, now: float, now_ms: int) -> None:
        """Do what time has made due: take the wallet up again, or ask again for an answer that did not come."""
        if not self._keeping and self.window.has_room(self.address, ROOM_SHARE):
            self._keeping = True
            self._open_again(now, now_ms)
        if self._opened_at is None:
            self._open_without_snapshots(now, now_ms)
        elif now - self._opened_at > self.limits.resume_timeout_s:
            self._repeat_opened(now, now_ms)

    def resume(self, resume: ingest_pb2.Resume, now_ms: int) -> Catchup | None:
        """The aggregator says where to take a feed up; returns the REST work that this needs, if any."""
        state = self._feeds.get(resume.feed)
        if state is None or self._voucher is None or not self._keeping:
            return None
        from_ms = min([resume.watermark_ms, *(gap.from_ms for gap in resume.gaps)])
        # What answers an older opening comes first, and does not know of gaps that were told since.
        if state.resumed and from_ms >= state.resumed_from_ms:
            return self._ends_of_others(resume, state)
        state.resumed, state.resumed_from_ms = True, from_ms
        state.resumed_oids = frozenset(resume.open_oids)
        if state.covered_from_ms is not None and state.covered_from_ms <= from_ms and not resume.gaps:
            # It was forwarded already: what is not durable of it stands before this answer in the window.
            self.caught_up(resume.feed, from_ms, max(state.proven_ms, from_ms), now_ms)
            return None
        if resume.feed == pb.FEED_USER_FILLS and self._ends_heard_ms is None:
            self._ends_heard_ms = from_ms
        snapshot = self._voucher.snapshot(resume.feed)
        proven = any(time_ms < from_ms for time_ms, _ in snapshot)
        replayed = {oid for time_ms, oid in snapshot if time_ms >= from_ms}
        through_ms = max([from_ms, *(time_ms for time_ms, _ in snapshot)])
        self._voucher.forget_snapshot(resume.feed)
        oids = _order_ids(replayed.union(resume.open_oids)) if resume.feed == pb.FEED_USER_FILLS else ()
        if proven and not oids:
            self.caught_up(resume.feed, from_ms, through_ms, now_ms)
            return None
        return Catchup(resume.feed, from_ms, None, oids, not proven, through_ms, self.generation)

    def _ends_of_others(self, resume: ingest_pb2.Resume, state: FeedState) -> Catchup | None:
        """The ends of orders that the answer before did not name; the rows are being read already."""
        oids = _order_ids(set(resume.open_oids) - state.resumed_oids) if resume.feed == pb.FEED_USER_FILLS else ()
        state.resumed_oids = frozenset(resume.open_oids)
        if not oids:
            return None
        from_ms = state.resumed_from_ms
        return Catchup(resume.feed, from_ms, None, oids, reads_rows=False, through_ms=from_ms, generation=None)

    def gave_up(self, work: Catchup) -> None:
        """The work could not be done: the aggregator is asked again where to take the feed up, after a while."""
        if work.generation == self.generation:
            self._feeds[work.feed].resumed = False

    def stopping(self, now_ms: int, *, gap: str | None) -> None:
        """The gateway stops reading this wallet; the reason is a gap's, unless nobody needs to take it over now."""
        self._connections.clear()
        self._voucher = None
        if gap is not None:
            self._close(gap, now_ms)
        self._tell(pb.Event(received_at_ms=now_ms, closed=pb.Closed(address=self.address)))

    def is_void(self, work: Catchup) -> bool:
        """Another opening has replaced the one that the work belongs to, or its events are not kept now."""
        return work.generation is not None and (work.generation != self.generation or not self._keeping)

    def caught_up(self, feed: Feed, from_ms: int, through_ms: int, now_ms: int) -> None:
        """Everything of the feed from here to there was forwarded, and the stream goes on from there."""
        state = self._feeds[feed]
        state.gap_told = False
        state.last_ms = max(state.last_ms, through_ms)
        state.proven_ms = max(state.proven_ms, through_ms)
        state.covered_from_ms = from_ms if state.covered_from_ms is None else min(state.covered_from_ms, from_ms)
        self._tell_caught_up(feed, from_ms, through_ms, now_ms)

    def covered(self, feed: Feed, from_ms: int, through_ms: int, now_ms: int) -> None:
        """A stretch that was asked for was forwarded. Not told while the stream has a gap, which it would close."""
        state = self._feeds[feed]
        if state.resumed and not state.gap_told:
            state.proven_ms = max(state.proven_ms, through_ms)
            self._tell_caught_up(feed, from_ms, through_ms, now_ms)

    def _tell_caught_up(self, feed: Feed, from_ms: int, through_ms: int, now_ms: int) -> None:
        told = pb.CaughtUp(address=self.address, feed=feed, from_ms=from_ms, through_ms=max(through_ms, from_ms))
        self._tell(pb.Event(received_at_ms=now_ms, caught_up=told))

    def unprovable(self, feed: Feed, from_ms: int, to_ms: int | None, reason: str, now_ms: int) -> None:
        """A stretch that the venue cannot show any more."""
        self._tell_gap(feed, from_ms, to_ms, reason, now_ms)

    def statuses(self, rows: Iterable[wire.OrderUpdate], now_ms: int) -> None:
        """Forward statuses of orders, from the stream or from REST."""
        self._statuses(events.order_status, rows, now_ms)

    def twap_ends(self, rows: Iterable[wire.TwapHistoryRow], now_ms: int) -> None:
        """Forward the ends of TWAPs, from the stream or from REST."""
        self._statuses(events.twap_end, rows, now_ms)

    def fill(
        self, feed: Feed, row: wire.Fill, twap_id: int | None, now_ms: int, *, replayed: bool, always: bool = False
    ) -> bool:
        """Forward one fill; False when there is no room for it. `always` goes beyond the window's limits."""
        try:
            data = events.fill_bytes(self.address, row, feed, twap_id=twap_id, replayed=replayed)
        except events.RowError as error:
            self.rejected.append(str(error))
            return True
        return self._keep(pb.Event(received_at_ms=now_ms, fill=data), now_ms, row.time, always=always)

    def _fills(
        self,
        connection: Connection,
        feed: Feed,
        rows: Iterable[tuple[wire.Fill, int | None]],
        now_ms: int,
        *,
        is_snapshot: bool,
    ) -> None:
        second = self._voucher is not None and connection is not self._voucher
        # What is proven need not be told again by a second connection's first frame.
        known_ms = self._feeds[feed].proven_ms if second and is_snapshot else 0
        # Half a frame may be half an order, and one that never gets a status does not wait for what is read again.
        whole = not is_snapshot and self.window.has_room(self.address)
        for row, twap_id in rows:
            if row.time >= known_ms:
                self.fill(feed, row, twap_id, now_ms, replayed=is_snapshot, always=whole)
            if not second:
                self._saw(feed, row.time)

    def _statuses(self, read: Callable[[Address, R], pb.OrderStatus | None], rows: Iterable[R], now_ms: int) -> None:
        for row in rows:
            try:
                status = read(self.address, row)
            except events.RowError as error:
                self.rejected.append(str(error))
                continue
            if status is not None:
                self._keep(pb.Event(received_at_ms=now_ms, order_status=status), now_ms)

    def _account(self, frame: frames.PerpStates | frames.SpotState | frames.AccountMode, now_ms: int) -> None:
        if isinstance(frame, frames.PerpStates):
            self.venue_ms = max([self.venue_ms, *(state.time for _, state in frame.states)])
        try:
            snapshot = events.account_snapshot(self.address, frame)
        except events.RowError as error:
            self.rejected.append(str(error))
            return
        # The next state replaces this one: without room it is simply left out.
        if self._keeping:
            event = pb.Event(received_at_ms=now_ms, account_snapshot=snapshot)
            self.window.append(self.address, self._partition, event)

    def _snapshot(
        self,
        connection: Connection,
        feed: Feed,
        frame: frames.UserFills | frames.TwapSliceFills,
        rows: Iterable[Row],
    ) -> None:
        # A snapshot with a row that could not be read or kept proves nothing, but it was the first frame.
        if frame.is_snapshot:
            connection.took_snapshot(feed, list(rows) if self._keeping and not frame.rejected else [])

    def _saw(self, feed: Feed, time_ms: int) -> None:
        state = self._feeds[feed]
        state.last_ms = max(state.last_ms, time_ms)
        self.venue_ms = max(self.venue_ms, time_ms)

    def _relief(self, connection: Connection, now: float) -> Connection | None:
        for other in self._connections:
            whole_at = other.whole_at
            if other is not connection and whole_at is not None and now - whole_at >= self.limits.overlap_s:
                return other
        return None

    def _open_if_whole(self, connection: Connection, now: float, now_ms: int) -> None:
        if connection not in self._connections or connection.acknowledged_at is None or not connection.has_snapshots:
            return
        if connection.whole_at is None:
            connection.whole_at = now
        if self._voucher is None:
            self._voucher = connection
            self._tell_opened(now, now_ms)

    def _open_without_snapshots(self, now: float, now_ms: int) -> None:
        for connection in self._connections:
            acknowledged_at = connection.acknowledged_at
            if acknowledged_at is not None and now - acknowledged_at > self.limits.snapshot_timeout_s:
                self._voucher = connection
                self._tell_opened(now, now_ms)
                return

    def _close(self, reason: str, now_ms: int) -> None:
        self.generation += 1
        self._opened_at = None
        for state in self._feeds.values():
            state.covered_from_ms, state.resumed = None, False
        self._tell_gaps(reason, now_ms)

    def _tell_opened(self, now: float, now_ms: int) -> None:
        self._opened_at = now
        self._tell(pb.Event(received_at_ms=now_ms, opened=pb.Opened(address=self.address)))

    def _repeat_opened(self, now: float, now_ms: int) -> None:
        if not all(state.resumed for state in self._feeds.values()):
            self._tell_opened(now, now_ms)

    def _open_again(self, now: float, now_ms: int) -> None:
        # Frames were dropped since the snapshot, so it proves nothing any more; no other will come.
        self.generation += 1
        for feed, state in self._feeds.items():
            for connection in self._connections:
                connection.forget_snapshot(feed)
            state.covered_from_ms, state.resumed = None, False
        if self._opened_at is not None:
            self._tell_opened(now, now_ms)

    def _keep(self, event: pb.Event, now_ms: int, venue_ms: int | None = None, *, always: bool = False) -> bool:
        if self._keeping and self.window.append(self.address, self._partition, event, always=always):
            return True
        if self._keeping:
            self._keeping = False
            self._tell_gaps("window_full", now_ms, venue_ms)
        return False

    def _tell(self, event: pb.Event) -> None:
        self.window.append(self.address, self._partition, event, always=True)

    def _tell_gaps(self, reason: str, now_ms: int, lost_ms: int | None = None) -> None:
        for feed, state in self._feeds.items():
            # Before anything was seen there is nothing to lose: the aggregator's watermark says where to begin.
            known_ms = state.last_ms or self.venue_ms
            from_ms = known_ms if lost_ms is None else min(known_ms, lost_ms)
            if from_ms and not state.gap_told:
                state.gap_told = True
                self._tell_gap(feed, from_ms, None, reason, now_ms)

    def _tell_gap(self, feed: Feed, from_ms: int, to_ms: int | None, reason: str, now_ms: int) -> None:
        gap = pb.Gap(address=self.address, feed=feed, from_ms=from_ms, to_ms=to_ms, reason=reason)
        self.gaps_told.append(reason)
        self._tell(pb.Event(received_at_ms=now_ms, gap=gap))


def _order_ids(oids: Iterable[int]) -> tuple[int, ...]:
    # Negative ids stand for TWAPs and system orders, which the venue has no status for.
    return tuple(sorted(oid for oid in oids if oid > 0))
