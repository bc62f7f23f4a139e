"""What is published under the number of a signal whose data the database refused.

The owner makes the same bytes from the reply to its batch; here they are made within the transaction, so that an owner
that crashes between the two leaves no hole in the numbers.
"""

from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True)
class Void:
    """A void signal: nothing to act on, but its number is used."""

    signal_id: str
    subject: str
    payload: bytes


def void_id(address: str, number: int) -> str:
    """The id of the void signal of a wallet's number."""
    return f"{address}:{number}:void"


def make_void(address: str, number: int, reason: str, decided_at_ms: int) -> Void:
    """The void signal of a wallet's number."""
    signal_id = void_id(address, number)
    payload = {
        "id": signal_id,
        "number": number,
        "address": address,
        "kind": "void",
        "reason": reason,
        "decided_at_ms": decided_at_ms,
    }
    return Void(signal_id, f"hl.signals.v1.{address}.void.void", msgspec.json.encode(payload))
