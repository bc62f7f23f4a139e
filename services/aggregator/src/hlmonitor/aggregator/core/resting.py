"""Which orders rest: everything of them was sent, no end came, and only SQL holds them until something happens.

An order may rest for months, and a wallet may have a hundred thousand of them. What is kept here has one size, however
many there are: a Bloom filter over the orders' digests. It forgets none; with very many it takes others for resting
ones, which costs a question to SQL each.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hlmonitor.domain.orders import OrderId

FILTER_BYTES = 1 << 16
"""Per partition: with all 64 partitions 4 MiB. One in a million is mistaken at a million resting orders altogether."""
_PROBES = 7
_BITS = FILTER_BYTES * 8


def _empty() -> bytearray:
    return bytearray(FILTER_BYTES)


@dataclass(slots=True)
class Resting:
    """The orders of one partition that may rest in SQL."""

    _filter: bytearray = field(default_factory=_empty)
    _absent: set[OrderId] = field(default_factory=set)
    """SQL was asked for these and they do not rest; each has an event that waits to be taken in."""

    def add(self, order_id: OrderId) -> None:
        """An order has gone to rest."""
        for bit in _bits(order_id):
            self._filter[bit >> 3] |= 1 << (bit & 7)
        self._absent.discard(order_id)

    def must_ask(self, order_id: OrderId) -> bool:
        """Whether SQL has to be asked for an order that is not in memory, before anything of it is taken in."""
        may_rest = all(self._filter[bit >> 3] & (1 << (bit & 7)) for bit in _bits(order_id))
        return may_rest and order_id not in self._absent

    def settle(self, asked: Iterable[OrderId]) -> None:
        """SQL was asked for these: those that rest are in memory again."""
        self._absent.update(asked)

    def taken_in(self, order_id: OrderId) -> None:
        """The event that made us ask is dealt with."""
        self._absent.discard(order_id)


def _bits(order_id: OrderId) -> Iterable[int]:
    # The digest is uniform already: its halves are the two hashes of double hashing.
    first = int.from_bytes(order_id[:8])
    step = int.from_bytes(order_id[8:]) | 1
    return ((first + probe * step) % _BITS for probe in range(_PROBES))
