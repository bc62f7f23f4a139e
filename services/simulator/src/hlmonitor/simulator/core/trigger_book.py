"""Trigger orders of one coin, sorted by the price that wakes them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

    from .orders import Order, Trigger


class TriggerBook:
    """Looking for who is due costs the same for one waiting order and for thousands."""

    def __init__(self) -> None:
        self._above: list[tuple[Decimal, int]] = []
        self._below: list[tuple[Decimal, int]] = []
        self._orders: dict[int, Order] = {}

    def __len__(self) -> int:
        """Tell how many wait."""
        return len(self._orders)

    def add(self, order: Order, trigger: Trigger) -> None:
        """Let an order wait."""
        insort(self._half(order, trigger), (trigger.px, order.oid))
        self._orders[order.oid] = order

    def remove(self, order: Order, trigger: Trigger) -> None:
        """Take an order out."""
        half = self._half(order, trigger)
        del half[bisect_left(half, (trigger.px, order.oid))]
        del self._orders[order.oid]

    def due(self, mark: Decimal) -> list[Order]:
        """Return the orders whose price a mark price has reached, oldest first. They stay in."""
        risen = self._above[: bisect_right(self._above, mark, key=_px)]
        fallen = self._below[bisect_left(self._below, mark, key=_px) :]
        return [self._orders[oid] for oid in sorted(oid for _, oid in (*risen, *fallen))]

    def _half(self, order: Order, trigger: Trigger) -> list[tuple[Decimal, int]]:
        return self._above if trigger.is_above(order.side) else self._below


def _px(entry: tuple[Decimal, int]) -> Decimal:
    return entry[0]
