"""Partitions: the slices of the address space that aggregators own."""

from hashlib import blake2b

from hlmonitor.domain.addresses import Address

PARTITIONS = 64
"""How many there are. Stored rows carry their partition, so this number is fixed for the life of a database."""


def partition_of(address: Address) -> int:
    """The partition, 0 to 63, that an address belongs to: the same on every machine and in every version."""
    return blake2b(address.encode(), digest_size=2).digest()[0] % PARTITIONS
