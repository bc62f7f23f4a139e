"""Wallet addresses: what is one, and the one form that it has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlmonitor.domain.addresses import AddressError, parse_address

HEX = "0123456789abcdefABCDEF"


@given(st.text(HEX, min_size=40, max_size=40))
def test_any_40_hex_digits_after_0x_are_an_address_in_lower_case(digits: str) -> None:
    assert parse_address(f"0x{digits}") == f"0x{digits.lower()}"


def test_blanks_around_an_address_and_a_capital_prefix_are_forgiven() -> None:
    assert parse_address(f" 0X{'AB' * 20}\n") == "0x" + "ab" * 20


@pytest.mark.parametrize(
    "text",
    ["", "0x", "ab" * 20, "0x" + "ab" * 19, "0x" + "ab" * 21, "0x" + "g" * 40, "0x" + "٣" * 40, f"0x{'ab' * 20} x"],
)
def test_anything_else_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(AddressError, match="expected 0x and 40 hex digits") as refused:
        parse_address(text)
    assert repr(text) in str(refused.value)
