"""Decimal maths: exact, and rounded half-even only where a scale is stated."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlmonitor.domain.decimals import MAX_DIGITS, AmountError, canonical, parse_amount, quotient, rounded

AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**12), max_value=10**12)


@given(AMOUNTS)
def test_an_amount_keeps_its_exact_value(value: Decimal) -> None:
    assert parse_amount(str(value)) == value


@pytest.mark.parametrize(
    "text", ["", "abc", "NaN", "sNaN", "Infinity", "-Infinity", "1,5", "1" * (MAX_DIGITS + 1), "1e-19", "1e99999"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(AmountError):
        parse_amount(text)


@pytest.mark.parametrize(
    ("value", "scale", "expected"),
    [
        (Fraction(1, 2), 0, "0"),
        (Fraction(3, 2), 0, "2"),
        (Fraction(5, 2), 0, "2"),
        (Fraction(-5, 2), 0, "-2"),
        (Fraction(1, 3), 4, "0.3333"),
        (Fraction(2, 3), 4, "0.6667"),
        (Fraction(125, 1000), 2, "0.12"),
        (Fraction(135, 1000), 2, "0.14"),
        (Fraction(10**30 + 1, 3), 12, "333333333333333333333333333333.666666666667"),
    ],
)
def test_halves_are_rounded_to_the_even_neighbour(value: Fraction, scale: int, expected: str) -> None:
    assert rounded(value, scale) == Decimal(expected)


@given(st.fractions(min_value=-(10**12), max_value=10**12), st.integers(0, 18))
def test_rounding_moves_a_value_by_at_most_half_a_unit(value: Fraction, scale: int) -> None:
    assert abs(Fraction(rounded(value, scale)) - value) <= Fraction(1, 2 * 10**scale)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", "0"),
        ("-0.000", "0"),
        ("0E+9", "0"),
        ("1.500", "1.5"),
        ("100", "100"),
        ("1E+3", "1000"),
        ("1E-7", "0.0000001"),
        ("-12.0", "-12"),
    ],
)
def test_a_number_has_one_plain_text(value: str, expected: str) -> None:
    assert canonical(Decimal(value)) == expected


@given(AMOUNTS, st.integers(0, 6))
def test_equal_numbers_have_equal_texts(value: Decimal, zeros: int) -> None:
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    padded = Decimal((sign, (*digits, *[0] * zeros), exponent - zeros))
    assert canonical(padded) == canonical(value)
    assert Decimal(canonical(value)) == value
    assert "E" not in canonical(value)


@given(
    st.decimals(places=9, min_value=-(10**15), max_value=10**15), st.decimals(places=9, min_value=1, max_value=10**12)
)
def test_a_quotient_is_rounded_as_the_exact_fraction_is(numerator: Decimal, denominator: Decimal) -> None:
    for scale in (0, 9, 12, 18):
        exact = Fraction(numerator) / Fraction(denominator)
        assert quotient(numerator, denominator, scale) == rounded(exact, scale)


@given(st.integers(-(10**14), 10**14), st.integers(1, 10**12), st.sampled_from([9, 12]))
def test_a_tie_goes_to_the_even_digit(units: int, denominator: int, scale: int) -> None:
    tie = Fraction(2 * units + 1, 2 * 10**scale)
    top, bottom = Decimal(2 * units + 1) * denominator, Decimal(2 * 10**scale) * denominator
    assert quotient(top, bottom, scale) == rounded(tie, scale)
