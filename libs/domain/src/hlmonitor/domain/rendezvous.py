"""Rendezvous hashing: who owns what, agreed without talking."""

from collections.abc import Collection
from hashlib import blake2b


def weight(member: str, key: str) -> bytes:
    """How much a member wants a key: members compare by it, the greatest wins."""
    return blake2b(f"{member}|{key}".encode(), digest_size=8).digest()


def ranking(members: Collection[str], key: str) -> list[str]:
    """The members in the order in which they should own the key.

    When a member comes or goes, the order of the others stays, so that only its own keys move.
    """
    return sorted(members, key=lambda member: (weight(member, key), member), reverse=True)


def owner_of(members: Collection[str], key: str) -> str | None:
    """The member that owns the key, or None when there is no member."""
    return max(members, key=lambda member: (weight(member, key), member), default=None)


def partition_owner(aggregators: Collection[str], partition: int) -> str | None:
    """The aggregator that owns a partition, as gateways and aggregators must both see it."""
    return owner_of(aggregators, f"partition-{partition}")
