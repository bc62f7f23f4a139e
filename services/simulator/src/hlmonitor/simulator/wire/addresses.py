"""Addresses as clients write them: 0x and 40 hex digits, in any case."""

from __future__ import annotations

import re
from typing import Annotated, Final

from msgspec import Meta

# Not `$`, which would also take a line's end after the digits.
_PATTERN: Final = r"^0x[0-9a-fA-F]{40}\Z"
_ADDRESS: Final = re.compile(_PATTERN)

Address = Annotated[str, Meta(pattern=_PATTERN)]


def is_address(text: str) -> bool:
    """Tell whether a text is an address."""
    return _ADDRESS.match(text) is not None
