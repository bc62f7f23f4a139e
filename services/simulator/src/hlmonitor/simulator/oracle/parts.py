"""Rule 2: what one fill does to a position, split exactly at zero."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

    from hlmonitor.simulator.core.events import Fill


def exact(value: Decimal) -> Fraction:
    """Return a decimal as a fraction."""
    return Fraction(value)


@dataclass(frozen=True, slots=True)
class Part:
    """The share of a fill that belongs to one leg."""

    fill: Fill
    leg: str
    side: str
    size: Fraction
    start: Fraction
    end: Fraction
    fee: Fraction
    pnl: Fraction


def is_spot(coin: str) -> bool:
    """Tell whether a coin is held as a balance: a spot pair or an outcome."""
    return coin.startswith(("@", "#")) or "/" in coin


def split(fill: Fill) -> list[Part]:
    """Return a fill's parts, the close part first."""
    start, size = exact(fill.start_position), exact(fill.sz)
    fee, pnl = exact(fill.fee), exact(fill.closed_pnl)
    is_buy = fill.side == "B"
    sign = 1 if is_buy else -1
    end = start + sign * size
    if is_spot(fill.coin):
        return [Part(fill, "open" if is_buy else "close", "LONG", size, start, end, fee, pnl)]
    toward_zero = start < 0 if is_buy else start > 0
    closing = min(abs(start), size) if toward_zero else Fraction(0)
    opening = size - closing
    parts = []
    if closing:
        side = "LONG" if start > 0 else "SHORT"
        middle = start + sign * closing
        parts.append(Part(fill, "close", side, closing, start, middle, fee * closing / size, pnl))
    if opening:
        side = "LONG" if is_buy else "SHORT"
        begin = Fraction(0) if closing else start
        rest = Fraction(0) if closing else pnl
        parts.append(Part(fill, "open", side, opening, begin, end, fee * opening / size, rest))
    return parts
