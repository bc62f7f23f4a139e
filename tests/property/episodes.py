"""Trades of one wallet without orders, what a partition was told of them, and which episodes must come of it (§6.11).

The rules are written from the design, for one wallet, in the plainest way.
"""

from dataclasses import dataclass, field
from fractions import Fraction

from aggregates import FixedMarkets
from oracle import Execution, decimal_text, is_spot
from stored import Stored

from hlmonitor.aggregator.core.batch import Outbox
from hlmonitor.aggregator.core.convert import fill_input
from hlmonitor.aggregator.core.doubts import FILL_FEEDS
from hlmonitor.aggregator.core.memory import Memory
from hlmonitor.aggregator.core.now import Now
from hlmonitor.aggregator.core.partition import Partition
from hlmonitor.aggregator.core.restore import Restorer
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.v1 import events_pb2

WALLET = Address("0x" + "ab" * 20)
START_MS = 1_700_000_000_000
QUIET_S = 2.0
TIMEOUT_S = 7.0


@dataclass(eq=False)
class Group:
    """An episode as it should be."""

    coin: str
    side: str
    trades: list[Execution] = field(default_factory=list)
    first_heard_s: float = 0.0
    last_heard_s: float = 0.0

    def touches(self, trade: Execution, within_ms: int) -> bool:
        """Whether a trade lies between its bounds, or so near."""
        times_ms = [one.time_ms for one in self.trades]
        return min(times_ms) - within_ms <= trade.time_ms <= max(times_ms) + within_ms


