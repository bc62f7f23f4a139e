"""What is published under the number of a signal that could not be stored.

It is committed in the signal's place, so that an owner that crashes before it publishes leaves no hole in the numbers.
"""

import msgspec

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.orders import Kind, void_id
from hlmonitor.v1.storage_pb2 import SignalRow


def void_of(signal: SignalRow, reason: str) -> SignalRow:
    """The void signal in the place of this one: the same number, nothing to act on."""
    signal_id = void_id(Address(signal.address), signal.number)
    payload = {
        "id": signal_id,
        "number": signal.number,
        "address": signal.address,
        "kind": Kind.VOID.value,
        "reason": reason,
        "decided_at_ms": signal.decided_at_ms,
    }
    return SignalRow(
        signal_id=signal_id,
        address=signal.address,
        number=signal.number,
        subject=f"hl.signals.v1.{signal.address}.void.void",
        payload=msgspec.json.encode(payload),
        decided_at_ms=signal.decided_at_ms,
    )
