"""Margin tables: how much leverage a coin allows, less of it for larger positions.

The tiers of the tables 51 to 56 are the venue's as its `meta` showed them in 2025 from memory, an assumption;
a table under 50 has one tier, whose leverage is the table's number, as on the venue.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Final

from .accounts import ZERO

if TYPE_CHECKING:
    from .instruments import Instrument


@dataclass(frozen=True, slots=True)
class Tier:
    """Positions of at least `lower_bound` notional may have at most this leverage."""

    lower_bound: Decimal
    max_leverage: int


@dataclass(frozen=True, slots=True)
class MarginTable:
    """A table as `meta` lists it, its tiers from the lowest bound on.

    A tier's rate is its maintenance margin per notional: half the initial margin at most leverage. The
    deduction makes the margin continuous where a tier begins.
    """

    id: int
    description: str
    tiers: tuple[Tier, ...]
    rates: tuple[Decimal, ...]
    deductions: tuple[Decimal, ...]

    @classmethod
    def of(cls, number: int, description: str, *tiers: tuple[int, int]) -> MarginTable:
        """Make a table of (lower bound, most leverage) pairs."""
        rows = tuple(Tier(Decimal(bound), most) for bound, most in tiers)
        rates = tuple(1 / Decimal(2 * tier.max_leverage) for tier in rows)
        deductions = [ZERO]
        for place in range(1, len(rows)):
            deductions.append(deductions[-1] + rows[place].lower_bound * (rates[place] - rates[place - 1]))
        return cls(number, description, rows, rates, tuple(deductions))

    def _place(self, ntl: Decimal) -> int:
        place = len(self.tiers) - 1
        while place and ntl < self.tiers[place].lower_bound:
            place -= 1
        return place

    def max_leverage(self, ntl: Decimal) -> int:
        """Return the most leverage that a position of this size may have."""
        return self.tiers[self._place(ntl)].max_leverage

    def rate(self, ntl: Decimal) -> Decimal:
        """Return the maintenance rate of the tier of a position of this size."""
        return self.rates[self._place(ntl)]

    def maintenance(self, ntl: Decimal) -> Decimal:
        """Return the maintenance margin of a position of this size."""
        place = self._place(ntl)
        return ntl * self.rates[place] - self.deductions[place]


_TIERED: Final = (
    MarginTable.of(51, "tiered 10x", (0, 10), (3_000_000, 5)),
    MarginTable.of(52, "tiered 10x (2)", (0, 10), (20_000_000, 5)),
    MarginTable.of(53, "tiered 20x", (0, 20), (40_000_000, 10)),
    MarginTable.of(54, "tiered 20x (2)", (0, 20), (70_000_000, 10)),
    MarginTable.of(55, "tiered 25x", (0, 25), (100_000_000, 15)),
    MarginTable.of(56, "tiered 40x", (0, 40), (150_000_000, 20)),
)
_TABLE_OF_COIN: Final = {"BTC": 56, "ETH": 55, "SOL": 54, "XRP": 53, "HYPE": 52, "DOGE": 51, "AVAX": 51, "kPEPE": 51}
_BY_COIN: Final = {coin: table for coin, number in _TABLE_OF_COIN.items() for table in _TIERED if table.id == number}


@cache
def _single(leverage: int) -> MarginTable:
    return MarginTable.of(leverage, "", (0, leverage))


def table_of(instrument: Instrument) -> MarginTable:
    """Return the margin table of a perp."""
    return _BY_COIN.get(instrument.coin) or _single(instrument.max_leverage)