@dataclass
class Floor:
    """A wallet that trades, the partition that hears of it, and the episodes that are due."""

    now_s: float = 1_000.0
    time_ms: int = START_MS
    positions: dict[str, Fraction] = field(default_factory=dict)
    trades: dict[int, tuple[str, Execution]] = field(default_factory=dict)
    stored: Stored = field(default_factory=lambda: Stored(tells_positions=True))
    partition: Partition = field(init=False)
    open: list[Group] = field(default_factory=list)
    told: list[Group] = field(default_factory=list)
    """Since the owner's birth: what is older it does not know the bounds of."""
    all_told: list[list[int]] = field(default_factory=list)
    """The trade ids of every episode, in the order in which they are over."""
    heard: set[int] = field(default_factory=set)
    window: list[bytes] = field(default_factory=list)
    """What was told and is not committed."""
    _last: dict[str, tuple[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.partition = self._new_partition()

    @property
    def now(self) -> Now:
        """Local time."""
        return Now(self.now_s, START_MS + int(self.now_s * 1000))

    def trade(self, coin: str, side: str, sz: Fraction, px: Fraction, after_ms: int) -> int:
        """The wallet trades; returns the trade id."""
        self.time_ms += after_ms
        last_side, last_ms = self._last.get(coin, (side, 0))
        if side != last_side and last_ms == self.time_ms:
            # To and fro within a millisecond leaves no chain that tells what came first.
            self.time_ms += 1
        self._last[coin] = side, self.time_ms
        start = self.positions.get(coin, Fraction(0))
        tid = 7_000 + (len(self.trades) * 7_919) % 100_003
        one = Execution(
            len(self.trades), self.time_ms, tid, 500 + len(self.trades), side, px, sz, start, Fraction(1, 4),
            Fraction(-3, 8), "Open Long",
        )  # fmt: skip
        self.positions[coin] = one.end
        self.trades[tid] = coin, one
        return tid

    def tell_positions(self) -> None:
        """The venue tells all positions; what happens next happens in a later block."""
        dexes = {name: events_pb2.DexState(dex=name, account_value="9", time_ms=self.time_ms) for name in ("", "xyz")}
        for coin, size in self.positions.items():
            if size and is_perp(coin):
                dexes["xyz" if ":" in coin else ""].positions.add(coin=coin, szi=decimal_text(size))
        perps = events_pb2.AccountSnapshot.Perps(dexes=dexes.values())
        self.partition.snapshot(events_pb2.AccountSnapshot(address=WALLET, perps=perps), self.now.wall_ms)
        self.time_ms += 1

    def tell(self, tid: int) -> None:
        """The `trades` feed shows a trade."""
        self._expect(tid)
        self._hear(self._message(tid, by_rest=False))

    def tell_by_rest(self, tid: int) -> None:
        """REST shows it, with everything."""
        self._expect(tid)
        self._hear(self._message(tid, by_rest=True))

    def lose_sight(self) -> None:
        """The gateway may have missed trades."""
        gap = events_pb2.Gap(address=WALLET, feed=events_pb2.FEED_TRADES, from_ms=self.time_ms, reason="reconnect")
        self.partition.gap(gap, self.now)

    def see_again(self) -> None:
        """All is forwarded again."""
        row = events_pb2.CaughtUp(
            address=WALLET, feed=events_pb2.FEED_TRADES, from_ms=START_MS, through_ms=self.time_ms
        )
        self.partition.caught_up(row, self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s = min(self.now_s + 0.25, end_s)
            self.partition.tick(self.now)
            self._pass_time()

    def commit(self) -> None:
        """Everything that was decided becomes durable."""
        while batch := self.partition.outbox.freeze(self.now_s, force=True):
            self.stored.apply(batch.message)
            self.partition.outbox.done(batch.number, [])
        self.window.clear()

    def restart(self) -> None:
        """A new owner; what was not committed is told again, and what waits begins to wait anew."""
        self.stored.acquire()
        self.partition = self._new_partition()
        restorer = Restorer(self.partition, self.now)
        for item in self.stored.load():
            restorer.take(item)
        restorer.finish()
        self._serve()
        for raw in list(self.window):
            self._take(raw)
        self.told.clear()
        for group in self.open:
            group.first_heard_s = group.last_heard_s = self.now_s

    def _serve(self) -> None:
        """A gateway opens the wallet, and has nothing to read."""
        self.partition.opened(WALLET)
        for feed in FILL_FEEDS:
            self.partition.caught_up(events_pb2.CaughtUp(address=WALLET, feed=feed), self.now)

    def _hear(self, raw: bytes) -> None:
        self.window.append(raw)
        self._take(raw)

    def _take(self, raw: bytes) -> None:
        heard = fill_input(raw)
        self.stored.answer(self.partition, heard, self.now.wall_ms, self.now)
        self.partition.fill(heard, self.now.wall_ms, self.now)

    def _expect(self, tid: int) -> None:
        """Put a trade that is heard of for the first time where it belongs."""
        if tid in self.heard:
            return
        self.heard.add(tid)
        coin, trade = self.trades[tid]
        alike = [group for group in self.open if (group.coin, group.side) == (coin, trade.side)]
        past = [group for group in self.told if (group.coin, group.side) == (coin, trade.side)]
        if any(group.touches(trade, 0) for group in past):
            self.all_told.append([tid])
            return
        found = next((group for group in alike if group.touches(trade, int(QUIET_S * 1000))), None)
        if found is None:
            found = Group(coin, trade.side, first_heard_s=self.now_s)
            self.open.append(found)
        found.trades.append(trade)
        found.last_heard_s = self.now_s

    def _pass_time(self) -> None:
        for group in list(self.open):
            if self.now_s >= group.last_heard_s + QUIET_S or self.now_s >= group.first_heard_s + TIMEOUT_S:
                self.open.remove(group)
                self.told.append(group)
                self.all_told.append([one.tid for one in group.trades])

    def _message(self, tid: int, *, by_rest: bool) -> bytes:
        coin, one = self.trades[tid]
        message = events_pb2.Fill(
            address=WALLET,
            coin=coin,
            px=decimal_text(one.px),
            sz=decimal_text(one.sz),
            side=events_pb2.SIDE_BUY if one.side == "B" else events_pb2.SIDE_SELL,
            time_ms=one.time_ms,
            hash="0x1",
            tid=tid,
            feed=events_pb2.FEED_TRADES,
        )
        if by_rest:
            message.feed, message.replayed = events_pb2.FEED_USER_FILLS, True
            message.start_position, message.oid = decimal_text(one.start), one.oid
            message.fee, message.fee_token, message.dir = decimal_text(one.fee), "USDC", one.dir
            message.closed_pnl = decimal_text(one.closed_pnl)
        return message.SerializeToString()

    def _new_partition(self) -> Partition:
        outbox = Outbox(0, self.stored.epoch)
        partition = Partition(0, outbox, FixedMarkets(), memory=Memory(), dedup_horizon_s=1e9)
        entry = WatchEntry(address=WALLET, watch_from_ms=START_MS, order_timeout_s=TIMEOUT_S)
        partition.watch({WALLET: entry}, self.now)
        return partition


def is_perp(coin: str) -> bool:
    """Whether positions are held, not balances."""
    return not is_spot(coin)
