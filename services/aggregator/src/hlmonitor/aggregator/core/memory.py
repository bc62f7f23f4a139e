"""What is remembered of finished orders, so that repeats and late fills find them."""

from dataclasses import dataclass, field
from decimal import Decimal

from hlmonitor.aggregator.core.orders import LegTotals, OrderState
from hlmonitor.domain.decimals import ZERO
from hlmonitor.domain.fills import FillDigest, Leg
from hlmonitor.domain.orders import OrderId, TerminalStatus

MAX_FILLS = 200_000
"""Fill identities kept per aggregator (DESIGN G6); the oldest go first."""


@dataclass(slots=True)
class FinishedOrder:
    """What a late fill or a repeated status must know of an order that is finished."""

    filled: Decimal
    status: TerminalStatus | None = None
    totals: dict[Leg, LegTotals] = field(default_factory=dict)
    digests: list[FillDigest] = field(default_factory=list)


@dataclass(slots=True)
class Memory:
    """Finished orders and the identities of their fills, in the order in which they finished."""

    max_fills: int = MAX_FILLS
    _fills: dict[FillDigest, OrderId] = field(default_factory=dict)
    _orders: dict[OrderId, FinishedOrder] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._fills)

    def order_of(self, digest: FillDigest) -> OrderId | None:
        """The finished order that a fill belongs to, or None when the fill is not known."""
        return self._fills.get(digest)

    def finished(self, order_id: OrderId) -> FinishedOrder | None:
        """What is known of a finished order."""
        return self._orders.get(order_id)

    def remember(self, order: OrderState) -> None:
        """Keep an order that has finished; forget the oldest while there are too many."""
        before = self.take_back(order.id)
        digests = [*(before.digests if before else ()), *order.fills]
        self._orders[order.id] = FinishedOrder(order.filled, order.status, order.totals, digests)
        self._index(order.id, digests)

    def remember_stored(self, order_id: OrderId, digest: FillDigest) -> None:
        """Keep a fill of an order that an earlier owner finished."""
        self._orders.setdefault(order_id, FinishedOrder(ZERO)).digests.append(digest)
        self._index(order_id, [digest])

    def _index(self, order_id: OrderId, digests: list[FillDigest]) -> None:
        for digest in digests:
            self._fills[digest] = order_id
        while len(self._fills) > self.max_fills:
            self.take_back(next(iter(self._orders)))

    def take_back(self, order_id: OrderId) -> FinishedOrder | None:
        """Forget an order, because it lives again or has to make room."""
        order = self._orders.pop(order_id, None)
        for digest in order.digests if order else ():
            self._fills.pop(digest, None)
        return order
