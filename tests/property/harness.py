"""Drives an aggregator's partition as its shell does: gateways' windows, commits, crashes, publishing, a clock."""

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction

from aggregates import FixedMarkets
from market import START_MS, Market, Told
from oracle import Execution, Fortune, Status, TrueOrder, decimal_text
from stored import Stored

from hlmonitor.aggregator.core.acks import AckLedger
from hlmonitor.aggregator.core.batch import Outbox
from hlmonitor.aggregator.core.convert import input_of
from hlmonitor.aggregator.core.inputs import FillInput, StatusInput
from hlmonitor.aggregator.core.memory import MAX_FILLS, Budget, Memory
from hlmonitor.aggregator.core.now import Now
from hlmonitor.aggregator.core.partition import Partition
from hlmonitor.aggregator.core.publishing import PublishQueue
from hlmonitor.aggregator.core.requests import BackfillRequest
from hlmonitor.aggregator.core.restore import Restorer
from hlmonitor.aggregator.core.triggers import Patience
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.v1 import events_pb2, storage_pb2

BIRTH_S = 1_000.0
ORDER_TIMEOUT_S = 300.0
TWAP_FEED, FILL_FEED = events_pb2.FEED_USER_TWAP_SLICE_FILLS, events_pb2.FEED_USER_FILLS


@dataclass
class Gateway:
    """What a gateway sent and nobody acknowledged yet."""

    sent: int = 0
    window: dict[int, events_pb2.Event] = field(default_factory=dict)
    ledger: AckLedger = field(default_factory=AckLedger)


@dataclass
class Knowledge:
    """When the aggregator was told each thing of an order for the first time."""

    executions: dict[int, float] = field(default_factory=dict)
    ages_s: dict[int, float] = field(default_factory=dict)
    """How old each execution was then."""
    ended_s: float | None = None


@dataclass
class Stream:
    """The messages of one address, as JetStream keeps them."""

    messages: list[tuple[str, bytes]] = field(default_factory=list)


