"""Price and size precision of the venue (facts 4.3)."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .instruments import Instrument

SIGNIFICANT_FIGURES: Final = 5


def is_valid_px(instrument: Instrument, px: Decimal) -> bool:
    """Tell whether a price is positive, an integer or of at most five figures, and not too fine."""
    if px <= 0 or (instrument.is_outcome and px >= 1):
        return False
    _, digits, exponent = px.normalize().as_tuple()
    if not isinstance(exponent, int):
        return False
    return exponent >= 0 or (len(digits) <= SIGNIFICANT_FIGURES and -exponent <= instrument.px_decimals)


def is_valid_sz(instrument: Instrument, sz: Decimal) -> bool:
    """Tell whether a size is positive and a multiple of the smallest lot."""
    exponent = sz.normalize().as_tuple().exponent
    return sz > 0 and isinstance(exponent, int) and -exponent <= instrument.sz_decimals


def round_px(instrument: Instrument, px: Decimal, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    """Return the valid price nearest to `px` in the given rounding direction, never below one tick.

    That of an outcome is never above one less a tick either.
    """
    decimals = min(instrument.px_decimals, SIGNIFICANT_FIGURES - 1 - px.adjusted())
    tick = Decimal(1).scaleb(-max(decimals, 0))
    least = Decimal(1).scaleb(-instrument.px_decimals)
    rounded = max(px.quantize(tick, rounding=rounding), least)
    return min(rounded, 1 - least) if instrument.is_outcome else rounded


def round_sz(instrument: Instrument, sz: Decimal) -> Decimal:
    """Cut a size down to whole lots; may give zero."""
    return sz.quantize(Decimal(1).scaleb(-instrument.sz_decimals), rounding=ROUND_DOWN)
