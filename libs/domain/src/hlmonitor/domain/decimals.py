"""Decimal maths: exact, and rounded half-even only where a scale is stated."""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from fractions import Fraction
from functools import reduce

ZERO = Decimal(0)
_ONE = Decimal(1)
PRICE_SCALE = 12
"""Decimals of a published price or fee; the original's column has as many."""
RATE_SCALE = 9
"""Decimals of a published rate."""

MAX_DIGITS = 24
"""Significant digits of an amount that we take; the venue's have at most about 20.

Python's decimals keep 28 digits: sums and products of amounts need `total` and `product` to be exact.
"""

_MAX_DECIMALS = 18
# A plain number of so few characters keeps within both bounds: what the venue sends is checked at once.
_SURELY_SHORT = _MAX_DECIMALS + 2
_WIDE = Context(prec=100, rounding=ROUND_HALF_EVEN)


class AmountError(ValueError):
    """The text is not an amount."""


def parse_amount(text: str) -> Decimal:
    """A price, size, fee or balance as the venue writes it.

    Raises:
        AmountError: it is not a finite decimal number of at most MAX_DIGITS digits and 18 decimals.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise AmountError(f"{text!r} is not a number") from None
    if len(text) <= _SURELY_SHORT and value.is_finite() and "e" not in text and "E" not in text:
        return value
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or len(digits) > MAX_DIGITS or not -_MAX_DECIMALS <= exponent <= MAX_DIGITS:
        raise AmountError(f"{text!r} is not an amount of at most {MAX_DIGITS} digits and {_MAX_DECIMALS} decimals")
    return value


def total(values: Iterable[Decimal]) -> Decimal:
    """The exact sum of amounts, or of products of two."""
    return reduce(_WIDE.add, values, ZERO)


def product(left: Decimal, right: Decimal) -> Decimal:
    """The exact product of two amounts."""
    return _WIDE.multiply(left, right)


def rounded(value: Fraction, scale: int) -> Decimal:
    """An exact rational as a decimal with at most `scale` decimals, half-even."""
    # round() of a Fraction to an int is half-even by the language's definition.
    units = round(value * 10**scale)
    return _WIDE.scaleb(Decimal(units), -scale)


def quotient(numerator: Decimal, denominator: Decimal, scale: int) -> Decimal:
    """The quotient of two amounts, or of sums of products of two, with `scale` decimals, half-even.

    Rounding twice is exact here: a quotient that is no tie differs from every tie by at least
    1 / (2 · denominator · 10^scale), and with the digits that amounts have this shows within the first 100.
    """
    return _WIDE.divide(numerator, denominator).quantize(_WIDE.scaleb(_ONE, -scale), context=_WIDE)


def plus(left: Decimal, right: Decimal) -> Decimal:
    """The exact sum of two amounts, or of products of two."""
    return _WIDE.add(left, right)


def canonical(value: Decimal) -> str:
    """The one text of a number: plain notation, no exponent, no trailing zeros, `0` for every zero."""
    if value.is_zero():
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
