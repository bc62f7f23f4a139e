"""Orders: which fills belong together, how the venue says that one ended, and what kind of order it was."""

from decimal import Decimal
from enum import StrEnum
from hashlib import blake2b
from typing import NewType

import msgspec

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.fills import Fill, Leg

OrderId = NewType("OrderId", bytes)
"""Digest of an order, 16 bytes."""
OrderKey = NewType("OrderKey", bytes)
"""Digest of an order's leg, 16 bytes: the key of its row."""


class Kind(StrEnum):
    """What brought an order about."""

    ORDER = "order"
    TWAP = "twap"
    LIQUIDATION = "liquidation"
    ADL = "adl"
    SETTLEMENT = "settlement"
    DUST = "dust"
    VAULT = "vault"
    OUTCOME = "outcome"
    EPISODE = "episode"
    """Fills of a feed that names no orders, put together by their times."""
    UNKNOWN = "unknown"
    VOID = "void"
    """The number of a signal whose data could not be stored: nothing to act on."""

    @property
    def is_system(self) -> bool:
        """The venue made it (liquidation, ADL, settlement, …), so no status will come for it."""
        return self not in _OF_WALLETS


_TRADING_DIRS = {
    "Open Long", "Open Short", "Close Long", "Close Short", "Long > Short", "Short > Long", "Buy", "Sell",
}  # fmt: skip
_SYSTEM_DIRS = {
    "Auto-Deleveraging": Kind.ADL,
    "Settlement": Kind.SETTLEMENT,
    "Net Child Vaults": Kind.VAULT,
    "Spot Dust Conversion": Kind.DUST,
    "Split Outcome": Kind.OUTCOME,
    "Merge Outcome": Kind.OUTCOME,
    "Merge Question": Kind.OUTCOME,
    "Negate Outcome": Kind.OUTCOME,
}
_OF_WALLETS = (Kind.ORDER, Kind.TWAP, Kind.EPISODE, Kind.UNKNOWN)
_LIVE = {"open", "triggered", "activated", "waitingForTrigger"}
_ENDS = {"filled", "rejected", "expired", "finished", "terminated", "stopped", "error"}
_END_SUFFIXES = ("canceled", "cancel", "rejected")


class OrderRef(msgspec.Struct, frozen=True):
    """What identifies an order. Exactly one of the three forms that the venue has."""

    address: Address
    coin: str
    oid: int
    """The venue's order id, or for a TWAP or system order the negative hash that stands for it in rows and ids."""
    kind: Kind
    twap_id: int | None = None

    @property
    def is_system(self) -> bool:
        """Whether the venue made it."""
        return self.kind.is_system


class TerminalStatus(msgspec.Struct, frozen=True):
    """How an order ended. `filled` is original less remaining size."""

    status: str
    time_ms: int
    filled: Decimal
    orig_sz: Decimal

    @property
    def tells_of_fills(self) -> bool:
        """Whether there must have been fills.

        A stop of a whole position shows no size, ever: when one is cancelled, nothing says that it filled.
        """
        return self.status == "filled" or self.filled > 0


def void_id(address: Address, number: int) -> str:
    """The id of what is published under the number of a signal that could not be stored."""
    return f"{address}:{number}:{Kind.VOID.value}"


def is_void_id(signal_id: str) -> bool:
    """Whether a signal's id says that there is nothing to act on."""
    return signal_id.endswith(f":{Kind.VOID.value}")


def kind_of(dir_text: str) -> Kind:
    """What a fill's `dir` says of its order. A zero hash says nothing: a maker hit by a TWAP slice has one too."""
    if dir_text in _TRADING_DIRS:
        return Kind.ORDER
    if dir_text.startswith("Liquidated"):
        return Kind.LIQUIDATION
    return _SYSTEM_DIRS.get(dir_text, Kind.UNKNOWN)


def kind_for(address: Address, dir_text: str, liquidated_user: str | None) -> Kind:
    """What brought about the order of a wallet's fill.

    The counterparty's fill carries the liquidation too; the wallet's own may have an ordinary `dir` (facts 3.2).
    """
    if liquidated_user is not None and liquidated_user.lower() == address:
        return Kind.LIQUIDATION
    return kind_of(dir_text)


def order_of(fill: Fill) -> OrderRef:
    """The order that a fill belongs to: a TWAP by its id, a system fill by order id and time, all else by order id."""
    if fill.twap_id is not None:
        return twap_ref(fill.address, fill.coin, fill.twap_id)
    kind = kind_for(fill.address, fill.dir, fill.liquidated_user)
    ref = OrderRef(fill.address, fill.coin, fill.oid, kind)
    if not ref.is_system:
        return ref
    stand_in = _negative_hash(f"system:{fill.address}:{fill.coin}:{fill.oid}:{fill.time_ms}")
    return OrderRef(fill.address, fill.coin, stand_in, kind)


def twap_ref(address: Address, coin: str, twap_id: int) -> OrderRef:
    """The order that a TWAP is, whatever the ids of its slices."""
    stand_in = _negative_hash(f"twap:{address}:{twap_id}")
    return OrderRef(address, coin, stand_in, Kind.TWAP, twap_id)


def episode_ref(fill: Fill) -> OrderRef:
    """The episode that begins with the receipt of this fill."""
    stand_in = _negative_hash(f"episode:{fill.address}:{fill.coin}:{fill.side.value}:{fill.time_ms}:{fill.tid}")
    return OrderRef(fill.address, fill.coin, stand_in, Kind.EPISODE)


def order_id(ref: OrderRef) -> OrderId:
    """The digest of an order."""
    return OrderId(_digest(f"{ref.address}|{ref.coin}|{ref.oid}"))


def order_key(ref: OrderRef, leg: Leg) -> OrderKey:
    """The digest of a leg of an order."""
    return OrderKey(_digest(f"{ref.address}|{ref.coin}|{ref.oid}|{leg.value}"))


def is_known_end(status: str) -> bool:
    """Whether a status is one that ends an order or a TWAP: new ones are told by their endings (facts 3.1)."""
    return status in _ENDS or status.lower().endswith(_END_SUFFIXES)


def is_terminal(status: str, remaining: Decimal) -> bool:
    """Whether an order with this status and remaining size gets no more fills.

    A text that nobody knows ends an order of which nothing remains. While something does, the order may live on: taken
    for dead, its first part would go out as the whole, and what comes later would have no end.
    """
    return is_known_end(status) or (status not in _LIVE and remaining <= 0)


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()


def _negative_hash(text: str) -> int:
    return -(int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 1)
