"""One partition: takes events of its wallets in any order and any number of times, and keeps what they mean.

Every method is deterministic. What is decided goes to the outbox; what is asked of gateways to `requests`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hlmonitor.aggregator.core.accounts import Account
from hlmonitor.aggregator.core.batch import Outbox
from hlmonitor.aggregator.core.continuity import Continuity
from hlmonitor.aggregator.core.convert import fill_input
from hlmonitor.aggregator.core.coverage import Coverage
from hlmonitor.aggregator.core.decider import Decider
from hlmonitor.aggregator.core.doubts import FILL_FEEDS, Doubts
from hlmonitor.aggregator.core.inputs import FillInput, StatusInput
from hlmonitor.aggregator.core.memory import Memory
from hlmonitor.aggregator.core.metadata import Markets
from hlmonitor.aggregator.core.now import Now
from hlmonitor.aggregator.core.orders import OrderState, hold
from hlmonitor.aggregator.core.recall import Question, Recall
from hlmonitor.aggregator.core.requests import BackfillRequest, Request, ResumeRequest
from hlmonitor.aggregator.core.tally import Tally
from hlmonitor.aggregator.core.trades import belongs_to_episode, enrich, place, restored_order
from hlmonitor.aggregator.core.triggers import Patience
from hlmonitor.aggregator.core.vigil import ROUTINE_S, Vigil
from hlmonitor.aggregator.core.wallet import Wallet
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.decimals import AmountError
from hlmonitor.domain.fills import Fill, Leg, is_spot
from hlmonitor.domain.orders import Kind, OrderId, OrderRef, TerminalStatus, is_terminal, order_id
from hlmonitor.domain.sizes import SizeBounds
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.v1 import events_pb2, storage_pb2

CACHE_S = 2.0
"""A wallet's position cache row is written at most this often."""
MAX_SYSTEM_OIDS = 1_000
MOST_DUE_AT_ONCE = 500
"""Orders that one call of `tick` judges: thousands may have waited for the same moment."""
DEDUP_HORIZON_S = 6 * 86_400.0
"""A fill older than this is stored and never told: SQL or the stream may have forgotten what was told of it."""

_EFFECTS = {Leg.OPEN: "opening", Leg.CLOSE: "closing"}
_DIR_LEGS = {
    "Open Long": (Leg.OPEN,), "Open Short": (Leg.OPEN,), "Buy": (Leg.OPEN,),
    "Close Long": (Leg.CLOSE,), "Close Short": (Leg.CLOSE,), "Sell": (Leg.CLOSE,),
    "Long > Short": (Leg.CLOSE, Leg.OPEN), "Short > Long": (Leg.CLOSE, Leg.OPEN),
}  # fmt: skip


