"""From the words of a scenario line to the fields of a command."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, get_args

import msgspec

from hlmonitor.simulator.core.durations import HOUR_MS, MINUTE_MS
from hlmonitor.simulator.wire.addresses import Address, is_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DURATION: Final = re.compile(r"(\d+)(ms|s|m|h)")
_UNITS: Final = {"ms": 1, "s": 1_000, "m": MINUTE_MS, "h": HOUR_MS}


class Unfit(ValueError):  # noqa: N818 it is a value that does not fit, wherever it stands
    """A value that cannot be what its field wants."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(what)
        self.field = field


def spelled_duration(text: str) -> int:
    """Return the milliseconds that `20s`, `100ms`, `5m` or `1h` means."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise Unfit("", f"{text!r} is no time: a number with ms, s, m or h, such as 20s")
    return int(match[1]) * _UNITS[match[2]]


def fill_in(kind: type[msgspec.Struct], given: Mapping[str, str], names: Mapping[str, str]) -> dict[str, object]:
    """Return the fields of a command: names become addresses, times milliseconds, `a.b=1` an object in `a`."""
    filled: dict[str, object] = {}
    for field, text in given.items():
        inner = filled
        *outer, last = field.split(".")
        for step in outer:
            deeper = inner.setdefault(step, {})
            if not isinstance(deeper, dict):
                raise Unfit(field, f"{step} is given as a whole already")
            inner = deeper
        inner[last] = _value(field, _type_of(kind, [*outer, last]), text, names)
    return filled


def _value(field: str, kind: object, text: str, names: Mapping[str, str]) -> object:
    if kind is not None and Address in _options(kind):
        return _address(field, text, names)
    if field.endswith("_ms") and not text.isdigit() and text != "null":
        try:
            return spelled_duration(text)
        except Unfit as error:
            raise Unfit(field, str(error)) from error
    options = _options(kind)
    if int in options and str in options and text.isdigit():
        return int(text)
    if object in options or (text[:1] in {"[", "{"} and str not in options):
        return _json(field, text, must=object not in options)
    return text


def _address(field: str, text: str, names: Mapping[str, str]) -> str:
    if is_address(text):
        return text
    if text not in names:
        raise Unfit(field, f"{text!r} is no address, no `wallet` above, and none of /control/wallets")
    return names[text]


def _json(field: str, text: str, *, must: bool) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        if must:
            raise Unfit(field, f"is no JSON: {error}") from error
        return text


def _options(kind: object) -> tuple[object, ...]:
    """Return the types that a field may have."""
    return (kind,) if kind is object or Address is kind else (kind, *get_args(kind))


def _type_of(kind: type[msgspec.Struct], path: list[str]) -> object:
    """Return the type of a field, None if there is no such one (which is for msgspec to say)."""
    found = next((field.type for field in msgspec.structs.fields(kind) if field.encode_name == path[0]), None)
    if len(path) == 1 or found is None:
        return found
    inner = next(_structs(found), None)
    return None if inner is None else _type_of(inner, path[1:])


def _structs(kind: object) -> Iterator[type[msgspec.Struct]]:
    for option in (kind, *get_args(kind)):
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            yield option
