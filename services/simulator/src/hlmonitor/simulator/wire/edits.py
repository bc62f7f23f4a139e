"""Changes to JSON on its way out: keys that are missing, keys and values that nobody has seen before.

An edit returns the very same bytes when there was nothing to change, or when they are no JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Edit = Callable[[bytes], bytes]

_encode: Final = msgspec.json.Encoder().encode


def omit(field: str) -> Edit:
    """Leave a key out, wherever it is."""

    def change(found: dict[str, object]) -> bool:
        there = field in found
        found.pop(field, None)
        return there

    return _editing(change)


def add(field: str, value: object, beside: str) -> Edit:
    """Add a key to each object that has the key `beside`."""

    def change(found: dict[str, object]) -> bool:
        if beside not in found or field in found:
            return False
        found[field] = value
        return True

    return _editing(change)


def replace(field: str, becomes: object, *values: object) -> Edit:
    """Replace the value of a key, wherever it is; with `values` only where it is one of them."""

    def change(found: dict[str, object]) -> bool:
        if field not in found or (values and found[field] not in values):
            return False
        found[field] = becomes
        return True

    return _editing(change)


def _editing(change: Callable[[dict[str, object]], bool]) -> Edit:
    def edit(data: bytes) -> bytes:
        try:
            decoded = msgspec.json.decode(data)
        except msgspec.DecodeError:
            return data
        changed = [change(found) for found in list(_objects(decoded))]
        return _encode(decoded) if any(changed) else data

    return edit


def _objects(value: object) -> Iterator[dict[str, object]]:
    """Yield every object, outer ones first."""
    if isinstance(value, dict):
        yield value
        for inner in list(value.values()):
            yield from _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)
