"""Decimal maths: exact, and rounded half-even only where a scale is stated."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

ZERO = Decimal(0)
PRICE_SCALE = 12
"""Decimals of a published price or fee; the original's column has as many."""
RATE_SCALE = 9
"""Decimals of a published rate."""

# Wide enough that no sum of venue amounts is ever rounded: 38 digits are stored, products have twice as many.
EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)


def rounded(value: Fraction, scale: int) -> Decimal:
    """An exact rational as a decimal with at most `scale` decimals, half-even."""
    # round() of a Fraction to an int is half-even by the language's definition.
    units = round(value * 10**scale)
    return EXACT.scaleb(Decimal(units), -scale)


def canonical(value: Decimal) -> str:
    """The one text of a number: plain notation, no exponent, no trailing zeros, `0` for every zero."""
    if value.is_zero():
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
