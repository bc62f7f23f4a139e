"""Exact fractions, and how they are rounded and written at the end."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

PRICE_DECIMALS: Final = 12
RATE_DECIMALS: Final = 9


def rounded(value: Fraction, decimals: int) -> Fraction:
    """Round half-even (that is how `round` treats a fraction)."""
    scale = 10**decimals
    return Fraction(round(value * scale), scale)


def canonical(value: Fraction) -> str:
    """Write a decimal fraction in plain notation without trailing zeros.

    Raises:
        ValueError: the value has no finite decimal form.
    """
    decimals, denominator = 0, value.denominator
    scale = 1
    while scale % denominator:
        decimals += 1
        scale *= 10
        if decimals > denominator.bit_length():
            raise ValueError(f"{value} has no finite decimal form: round it first")
    digits = str(abs(value.numerator) * (scale // denominator)).rjust(decimals + 1, "0")
    whole, part = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    text = f"{whole}.{part}" if part else whole
    return f"-{text}" if value < 0 else text