@dataclass
class World:
    """A partition, what is durable of it, and two gateways that tell it of a market."""

    market: Market
    entries: dict[Address, WatchEntry]
    lag_ms: int = 0
    """How much later than the venue's our wall clock is."""
    forgets: bool = False
    """A new owner is not told of finished fills that are old."""
    restarts: int = 0
    horizon_s: float = 6 * 86_400.0
    """What is older when it is told goes into no signal."""
    memory: int = MAX_FILLS
    """How many fills of finished orders a process remembers."""
    now_s: float = BIRTH_S
    stored: Stored = field(default_factory=Stored)
    partition: Partition = field(init=False)
    queues: dict[Address, PublishQueue] = field(default_factory=dict)
    gateways: tuple[Gateway, Gateway] = field(default_factory=lambda: (Gateway(), Gateway()))
    knowledge: dict[int, Knowledge] = field(default_factory=lambda: defaultdict(Knowledge))
    released: dict[str, bytes] = field(default_factory=dict)
    streams: dict[Address, Stream] = field(default_factory=lambda: defaultdict(Stream))
    forgotten: set[int] = field(default_factory=set)
    """Orders whose finished fills the owner was not told of."""
    fortunes: dict[str, Fortune] = field(default_factory=lambda: defaultdict(Fortune))
    """What the partition was told that each wallet owns."""
    backed_by: dict[bytes, Fortune] = field(default_factory=dict)
    """What the wallet owned when a signal was decided, by the signal's payload."""
    in_gaps: set[bytes] = field(default_factory=set)
    """The payloads of signals that were decided while a gap of their wallet was open."""
    least_timeouts_s: dict[Address, float] = field(default_factory=dict)
    """The shortest order timeout that each wallet ever had."""

    def __post_init__(self) -> None:
        self.least_timeouts_s = dict.fromkeys(self.entries, float("inf"))
        self._note_timeouts()
        self.partition = self._new_partition()

    @property
    def now(self) -> Now:
        """Local time."""
        venue_ms = max(self.market.time_ms, START_MS + int((self.now_s - BIRTH_S) * 1000))
        return Now(self.now_s, venue_ms + self.lag_ms)

    def tell(self, told: Told, gateway: int = 0, *, replayed: bool = False) -> None:
        """A gateway forwards something."""
        order = self.market.orders.index(told.order)
        # What is old comes only by a snapshot or REST, which say so.
        self._send(event_of(told, replayed=replayed or order in self.forgotten), gateway)
        known = self.knowledge[order]
        if isinstance(told.what, Execution):
            known.executions.setdefault(told.what.index, self.now_s)
            known.ages_s.setdefault(told.what.index, self.age_s(told.what))
        elif told.what.is_final and known.ended_s is None:
            known.ended_s = self.now_s

    def age_s(self, execution: Execution) -> float:
        """How old an execution is by our wall clock."""
        return (self.now.wall_ms - execution.time_ms) / 1000

    def watch(self, entry: WatchEntry) -> None:
        """The watch list changes."""
        self.entries[entry.address] = entry
        self._note_timeouts()
        self.partition.watch(self.entries, self.now)
        self._note_decisions()

    def own(self, address: Address, part: Fortune) -> None:
        """The venue tells a part of what a wallet owns."""
        snapshot = events_pb2.AccountSnapshot(address=address, abstraction=part.mode)
        if part.values is not None:
            dexes = [
                events_pb2.DexState(dex=dex, account_value=decimal_text(value)) for dex, value in part.values.items()
            ]
            snapshot.perps.CopyFrom(events_pb2.AccountSnapshot.Perps(dexes=dexes))
        if part.balances is not None:
            balances = [
                events_pb2.SpotBalance(coin=coin, total=decimal_text(owned)) for coin, owned in part.balances.items()
            ]
            snapshot.spot.CopyFrom(events_pb2.AccountSnapshot.Spot(balances=balances))
        self._send(events_pb2.Event(account_snapshot=snapshot), 0)

    def gap(self, address: Address, feed: events_pb2.Feed.ValueType, from_ms: int) -> None:
        """The gateway lost sight of a feed."""
        row = events_pb2.Gap(address=address, feed=feed, from_ms=from_ms, reason="reconnect")
        self._send(events_pb2.Event(gap=row), 0)

    def caught_up(self, address: Address, feed: events_pb2.Feed.ValueType, from_ms: int, through_ms: int) -> None:
        """The gateway has covered a feed."""
        row = events_pb2.CaughtUp(address=address, feed=feed, from_ms=from_ms, through_ms=through_ms)
        self._send(events_pb2.Event(caught_up=row), 0)

    def freeze(self) -> None:
        """The batch goes out, if there is one."""
        self.partition.outbox.freeze(self.now_s)

    def commit(self) -> None:
        """The batch in flight is committed and answered; gateways hear of it."""
        batch = self.partition.outbox.in_flight
        if batch is None:
            return
        self.stored.apply(batch.message)
        for row in self.partition.outbox.done(batch.number, []):
            self._release(row)
        self._acknowledge()

    def commit_all(self) -> None:
        """Commit until nothing waits."""
        while self.partition.outbox.in_flight or self.partition.outbox.freeze(self.now_s, force=True):
            self.commit()
        self._acknowledge()

    def publish(self, *, heard: bool = True) -> None:
        """Publish what may be; when not `heard`, the stream's answers are lost with the process."""
        for address, queue in self.queues.items():
            while row := queue.head():
                self._publish_head(address, queue, row, heard=heard)
                if not heard:
                    break

    def restart(self, *, committed: bool = False) -> None:
        """The process dies, the batch in flight committed or not, and a new owner begins; gateways send again."""
        batch = self.partition.outbox.in_flight
        if committed and batch:
            self.stored.apply(batch.message)
        self.stored.acquire()
        self.restarts += 1
        owned = dict(self.fortunes)
        self.fortunes.clear()
        self.partition = self._new_partition()
        restorer = Restorer(self.partition, self.now)
        for item in self.stored.load(is_recent=self._is_recent):
            restorer.take(item)
        restorer.finish()
        self.queues = restorer.queues
        for gateway in self.gateways:
            gateway.ledger = AckLedger()
            for seq, event in gateway.window.items():
                self._apply(gateway, seq, event)
        for address, fortune in owned.items():
            self.own(Address(address), fortune)
        self._acknowledge()

    def wait(self, seconds: float, step_s: float = 0.5) -> None:
        """Let time pass as the shell does; gateways answer at once what they are asked."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s = min(self.now_s + step_s, end_s)
            self.partition.tick(self.now)
            self._note_decisions()
            self.partition.sweep(self.now)
            self.serve()

    def serve(self) -> None:
        """Answer the partition's requests with all that the venue shows."""
        for request in self.partition.take_requests():
            if isinstance(request, BackfillRequest):
                self._backfill(request)

    def _note_timeouts(self) -> None:
        for address, entry in self.entries.items():
            timeout_s = ORDER_TIMEOUT_S if entry.order_timeout_s is None else entry.order_timeout_s
            self.least_timeouts_s[address] = min(timeout_s, self.least_timeouts_s[address])

    def _backfill(self, request: BackfillRequest) -> None:
        for told in list(self.market.told):
            order, what = told.order, told.what
            if order.address != request.address:
                continue
            if isinstance(what, Status):
                if what.is_final and order.twap_id is None and order.oid in request.oids:
                    self.tell(told, replayed=True)
            elif what.time_ms >= request.from_ms and (order.twap_id is not None) == (request.feed == TWAP_FEED):
                self.tell(told, replayed=True)

    def _send(self, event: events_pb2.Event, to: int) -> None:
        gateway = self.gateways[to]
        gateway.sent += 1
        event.seq, event.received_at_ms = gateway.sent, self.now.wall_ms
        gateway.window[event.seq] = event
        self._apply(gateway, event.seq, event)
        self._acknowledge()

    def _apply(self, gateway: Gateway, seq: int, event: events_pb2.Event) -> None:
        address, value = input_of(event)
        partition, received_at_ms = self.partition, event.received_at_ms
        if isinstance(value, FillInput | StatusInput):
            self.stored.answer(partition, value, received_at_ms, self.now)
        if isinstance(value, FillInput):
            partition.fill(value, received_at_ms, self.now)
        elif isinstance(value, StatusInput):
            partition.status(value, received_at_ms, self.now)
        elif isinstance(value, events_pb2.Gap):
            partition.gap(value, self.now)
        elif isinstance(value, events_pb2.CaughtUp):
            partition.caught_up(value, self.now)
        elif isinstance(value, events_pb2.AccountSnapshot):
            partition.snapshot(value, received_at_ms)
            self._learn_fortune(value)
        self._note_decisions()
        assert partition.is_watched(address)
        gateway.ledger.receive(seq, partition.outbox.needs_batch)

    def _learn_fortune(self, told: events_pb2.AccountSnapshot) -> None:
        known = self.fortunes[told.address]
        values, balances = known.values, known.balances
        if told.HasField("perps"):
            # Dexes that a frame lacks are kept, as they were.
            values = {**(values or {}), **{dex.dex: Fraction(dex.account_value) for dex in told.perps.dexes}}
        if told.HasField("spot"):
            balances = {row.coin: Fraction(row.total) for row in told.spot.balances}
        self.fortunes[told.address] = Fortune(values, balances, told.abstraction)

    def _note_decisions(self) -> None:
        """Keep what the wallet was known to own when each signal was decided that is not committed yet."""
        for draft in self.partition.outbox._units.values():
            for row in draft.signals:
                if row.payload not in self.backed_by:
                    self.backed_by[row.payload] = self.fortunes[row.address]
                    if self.partition.wallets[Address(row.address)].gaps:
                        self.in_gaps.add(row.payload)

    def _acknowledge(self) -> None:
        for gateway in self.gateways:
            through = gateway.ledger.committed(self.partition.outbox.committed)
            if through is not None:
                gateway.window = {seq: event for seq, event in gateway.window.items() if seq > through}

    def _release(self, row: storage_pb2.SignalRow) -> None:
        before = self.released.setdefault(row.signal_id, row.payload)
        assert before == row.payload, f"{row.signal_id} was released with other bytes"
        self.queues.setdefault(Address(row.address), PublishQueue()).add(row)

    def _publish_head(self, address: Address, queue: PublishQueue, row: storage_pb2.SignalRow, *, heard: bool) -> None:
        messages = self.streams[address].messages
        if any(signal_id == row.signal_id for signal_id, _ in messages):
            # The stream refuses a publish that expects another predecessor; what it holds is told apart by id.
            assert messages[row.number - 1] == (row.signal_id, row.payload)
        else:
            assert len(messages) == row.number - 1, "a signal is published before its predecessor"
            messages.append((row.signal_id, row.payload))
        if heard:
            queue.confirmed(row.number)
            mark = storage_pb2.PublishedMark(signal_id=row.signal_id, published_seq=row.number)
            self.partition.outbox.published(mark, self.now_s)

    def _new_partition(self) -> Partition:
        memory = Memory(Budget(self.memory))
        # Orders rest soon, so that they often come back from SQL.
        patience = Patience(rest_after_s=5.0)
        partition = Partition(0, Outbox(0, self.stored.epoch), FixedMarkets(), patience, memory=memory)
        partition.dedup_horizon_s = self.horizon_s
        partition.watch(self.entries, self.now)
        return partition

    def _is_recent(self, row: storage_pb2.FillRow) -> bool:
        """Whether a finished fill may still be told live; decides for all fills of its order alike."""
        if not self.forgets:
            return True
        window = [event for gateway in self.gateways for event in gateway.window.values()]
        fill = events_pb2.Fill.FromString(row.fill)
        order = self._order_of(fill)
        newest_ms = max(status.time_ms for status in order.statuses) if order.statuses else fill.time_ms
        is_old = newest_ms < self.now.wall_ms - 60_000
        if is_old and not any(_is_of(event, order) for event in window):
            self.forgotten.add(self.market.orders.index(order))
            return False
        return True

    def _order_of(self, fill: events_pb2.Fill) -> TrueOrder:
        return next(
            order
            for order in self.market.orders
            if order.address == fill.address
            and any(one.tid == fill.tid and one.oid == fill.oid for one in order.executions)
        )


