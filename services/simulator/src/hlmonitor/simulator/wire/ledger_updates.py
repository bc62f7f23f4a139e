"""Rows of `userNonFundingLedgerUpdates` (facts 1.8)."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from .rows import amount

if TYPE_CHECKING:
    from hlmonitor.simulator.core.ledger_updates import Delta, LedgerUpdate


def ledger_update_row(update: LedgerUpdate) -> dict[str, object]:
    """Write a movement of money."""
    return {"time": update.time_ms, "hash": update.hash, "delta": delta_row(update.delta)}


def delta_row(delta: Delta) -> dict[str, object]:
    """Write a delta: its type, then its fields under the venue's names."""
    return {"type": delta.type} | {_camel(f.name): _value(getattr(delta, f.name)) for f in fields(delta)}


def _value(value: object) -> object:
    if isinstance(value, Decimal):
        return amount(value)
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    if is_dataclass(value):
        return {_camel(f.name): _value(getattr(value, f.name)) for f in fields(value)}
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
