"""Wallet addresses."""

import re
from typing import NewType

Address = NewType("Address", str)
"""A wallet: `0x` and 40 lower-case hex digits."""

_ADDRESS = re.compile(r"0x[0-9a-f]{40}")


class AddressError(ValueError):
    """The text is not a wallet address."""


def parse_address(text: str) -> Address:
    """Normalise an address to the lower case that the venue echoes.

    Raises:
        AddressError: it is not `0x` and 40 hex digits.
    """
    candidate = text.strip().lower()
    if not _ADDRESS.fullmatch(candidate):
        raise AddressError(f"{text!r} is not an address: expected 0x and 40 hex digits")
    return Address(candidate)
