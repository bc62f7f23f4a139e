"""Frames to clients. A list-like frame keeps its entries apart, so that faults can split and shuffle them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_encode: Final = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Frame:
    """One message. Encoded once, whoever receives it.

    `entries` is empty for frames that cannot be split; `live` marks increments, in contrast to snapshots,
    states and replies. `channel` is what the frame itself says.
    """

    head: bytes
    entries: tuple[bytes, ...] = ()
    tail: bytes = b""
    live: bool = False
    channel: str = ""
    _data: bytes | None = field(default=None, repr=False)

    @property
    def data(self) -> bytes:
        """The frame's bytes."""
        if self._data is None:
            self._data = self.head + b",".join(self.entries) + self.tail
        return self._data

    def with_entries(self, entries: Sequence[bytes]) -> Frame:
        """Return the same frame around other entries."""
        return Frame(self.head, tuple(entries), self.tail, self.live, self.channel)

    def joined(self, other: Frame) -> Frame | None:
        """Return one frame with the rows of both; None if they are of different feeds or cannot be split."""
        if not (self.entries and other.entries and self.head == other.head and self.tail == other.tail):
            return None
        return self.with_entries(self.entries + other.entries)

    def cut(self, choose: Callable[[int], int]) -> Frame:
        """Return the frame broken off: JSON that does not end, but whole characters."""
        text = self.data.decode()
        return Frame(text[: 1 + choose(len(text) - 1)].encode(), live=self.live, channel=self.channel)

    def edited(self, edit: Callable[[bytes], bytes]) -> Frame:
        """Return the frame with its JSON changed; the same object if the edit leaves it as it is."""
        data = edit(self.data)
        return self if data is self.data else Frame(data, live=self.live, channel=self.channel)


def message(channel: str, data: object) -> Frame:
    """Return an indivisible frame."""
    return Frame(_encode({"channel": channel, "data": data}), channel=channel)


GREETING: Final = Frame(b"Websocket connection established.")
PONG: Final = Frame(b'{"channel":"pong"}', channel="pong")


def user_rows(channel: str, user: str, name: str, rows: Iterable[object], *, is_snapshot: bool = False) -> Frame:
    """Return a frame of rows of one user; `isSnapshot` is absent on all but the first."""
    flag = '"isSnapshot":true,' if is_snapshot else ""
    head = f'{{"channel":"{channel}","data":{{{flag}"user":"{user}","{name}":['
    return Frame(head.encode(), tuple(_encode(row) for row in rows), b"]}}", live=not is_snapshot, channel=channel)


def bare_rows(channel: str, rows: Iterable[object], *, live: bool = True) -> Frame:
    """Return a frame whose data is an array that names nobody."""
    head = f'{{"channel":"{channel}","data":['
    return Frame(head.encode(), tuple(_encode(row) for row in rows), b"]}", live=live, channel=channel)


def event_rows(name: str, rows: Iterable[object]) -> Frame:
    """Return a `userEvents` frame with a list, which is on channel `user` and names nobody."""
    head = f'{{"channel":"user","data":{{"{name}":['
    return Frame(head.encode(), tuple(_encode(row) for row in rows), b"]}}", live=True, channel="user")


def event(name: str, value: object) -> Frame:
    """Return a `userEvents` frame with a single object."""
    return Frame(_encode({"channel": "user", "data": {name: value}}), live=True, channel="user")
