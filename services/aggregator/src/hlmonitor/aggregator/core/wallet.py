"""One watched wallet: its orders, account, counters and open gaps."""

from dataclasses import dataclass, field, replace

from hlmonitor.aggregator.core.accounts import Account
from hlmonitor.aggregator.core.continuity import Continuity
from hlmonitor.aggregator.core.episodes import Episodes
from hlmonitor.aggregator.core.inputs import StatusInput
from hlmonitor.aggregator.core.orders import OrderState
from hlmonitor.aggregator.core.tracked import Tracked
from hlmonitor.aggregator.core.triggers import Patience
from hlmonitor.aggregator.core.vigil import Vigil
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.fills import Feed, Fill, FillDigest
from hlmonitor.domain.orders import OrderId, OrderRef
from hlmonitor.domain.watch import WatchEntry

GAP_PAUSE_S = 60.0
"""A gap, or the loss of the gateway, holds timers up for at most this long (DESIGN §6.4)."""


@dataclass(slots=True)
class OpenGap:
    """A stretch of a feed that nobody has vouched for yet."""

    from_ms: int
    reason: str
    since_s: float
    """When we learned of it, monotonic."""


@dataclass(slots=True)
class Wallet:
    """The state of a wallet in its partition."""

    address: Address
    account: Account
    entry: WatchEntry | None = None
    """None when only stored state speaks of it: it is not watched now."""
    orders: dict[OrderId, OrderState] = field(default_factory=dict)
    next_number: int = 1
    watermarks: dict[int, int] = field(default_factory=dict)
    """Per feed (the contract's number): backfill starts here, ms."""
    gaps: dict[int, OpenGap] = field(default_factory=dict)
    positions: Continuity = field(default_factory=Continuity)
    """The chains of perp positions."""
    balances: Continuity = field(default_factory=Continuity)
    """The chains of spot balances, by token."""
    was_overheard: bool = False
    """Something of it came while nobody watched it, as far as we knew, and was let go."""
    system_oids: dict[tuple[str, int], None] = field(default_factory=dict)
    """Order ids of the venue's own fills: a status for one says nothing of an order of the wallet."""
    is_by_trades: bool = False
    """Its fills come by the `trades` feed, and by REST what that feed lacks."""
    episodes: Episodes = field(default_factory=Episodes)
    tracked: Tracked = field(default_factory=Tracked)
    vigil: Vigil = field(default_factory=Vigil)
    cached_at_s: float = float("-inf")
    reread_from_ms: int | None = None
    """From where fills are to be read again because a balance does not chain."""
    reread_at_s: float = float("-inf")

    @property
    def knows_episodes(self) -> bool:
        """Whether a fill may have come by the `trades` feed, without its order."""
        return self.is_by_trades or self.episodes.are_known

    def note_feed(self, fill: Fill) -> None:
        """A live fill tells how the wallet is watched; one of REST does not."""
        if fill.feed is Feed.TRADES or not fill.replayed:
            self.is_by_trades = fill.feed is Feed.TRADES

    def holder_of(self, digest: FillDigest) -> OrderId | None:
        """The unfinished order or episode that has a fill."""
        return next((identity for identity, order in self.orders.items() if digest in order.fills), None)

    def order(self, ref: OrderRef, identity: OrderId) -> OrderState:
        """The order's state, made when it is spoken of for the first time."""
        found = self.orders.get(identity)
        if found is None:
            found = self.orders[identity] = OrderState(ref, identity)
        return found

    def says_nothing(self, status: StatusInput) -> bool:
        """Whether a status of an order without known fills proves that there were none, or none to tell of."""
        if status.filled.is_zero() and status.orig_sz > 0:
            return True
        if (status.coin, status.oid) in self.system_oids:
            return True
        return self.entry is None or status.status_time_ms < self.entry.signals_from_ms

    def note_read(self, feed: int, from_ms: int, through_ms: int) -> None:
        """A feed was read, or cannot be: what is not there of orders that ended in between nobody will bring."""
        for order in self.orders.values():
            if order.status and order.is_unseen and order.fill_feed == feed:
                order.was_read |= from_ms <= order.status.time_ms <= through_ms

    def has_begun_before(self, order: OrderState) -> bool:
        """Whether an order is older than the watch: its fills may all lie before it, and are not ours to tell."""
        return self.entry is not None and 0 < order.order_time_ms < self.entry.signals_from_ms

    def record_from_ms(self, feed: int, from_ms: int) -> int:
        """Where a record of lost fills begins: gaps are known by that, and one that is open there must stay."""
        gap = self.gaps.get(feed)
        return from_ms - (gap is not None and gap.from_ms == from_ms)

    def take_number(self) -> int:
        """The next signal's number."""
        number = self.next_number
        self.next_number += 1
        return number

    def paused_until_s(self, now_s: float) -> float | None:
        """Until when its timers stand still at most: it catches up after a gap, or no gateway has caught up with it.

        Monotonic; None when they run.
        """
        since_s = [gap.since_s for gap in self.gaps.values()]
        if self.vigil.unserved_since_s is not None:
            since_s.append(self.vigil.unserved_since_s)
        until_s = max(since_s, default=float("-inf")) + GAP_PAUSE_S
        return until_s if until_s > now_s else None

    def patience(self, default: Patience) -> Patience:
        """The waiting times, with the wallet's own order timeout if it has one."""
        if self.entry is None or self.entry.order_timeout_s is None:
            return default
        return replace(default, order_timeout_s=self.entry.order_timeout_s)

    def resume_from_ms(self, feed: int) -> int:
        """Where a gateway takes this feed up again."""
        signals_from_ms = self.entry.signals_from_ms if self.entry else 0
        return max(self.watermarks.get(feed, 0), signals_from_ms)
