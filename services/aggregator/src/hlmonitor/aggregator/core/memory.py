"""What is remembered of finished orders, so that repeats and late fills find them.

Memory is bounded (DESIGN G6). Rows that may be old (from a snapshot or REST) and are not in it are asked of SQL before
they are taken for new ones, so what is forgotten costs a question, never a second signal.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from hlmonitor.aggregator.core.orders import LegTotals, OrderState
from hlmonitor.domain.decimals import ZERO
from hlmonitor.domain.fills import FillDigest, Leg
from hlmonitor.domain.orders import OrderId, TerminalStatus

MAX_FILLS = 200_000
"""Fill identities kept per aggregator (DESIGN G6)."""
ORDER_WEIGHT = 4
"""An order that is remembered takes as much memory as this many fill identities."""


@dataclass(slots=True)
class Budget:
    """How many fill identities, or orders by their weight, all partitions of a process may keep together."""

    limit: int = MAX_FILLS
    used: int = 0


@dataclass(slots=True)
class FinishedOrder:
    """What a late fill or a repeated status must know of an order that is finished."""

    filled: Decimal = ZERO
    status: TerminalStatus | None = None
    totals: dict[Leg, LegTotals] = field(default_factory=dict)
    digests: list[FillDigest] = field(default_factory=list)
    last_ms: int = 0
    """Nothing of it is later than this, venue time."""


@dataclass(slots=True)
class Memory:
    """Finished orders and the identities of their fills, in the order in which they finished."""

    budget: Budget = field(default_factory=Budget)
    forgotten_ms: int = -1
    """What is not later than this may have been forgotten, venue time: SQL has to be asked even if it is told live."""
    _fills: dict[FillDigest, OrderId] = field(default_factory=dict)
    _orders: dict[OrderId, FinishedOrder] = field(default_factory=dict)
    _not_stored: set[bytes] = field(default_factory=set)
    """Fills and orders that SQL was asked for and does not have; forgotten when they are taken in."""
    _stored: dict[FillDigest, OrderId] = field(default_factory=dict)
    """Fills that SQL was asked for and has: kept, whatever the limit, until they are taken in."""

    def __len__(self) -> int:
        return len(self._fills)

    def order_of(self, digest: FillDigest) -> OrderId | None:
        """The finished order that a fill belongs to, or None when the fill is not known."""
        return self._fills.get(digest) or self._stored.get(digest)

    def finished(self, order_id: OrderId) -> FinishedOrder | None:
        """What is known of a finished order."""
        return self._orders.get(order_id)

    def remember(self, order: OrderState) -> None:
        """Keep an order that has finished; forget this partition's oldest while there are too many."""
        before = self._forget(order.id)
        # An order that rested has some of its fills in both.
        digests = list(dict.fromkeys((*(before.digests if before else ()), *order.fills)))
        times_ms = [held.fill.time_ms for held in order.fills.values()]
        last_ms = max(before.last_ms if before else 0, order.status.time_ms if order.status else 0, *times_ms, 0)
        self._keep(order.id, FinishedOrder(order.filled, order.status, order.totals, digests, last_ms))

    def remember_stored(self, order_id: OrderId, digest: FillDigest, last_ms: int) -> None:
        """Keep a fill, not later than `last_ms`, of an order that was finished before this owner's time."""
        before = self._forget(order_id) or FinishedOrder()
        before.digests.append(digest)
        before.last_ms = max(before.last_ms, last_ms)
        self._keep(order_id, before)

    def remember_finished(self, order_id: OrderId) -> None:
        """Keep that an order was finished before this owner's time."""
        if order_id not in self._orders:
            self._keep(order_id, FinishedOrder())

    def is_settled(self, identity: bytes) -> bool:
        """Whether it is known that SQL does not have this fill or order either."""
        return identity in self._not_stored

    def settle(self, identities: Iterable[bytes], stored: Mapping[FillDigest, OrderId]) -> None:
        """SQL was asked for these: it has these fills, the rest is new."""
        self._stored.update(stored)
        self._not_stored.update(identities)
        self._not_stored.difference_update(stored)

    def taken_in(self, identity: bytes) -> None:
        """A fill or order that was settled is dealt with now."""
        self._not_stored.discard(identity)
        self._stored.pop(FillDigest(identity), None)

    def close(self) -> None:
        """The partition is let go: its share of the budget is free."""
        self.budget.used -= self._weight
        self._fills.clear()
        self._orders.clear()

    def _keep(self, order_id: OrderId, order: FinishedOrder) -> None:
        before = self._weight
        self._orders[order_id] = order
        self._fills.update(dict.fromkeys(order.digests, order_id))
        self.budget.used += self._weight - before
        while self.budget.used > self.budget.limit and len(self._orders) > 1:
            forgotten = self._forget(next(iter(self._orders)))
            self.forgotten_ms = max(self.forgotten_ms, forgotten.last_ms if forgotten else 0)

    def _forget(self, order_id: OrderId) -> FinishedOrder | None:
        before = self._weight
        order = self._orders.pop(order_id, None)
        for digest in order.digests if order else ():
            self._fills.pop(digest, None)
        self.budget.used -= before - self._weight
        return order

    @property
    def _weight(self) -> int:
        return len(self._fills) + ORDER_WEIGHT * len(self._orders)
