"""A price-time order book: best price first, at one price the oldest order first."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING

from .orders import Order, Side

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal


class _Half:
    """One side. Prices are kept worst to best, so that the best is at the list's cheap end."""

    def __init__(self, side: Side) -> None:
        self._sign = side.sign
        self._keys: list[Decimal] = []
        self._levels: dict[Decimal, dict[int, Order]] = {}

    def add(self, order: Order) -> None:
        key = order.limit_px * self._sign
        level = self._levels.get(key)
        if level is None:
            insort(self._keys, key)
            level = self._levels[key] = {}
        level[order.oid] = order

    def remove(self, order: Order) -> None:
        key = order.limit_px * self._sign
        level = self._levels[key]
        del level[order.oid]
        if not level:
            del self._levels[key]
            self._keys.remove(key)

    def best(self) -> Order | None:
        if not self._keys:
            return None
        return next(iter(self._levels[self._keys[-1]].values()))

    def levels(self) -> Iterator[tuple[Decimal, list[Order]]]:
        for key in reversed(self._keys):
            yield key * self._sign, list(self._levels[key].values())


class Book:
    """Both sides of one coin's book. Holds only open orders with something remaining."""

    def __init__(self) -> None:
        self._halves = {side: _Half(side) for side in Side}

    def add(self, order: Order) -> None:
        """Let an order rest behind all others of its price."""
        self._halves[order.side].add(order)

    def remove(self, order: Order) -> None:
        """Take a resting order out."""
        self._halves[order.side].remove(order)

    def best(self, side: Side) -> Order | None:
        """Return the order that a taker of the other side meets first."""
        return self._halves[side].best()

    def best_px(self, side: Side) -> Decimal | None:
        """Return the best price of a side, None when it is empty."""
        order = self.best(side)
        return None if order is None else order.limit_px

    def levels(self, side: Side) -> Iterator[tuple[Decimal, list[Order]]]:
        """Yield (price, orders oldest first) from the best price on."""
        return self._halves[side].levels()

    def mid(self) -> Decimal | None:
        """Return the middle of the spread, None when a side is empty."""
        bid, ask = self.best_px(Side.BUY), self.best_px(Side.SELL)
        return None if bid is None or ask is None else (bid + ask) / 2