@dataclass(slots=True)
class Partition:
    """The wallets of one partition under one epoch."""

    number: int
    outbox: Outbox
    markets: Markets
    patience: Patience = field(default_factory=Patience)
    remove_grace_s: float = 300.0
    dedup_horizon_s: float = DEDUP_HORIZON_S
    routine_s: float = ROUTINE_S
    memory: Memory = field(default_factory=Memory)
    sizes: SizeBounds = field(default_factory=SizeBounds)
    wallets: dict[Address, Wallet] = field(default_factory=dict)
    decider: Decider = field(init=False)
    recall: Recall = field(init=False)
    coverage: Coverage = field(init=False)
    doubts: Doubts = field(init=False)

    def __post_init__(self) -> None:
        """Give the parts the same memory and outbox."""
        self.coverage = Coverage(self.outbox)
        self.decider = Decider(self.outbox, self.memory, self.markets, self.patience, self.sizes)
        self.recall = Recall(self.memory, self.outbox, self.decider.resting)
        self.doubts = Doubts(self.decider, self.coverage, self.routine_s)

    def wallet(self, address: Address) -> Wallet:
        """The wallet's state, made when it is spoken of for the first time."""
        found = self.wallets.get(address)
        if found is None:
            found = self.wallets[address] = Wallet(address, Account(address))
        return found

    def is_watched(self, address: Address) -> bool:
        """Whether the watch list has it (its removal grace included)."""
        wallet = self.wallets.get(address)
        return wallet is not None and wallet.entry is not None

    def watch(self, entries: Mapping[Address, WatchEntry], now: Now) -> None:
        """Take over the watch list's entries of this partition; a vanished wallet is flushed."""
        for address, entry in entries.items():
            wallet = self.wallet(address)
            before, wallet.entry = wallet.entry, entry
            if wallet.was_overheard:
                wallet.was_overheard = False
                self.doubts.lost_sight(wallet, entry.signals_from_ms, "watched since before it was known", now)
            if before and entry.signals_from_ms < before.signals_from_ms:
                # What lies between was never asked for.
                self.doubts.lost_sight(wallet, entry.signals_from_ms, "signals start earlier now", now)
            if before and before.order_timeout_s != entry.order_timeout_s:
                for order in list(wallet.orders.values()):
                    self.decider.decide(wallet, order, now)
        for address in [known for known, wallet in self.wallets.items() if wallet.entry and known not in entries]:
            self._drop(self.wallets[address], now)

    def fill(self, heard: FillInput, received_at_ms: int, now: Now) -> None:
        """Take a fill in, once."""
        fill, digest, ref, identity = heard.fill, heard.digest, heard.ref, heard.order_id
        tally = self.decider.tally
        tally.fills += 1
        wallet = self.wallet(fill.address)
        order = wallet.orders.get(identity)
        wallet.note_feed(fill)
        if ref.is_system:
            self._note_system(wallet, fill)
        if (holder := self.recall.holder(wallet, heard)) is not None:
            tally.duplicates += 1
            self.recall.fill_taken_in(identity, digest)
            enrich(wallet, holder, heard, self.outbox)
            if order and not order.fills:
                self._withdraw(order)
            return
        uncounted = wallet.entry is None or fill.time_ms < wallet.entry.signals_from_ms
        if uncounted and order is None:
            # Older than the watch: only an order that goes on after it needs such a fill, for its sum.
            wallet.was_overheard |= wallet.entry is None
            tally.effects["ignored"] += 1
            return
        is_late = not uncounted and fill.time_ms < now.wall_ms - self.dedup_horizon_s * 1000
        if is_late:
            uncounted = True
            self.coverage.late(wallet, fill)
        if belongs_to_episode(wallet, heard):
            quiet_s = wallet.patience(self.patience).episode_quiet_s
            heard, order = place(wallet, heard, quiet_s, is_late=is_late)
        order = order or self._revive_or_open(wallet, ref, identity, now)
        held = hold(heard, received_at_ms, uncounted=uncounted)
        self.recall.fill_taken_in(identity, digest)
        self._count(fill, tuple(part.leg for part in held.parts), uncounted=uncounted)
        wallet.vigil.fills += 1
        if not uncounted and order.ref.kind is not Kind.EPISODE:
            self._link(wallet, fill, now)
        order.add(held, now.mono_s)
        unit = self.outbox.unit(order, self.markets.symbol_of(ref.coin))
        unit.fills[digest] = held
        if order.is_revived and order.status and not order.status_stored:
            # It was resolved when the order had finished; the next owner needs it again.
            unit.status_changed = True
        self.decider.decide(wallet, order, now, heard=True)

    def status(self, status: StatusInput, received_at_ms: int, now: Now) -> None:
        """Take an order's status in. Only terminal ones say something of the order's end."""
        wallet = self.wallet(status.address)
        ref = status.ref
        identity = order_id(ref)
        order = wallet.orders.get(identity)
        if order:
            order.order_time_ms = status.order_time_ms
        if not is_terminal(status.status, status.remaining_sz) or (order and order.status):
            return
        self.recall.status_taken_in(identity)
        if order is None:
            if wallet.says_nothing(status) or self.recall.finished(identity):
                wallet.was_overheard |= wallet.entry is None
                return
            order = wallet.order(ref, identity)
            order.order_time_ms = status.order_time_ms
        order.status = TerminalStatus(status.status, status.status_time_ms, status.filled, status.orig_sz)
        order.status_at_s = now.mono_s
        order.cloid = order.cloid or status.cloid
        order.received_at_ms = max(order.received_at_ms, received_at_ms)
        self.decider.decide(wallet, order, now, heard=True)
        if identity in wallet.orders:
            self.outbox.unit(order, self.markets.symbol_of(ref.coin)).status_changed = True

    def question(self, value: FillInput | StatusInput, received_at_ms: int) -> Question | None:
        """What SQL has to be asked before this may be taken in."""
        address = value.fill.address if isinstance(value, FillInput) else value.address
        wallet = self.wallets.get(address)
        if wallet is None or wallet.entry is None:
            return None
        if isinstance(value, FillInput):
            return self.recall.about_fill(wallet, value)
        return self.recall.about_status(wallet, value, received_at_ms)

    def wake(self, row: storage_pb2.FillRow, now: Now) -> None:
        """Take a fill of a resting order in again; without news it goes back to rest.

        Raises:
            FieldError: the row cannot be read: the database was changed by hand.
        """
        order = self.restore(row, now)
        self.decider.decide(self.wallet(order.ref.address), order, now)

    def restore(self, row: storage_pb2.FillRow, now: Now) -> OrderState:
        """Take a stored fill in again, with the marks of the signals that took it.

        Raises:
            FieldError: the row cannot be read: the database was changed by hand.
        """
        heard = fill_input(row.fill)
        order = restored_order(self.wallet(heard.fill.address), heard, row)
        held = hold(heard, now.wall_ms, uncounted=row.uncounted)
        if row.HasField("close_number"):
            held.taken[Leg.CLOSE] = row.close_number
        if row.HasField("open_number"):
            held.taken[Leg.OPEN] = row.open_number
        order.add(held, now.mono_s)
        return order

    def snapshot(self, snapshot: events_pb2.AccountSnapshot, received_at_ms: int) -> None:
        """Replace what is known of a wallet's account."""
        parts = [name for name in ("perps", "spot") if snapshot.HasField(name)]
        tally, wallet = self.decider.tally, self.wallet(Address(snapshot.address))
        try:
            wallet.account.replace(snapshot, received_at_ms)
        except AmountError:
            tally.snapshot_errors.update(parts)
            return
        for dex in snapshot.perps.dexes:
            wallet.tracked.told(dex)
            wallet.vigil.told(dex)
        tally.snapshots.update(parts)

    def gap(self, gap: events_pb2.Gap, now: Now) -> None:
        """A gateway cannot vouch for a stretch of a feed: timers wait until it is covered.

        A gap with an end is one that the venue cannot show any more: it is recorded, and nobody waits for it.
        """
        wallet = self.wallet(Address(gap.address))
        if gap.feed == events_pb2.FEED_TRADES:
            wallet.is_by_trades = True
            wallet.tracked.forget()
        if gap.HasField("to_ms"):
            self.coverage.give_up(wallet, gap)
            wallet.note_read(gap.feed, gap.from_ms, gap.to_ms)
        else:
            wallet.vigil.lost()
            self.coverage.lost(wallet, gap, now)

    def lost_gateway(self, address: Address, now: Now) -> None:
        """No gateway's stream brings the wallet's events any more: timers wait until one has caught up."""
        if wallet := self.wallets.get(address):
            wallet.vigil.lost_gateway(now.mono_s)

    def read_again(self, gap: events_pb2.Gap, now: Now) -> None:
        """Ask another gateway, which streams the wallet too, for what a gap has left open."""
        wallet = self.wallet(Address(gap.address))
        paused_until_s = wallet.paused_until_s(now.mono_s)
        wallet.vigil.opened(())
        self._end_pause(wallet, paused_until_s, now)
        self.decider.requests.append(BackfillRequest(Address(gap.address), gap.feed, gap.from_ms, ()))

    def caught_up(self, caught_up: events_pb2.CaughtUp, now: Now) -> None:
        """Everything of the feed in the range came before this event: the watermark moves, a covered gap closes."""
        wallet = self.wallet(Address(caught_up.address))
        paused_until_s = wallet.paused_until_s(now.mono_s)
        wallet.is_by_trades |= caught_up.feed == events_pb2.FEED_TRADES
        wallet.vigil.caught_up(caught_up.feed)
        self.coverage.covered(wallet, caught_up)
        if caught_up.feed not in wallet.gaps:
            wallet.note_read(caught_up.feed, caught_up.from_ms, caught_up.through_ms)
        self._end_pause(wallet, paused_until_s, now)

    def opened(self, address: Address) -> None:
        """A gateway has a wallet's subscriptions: tell it where to take each feed up."""
        wallet = self.wallet(address)
        wallet.vigil.opened(FILL_FEEDS)
        for feed in (*FILL_FEEDS, events_pb2.FEED_TRADES) if wallet.is_by_trades else FILL_FEEDS:
            gap, watermark_ms = wallet.gaps.get(feed), wallet.resume_from_ms(feed)
            self.decider.requests.append(
                ResumeRequest(
                    address,
                    feed,
                    min(watermark_ms, gap.from_ms) if gap else watermark_ms,
                    ((gap.from_ms, gap.reason),) if gap else (),
                    tuple(order.ref.oid for order in wallet.orders.values() if order.ref.oid > 0),
                )
            )

    def tick(self, now: Now) -> None:
        """Let the orders' timers run out, as many as one batch takes and others need not wait for."""
        judged = 0
        while judged < MOST_DUE_AT_ONCE and not self.outbox.is_full and (due := self.decider.next_due(now)):
            address, identity = due
            wallet = self.wallets.get(Address(address))
            order = wallet.orders.get(identity) if wallet else None
            if wallet and order and order.scheduled_s is not None and order.scheduled_s <= now.mono_s:
                order.scheduled_s = None
                self.decider.decide(wallet, order, now)
                judged += 1

    def sweep(self, now: Now) -> None:
        """Let removals take effect and position caches be written; looks at every wallet, so not at every tick."""
        for wallet in self.wallets.values():
            self._sweep_wallet(wallet, now)
            self.doubts.look(wallet, now)

    def take_requests(self) -> list[Request]:
        """What to ask of gateways since the last call."""
        requests, self.decider.requests = self.decider.requests, []
        return requests

    def take_tally(self) -> Tally:
        """What was counted since the last call."""
        tally, self.decider.tally = self.decider.tally, Tally()
        return tally

    def _end_pause(self, wallet: Wallet, was_until_s: float | None, now: Now) -> None:
        """See whether a pause of the wallet's timers is over sooner than it was to be."""
        if was_until_s is None:
            return
        until_s = wallet.paused_until_s(now.mono_s)
        if until_s is None or until_s < was_until_s:
            self.decider.run_again(wallet, was_until_s, now)

    def _sweep_wallet(self, wallet: Wallet, now: Now) -> None:
        removed_at_ms = wallet.entry.removed_at_ms if wallet.entry else None
        if removed_at_ms is not None and now.wall_ms >= removed_at_ms + self.remove_grace_s * 1000:
            self._drop(wallet, now)
        elif wallet.account.changed and wallet.entry and now.mono_s - wallet.cached_at_s >= CACHE_S:
            wallet.cached_at_s = now.mono_s
            wallet.account.changed = False
            self.outbox.cache(wallet.account.cache_row(self.markets, wallet.account.received_at_ms), now.mono_s)

    def _drop(self, wallet: Wallet, now: Now) -> None:
        for order in list(wallet.orders.values()):
            self.decider.flush(wallet, order, now)
        self.coverage.removed(wallet)
        self.outbox.removed(wallet.address)
        wallet.tracked.forget()
        # The counter lives on: a wallet that comes back goes on with the next number.
        wallet.entry, wallet.account = None, Account(wallet.address)
        wallet.positions, wallet.balances, wallet.reread_from_ms = Continuity(), Continuity(), None
        wallet.vigil = Vigil()

    def _revive_or_open(self, wallet: Wallet, ref: OrderRef, identity: OrderId, now: Now) -> OrderState:
        order = OrderState(ref, identity)
        if finished := self.recall.finished(order.id):
            order.filled, order.status, order.is_revived = finished.filled, finished.status, True
            order.totals = finished.totals
            order.status_at_s = now.mono_s
        wallet.orders[order.id] = order
        return order

    def _note_system(self, wallet: Wallet, fill: Fill) -> None:
        wallet.system_oids[fill.coin, fill.oid] = None
        while len(wallet.system_oids) > MAX_SYSTEM_OIDS:
            del wallet.system_oids[next(iter(wallet.system_oids))]
        # A status for this id may have come first and been taken for one of an order of the wallet.
        mistaken = order_id(OrderRef(fill.address, fill.coin, fill.oid, Kind.ORDER))
        order = wallet.orders.get(mistaken)
        if order and not order.fills:
            self._withdraw(order)

    def _withdraw(self, order: OrderState) -> None:
        """Take back an order that a status made, when its fills turn out to be told already."""
        del self.wallets[order.ref.address].orders[order.id]
        self.outbox.finish(order, self.markets.symbol_of(order.ref.coin))

    def _link(self, wallet: Wallet, fill: Fill, now: Now) -> None:
        if is_spot(fill.coin):
            wallet.balances.add_balance(self.markets.base_of(fill.coin) or fill.coin, fill, now.mono_s)
        else:
            wallet.tracked.ended(fill)
            if not wallet.is_by_trades:
                # Trades that lead from one of its rows to the next say nothing of where they began.
                self._begin_chain(wallet, fill.coin)
                wallet.positions.add_position(fill, now.mono_s)

    def _begin_chain(self, wallet: Wallet, coin: str) -> None:
        """A coin's first fill must begin where the venue told the position to be, or it is not the first."""
        if coin not in wallet.positions.coins and (stand := wallet.vigil.standings.stand_at(coin)):
            position, time_ms = stand
            # What happened until then is in it.
            wallet.positions.seed(coin, position, time_ms + 1)

    def _count(self, fill: Fill, legs: tuple[Leg, ...], *, uncounted: bool) -> None:
        tally = self.decider.tally
        if uncounted:
            tally.effects["ignored"] += 1
            return
        for leg in legs:
            tally.effects[_EFFECTS[leg]] += 1
        if _DIR_LEGS.get(fill.dir, legs) != legs:
            tally.dir_mismatches += 1
