"""A price-time order book: best price first, at one price the oldest order first."""

from __future__ import annotations

from bisect import insort
from heapq import merge
from itertools import groupby
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
        self.halves = {side: _Half(side) for side in Side}

    def add(self, order: Order) -> None:
        """Let an order rest behind all others of its price."""
        self.halves[order.side].add(order)

    def remove(self, order: Order) -> None:
        """Take a resting order out."""
        self.halves[order.side].remove(order)

    def best(self, side: Side) -> Order | None:
        """Return the order that a taker of the other side meets first."""
        return self.halves[side].best()

    def best_px(self, side: Side) -> Decimal | None:
        """Return the best price of a side, None when it is empty."""
        order = self.best(side)
        return None if order is None else order.limit_px

    def levels(self, side: Side) -> Iterator[tuple[Decimal, list[Order]]]:
        """Yield (price, orders oldest first) from the best price on."""
        return self.halves[side].levels()

    def mid(self) -> Decimal | None:
        """Return the middle of the spread, None when a side is empty."""
        bid, ask = self.best_px(Side.BUY), self.best_px(Side.SELL)
        return None if bid is None or ask is None else (bid + ask) / 2


class DualBook(Book):
    """The book of one side of an outcome, merged with the other side's: buying one at p is selling the other at 1 - p.

    What is read shows both books in this side's prices; what is added rests in its own. At one price the
    sell orders come before the buy orders that are their equal (the venue's documentation).
    """

    def __init__(self) -> None:
        super().__init__()
        self._dual: DualBook = self

    def join(self, dual: DualBook) -> None:
        """Merge two books; once, when both are new."""
        self._dual, dual._dual = dual, self

    def best(self, side: Side) -> Order | None:
        """Return the order that a taker of the other side meets first; it may be one for the other coin."""
        own, other = self.halves[side].best(), self._dual.halves[side.opposite].best()
        if own is None or other is None:
            return own or other
        better = (own.limit_px - (1 - other.limit_px)) * side.sign
        own_first = better > 0 or (better == 0 and side is Side.SELL)
        return own if own_first else other

    def best_px(self, side: Side) -> Decimal | None:
        """Return the best price of a side in this coin's prices, None when both books have nothing."""
        own, other = self.halves[side].best(), self._dual.halves[side.opposite].best()
        prices = [] if own is None else [own.limit_px]
        if other is not None:
            prices.append(1 - other.limit_px)
        return max(prices, key=lambda px: px * side.sign, default=None)

    def levels(self, side: Side) -> Iterator[tuple[Decimal, list[Order]]]:
        """Yield (price, orders) of both books from the best price on."""
        own = self.halves[side].levels()
        other = ((1 - px, orders) for px, orders in self._dual.halves[side.opposite].levels())
        first, second = (own, other) if side is Side.SELL else (other, own)
        levels = merge(first, second, key=lambda level: -level[0] * side.sign)
        for px, parts in groupby(levels, key=lambda level: level[0]):
            yield px, [order for _, orders in parts for order in orders]
