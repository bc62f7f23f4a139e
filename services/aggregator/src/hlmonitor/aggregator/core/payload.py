"""The bytes that consumers read: the v1 JSON and the original's JSON, and the subjects they go to."""

import re
from decimal import Decimal

import msgspec

from hlmonitor.aggregator.core.signals import Signal
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.decimals import canonical

SUBJECT = "hl.signals.v1"
LEGACY_SUBJECT = "hl_address_signal"
"""The original's subject on core NATS."""

UNKNOWN_POSITION_RATE = Decimal(100)
"""What the original sends for an unknown account value."""
UNKNOWN_CLOSE_RATE = Decimal(0)

_UNSAFE = re.compile(r"[\s.*>]")


class _Legacy(msgspec.Struct):
    # Field order is the original's.
    address: str
    asset_type: str
    symbol: str
    coin_type: str
    direction: str
    side: str
    position_rate: Decimal
    close_rate: Decimal
    size: Decimal
    price: Decimal
    timestamp: int


_NUMBERS = msgspec.json.Encoder(decimal_format="number")


def subject_of(signal: Signal) -> str:
    """`hl.signals.v1.<address>.<coin token>.<direction>`; what a subject cannot hold becomes an underscore."""
    return f"{SUBJECT}.{signal.address}.{_UNSAFE.sub('_', signal.coin)}.{signal.direction.value}"


def subjects_of(address: Address) -> str:
    """All subjects of an address' signals."""
    return f"{SUBJECT}.{address}.>"


def v1_json(signal: Signal) -> bytes:
    """The v1 message: decimals are strings in plain notation without trailing zeros."""
    fields = msgspec.structs.asdict(signal)
    return msgspec.json.encode(
        {name: canonical(value) if isinstance(value, Decimal) else value for name, value in fields.items()}
    )


def legacy_json(payload: bytes) -> bytes:
    """The original's message for a v1 message: numbers instead of strings, its values where ours are unknown."""
    value = msgspec.json.decode(payload)
    value["position_rate"] = value["position_rate"] or UNKNOWN_POSITION_RATE
    value["close_rate"] = value["close_rate"] or UNKNOWN_CLOSE_RATE
    return _NUMBERS.encode(msgspec.convert(value, _Legacy, strict=False))
