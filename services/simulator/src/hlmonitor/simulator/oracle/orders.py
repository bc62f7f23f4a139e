"""Rule 1: which fills are one order, what kind it is, and what its number is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from .amounts import canonical
from .parts import exact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hlmonitor.simulator.core.events import Fill

_SYSTEM_DIRS: Final = {
    "Auto-Deleveraging": "adl",
    "Settlement": "settlement",
    "Net Child Vaults": "vault",
    "Spot Dust Conversion": "dust",
    "Split Outcome": "outcome",
    "Merge Outcome": "outcome",
    "Merge Question": "outcome",
    "Negate Outcome": "outcome",
}
_ORDINARY_DIRS: Final = {
    "Open Long",
    "Open Short",
    "Close Long",
    "Close Short",
    "Long > Short",
    "Short > Long",
    "Buy",
    "Sell",
}


@dataclass(frozen=True, slots=True)
class OrderName:
    """What makes fills one order. `number` is the oid that rows and ids show."""

    address: str
    coin: str
    number: int
    kind: str = field(compare=False)
    twap_id: int | None = None


def system_kind(text: str) -> str | None:
    """Return the kind of a system fill by its `dir`, None for an ordinary fill."""
    return "liquidation" if text.startswith("Liquidated") else _SYSTEM_DIRS.get(text)


def name_of(fill: Fill) -> OrderName:
    """Return the order that a fill belongs to."""
    if fill.twap_id is not None:
        number = _hashed(f"twap:{fill.address}:{fill.twap_id}")
        return OrderName(fill.address, fill.coin, number, "twap", fill.twap_id)
    system = "liquidation" if _is_liquidated(fill) else system_kind(fill.dir)
    if system is not None:
        number = _hashed(f"system:{fill.address}:{fill.coin}:{fill.oid}:{fill.time}")
        return OrderName(fill.address, fill.coin, number, system)
    kind = "order" if fill.dir in _ORDINARY_DIRS else "unknown"
    return OrderName(fill.address, fill.coin, fill.oid, kind)


def kind_by_all(name: OrderName, fills: Iterable[Fill]) -> OrderName:
    """Return an order's name when all its fills are known: one unknown `dir` makes its kind unknown."""
    unknown = name.kind == "order" and any(name_of(fill).kind == "unknown" for fill in fills)
    return replace(name, kind="unknown") if unknown else name


def _is_liquidated(fill: Fill) -> bool:
    return fill.liquidation is not None and fill.liquidation.liquidated_user == fill.address


def _hashed(name: str) -> int:
    digest = blake2b(name.encode("ascii"), digest_size=8).digest()
    return -(int.from_bytes(digest, "big") >> 1)


def fill_suffix(fill: Fill) -> str:
    """Return the part of a signal's id that its first fill gives."""
    if fill.tid:
        return f"{fill.time}-{fill.tid}"
    start = canonical(exact(fill.start_position))
    text = f"{fill.address}|{fill.coin}|{fill.time}|{fill.tid}|{fill.side}|{fill.oid}|{start}"
    return f"{fill.time}-{blake2b(text.encode(), digest_size=16).hexdigest()[:16]}"