def event_of(told: Told, *, replayed: bool = False) -> events_pb2.Event:
    """The contract's event for what a feed says."""
    order, what = told.order, told.what
    if isinstance(what, Status):
        return events_pb2.Event(order_status=_status(order, what))
    fill = events_pb2.Fill(
        address=order.address,
        coin=order.coin,
        px=decimal_text(what.px),
        sz=decimal_text(what.sz),
        side=events_pb2.SIDE_BUY if what.side == "B" else events_pb2.SIDE_SELL,
        time_ms=what.time_ms,
        start_position=decimal_text(what.start),
        dir=what.dir,
        closed_pnl=decimal_text(what.closed_pnl),
        hash="0x1",
        oid=what.oid,
        fee=decimal_text(what.fee),
        fee_token="USDC",
        tid=what.tid,
        cloid=order.cloid,
        twap_id=order.twap_id,
        feed=FILL_FEED if order.twap_id is None else TWAP_FEED,
        replayed=replayed,
    )
    return events_pb2.Event(fill=fill.SerializeToString())


def _status(order: TrueOrder, status: Status) -> events_pb2.OrderStatus:
    return events_pb2.OrderStatus(
        address=order.address,
        coin=order.coin,
        oid=order.oid if order.twap_id is None else 0,
        twap_id=order.twap_id,
        orig_sz=decimal_text(status.orig),
        remaining_sz=decimal_text(status.remaining),
        status=status.text,
        order_time_ms=order.placed_ms,
        status_time_ms=status.time_ms,
        cloid=order.cloid,
    )


def _is_of(event: events_pb2.Event, order: TrueOrder) -> bool:
    """Whether an event may speak of an order (another one of the same ids is taken for it)."""
    if event.HasField("order_status"):
        return event.order_status.oid == order.oid or (
            order.twap_id is not None and event.order_status.twap_id == order.twap_id
        )
    if event.HasField("fill"):
        fill = events_pb2.Fill.FromString(event.fill)
        return any(one.tid == fill.tid and one.oid == fill.oid for one in order.executions)
    return False
