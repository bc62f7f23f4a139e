"""Reading a capture file: gzip members of lines `[kind, microseconds, connection, payload]`."""

from __future__ import annotations

import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT: Final = "hlmon-capture"
VERSION: Final = 1
_READ_BYTES: Final = 1 << 18
_GZIP: Final = 31
_HEAD: Final = 48
_LONGEST_HOLE_US: Final = 1_000_000

Fields = dict[str, object]


class CaptureError(ValueError):
    """A file that cannot be replayed; the text says which, where and why."""


class Line(msgspec.Struct, array_like=True, frozen=True):
    """One line; `payload` is a text in most kinds, an object in some."""

    kind: str
    time_us: int
    connection: int
    payload: object


_decode: Final = msgspec.json.Decoder(Line).decode


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a capture, first to last. What a crash left unfinished at its end is left out.

    Raises:
        CaptureError: it is no capture of this version, or it is damaged.
    """
    number = 0
    for text in _texts(path):
        number += 1
        try:
            line = _decode(text)
        except msgspec.DecodeError as error:
            if number == 1:
                raise CaptureError(f"{path} is no capture") from error
            raise CaptureError(f"{path}, line {number}: {error}") from error
        if number == 1:
            _check_first(path, line)
        yield line
    if not number:
        raise CaptureError(f"{path} is empty")


def _check_first(path: Path, line: Line) -> None:
    match line:
        case Line(kind="run", payload={"format": format_, "version": version}) if format_ == FORMAT:
            if version != VERSION:
                raise CaptureError(f"{path} is a capture of version {version}: this simulator reads version {VERSION}")
        case _:
            raise CaptureError(f"{path} is no capture")


def _texts(path: Path) -> Iterator[bytes]:
    rest = b""
    for piece in _pieces(path):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            machine, data = zlib.decompressobj(_GZIP), b""
            while data := data or file.read(_READ_BYTES):
                if machine.eof:
                    machine = zlib.decompressobj(_GZIP)
                try:
                    yield machine.decompress(data)
                except zlib.error as error:
                    raise CaptureError(f"{path} is no gzip file, or damaged: {error}") from error
                data = machine.unused_data
    except OSError as error:
        raise CaptureError(f"{path} cannot be read: {error.strerror}") from error


def timed_lines(path: Path) -> Iterator[tuple[int, Line]]:
    """Yield each line with its microseconds since the first; raise CaptureError.

    They never go back, and between two runs of the recorder there is a second at most.
    """
    now, last_us = 0, 0
    for line in read_lines(path):
        step = max(0, line.time_us - last_us) if last_us else 0
        now += min(step, _LONGEST_HOLE_US) if line.kind == "run" else step
        last_us = max(last_us, line.time_us)
        yield now, line


@dataclass(slots=True)
class Contents:
    """What a capture holds, from one look through all of it."""

    feeds: list[Fields] = field(default_factory=list)
    """Subscriptions as the venue acknowledged them."""
    answers: dict[bytes, Fields] = field(default_factory=dict)
    """The first answer to each request."""
    frames: int = 0
    runs: int = 0
    length_us: int = 0


def look_through(path: Path) -> Contents:
    """Find out what a capture holds; raise CaptureError."""
    contents = Contents()
    known: dict[str, set[bytes]] = defaultdict(set)
    for now, line in timed_lines(path):
        contents.length_us = now
        match line:
            case Line(kind="run"):
                contents.runs += 1
            case Line(kind="in", payload=str(text)):
                contents.frames += 1
                echo = acknowledged(text)
                if echo is not None and (key := canonical(echo)) not in known["feeds"]:
                    known["feeds"].add(key)
                    contents.feeds.append(echo)
            case Line(kind="info", payload={"request": dict(request), "status": int(status), "body": str(body)}):
                contents.answers.setdefault(canonical(request), {"status": status, "body": body})
            case _:
                pass
    return contents


def acknowledged(text: str) -> Fields | None:
    """Return the subscription that a frame acknowledges, if that is what it does."""
    if '"subscriptionResponse"' not in text[:_HEAD]:
        return None
    try:
        data = msgspec.json.decode(text, type=_Response).data
    except msgspec.DecodeError:
        return None
    return data.subscription if data.method == "subscribe" and isinstance(data.subscription.get("type"), str) else None


class _Echo(msgspec.Struct):
    method: str
    subscription: dict[str, object]


class _Response(msgspec.Struct):
    data: _Echo


def canonical(fields: Fields) -> bytes:
    """Write a request or subscription so that equal ones look the same: defaults left out, keys in order."""
    told = {name: _lower(name, value) for name, value in fields.items() if value not in (None, False, "")}
    return msgspec.json.encode(told, order="sorted")


def _lower(name: str, value: object) -> object:
    return value.lower() if name == "user" and isinstance(value, str) else value
