"""Digests that the writer's contract concatenates."""

from collections.abc import Iterator

from hlmonitor.domain.fills import FillDigest
from hlmonitor.domain.orders import OrderId

_DIGEST_BYTES = 16
_PAIR_BYTES = 2 * _DIGEST_BYTES


def pairs_of(packed: bytes) -> Iterator[tuple[FillDigest, OrderId]]:
    """Digest and order id of each fill (16 + 16 bytes each)."""
    for at in range(0, len(packed), _PAIR_BYTES):
        middle = at + _DIGEST_BYTES
        yield FillDigest(packed[at:middle]), OrderId(packed[middle : at + _PAIR_BYTES])


def order_ids_of(packed: bytes) -> Iterator[OrderId]:
    """Each order's id (16 bytes each)."""
    return (OrderId(packed[at : at + _DIGEST_BYTES]) for at in range(0, len(packed), _DIGEST_BYTES))
