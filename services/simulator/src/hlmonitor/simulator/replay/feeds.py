"""Which feed a captured frame belongs to, and what a client that comes late is sent first."""

from __future__ import annotations

import base64
import zlib
from collections import deque
from itertools import groupby
from typing import TYPE_CHECKING, Final

import msgspec

from .capture import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .capture import Fields

# Facts 1.5: these have no first frame; whatever a client missed is gone.
_NO_FIRST_FRAME: Final = {"orderUpdates", "userEvents", "notification"}
_CHANNEL_OF: Final = {"user": "userEvents", "activeSpotAssetCtx": "activeAssetCtx"}
# What makes another feed of a type even where the venue's acknowledgement did not show it, being the default.
_COUNTS: Final = {"user", "coin", "interval", "dex", "aggregateByTime", "nSigFigs", "mantissa", "fast"}
_BACKFILL: Final = 30
_MOST_ROWS: Final = 10_000
_FIRST_ROWS: Final = 2_000
_RAW_DEFLATE: Final = -15
_NO_FEED: Final = {"subscriptionResponse", "error", "pong", "post"}

Rows = list[msgspec.Raw]


class Feed:
    """One captured subscription: what was said on it so far."""

    def __init__(self, echo: Fields) -> None:
        self.echo = echo
        self.type = str(echo["type"])
        self.rows_name = ""
        self._older: Rows = []
        """Rows of the first captured snapshot, in its order."""
        self._newer: deque[msgspec.Raw] = deque(maxlen=_MOST_ROWS)
        """Rows since then, oldest first."""
        self._known: set[bytes] = set()
        self._head: Fields = {}
        self._latest: str | None = None
        self._merged: dict[str, Fields] = {}

    def take(self, text: str, *, is_first: bool) -> str | None:
        """Take note of a frame; return what those who listen are sent. `is_first`: of its captured connection.

        The first frame of a connection that the recorder had to make anew repeats what is known: of that only what is
        new is passed on.
        """
        if self.type in _NO_FIRST_FRAME:
            return text
        if self.type == "trades":
            return self._trades(text, is_first=is_first)
        if self.type == "fastAssetCtxs":
            return self._changes(text, is_first=is_first)
        data = msgspec.json.decode(text, type=_Frame).data
        if self.rows_name or b'"isSnapshot":true' in bytes(data):
            return self._rows(text, msgspec.json.decode(data, type=dict[str, msgspec.Raw]))
        self._latest = text
        return text

    def first(self) -> str | None:
        """Return what a client that subscribes now is sent first, if anything."""
        if self.rows_name:
            rows = [*newest_first(self._newer), *self._older][:_FIRST_ROWS]
            return _frame(self.type, {"isSnapshot": True} | self._head | {self.rows_name: rows})
        if self.type == "trades":
            return _frame("trades", list(self._newer)[-_BACKFILL:]) if self._newer else None
        if self.type == "fastAssetCtxs" and self._merged:
            return _frame("fastAssetCtxs", _deflated(self._merged))
        return self._latest

    def rows(self) -> Rows:
        """Return all that is known, oldest first."""
        return [*newest_first(self._older), *self._newer]

    @property
    def latest(self) -> str | None:
        """The last frame of a feed whose every frame is the whole state."""
        return self._latest

    def _rows(self, text: str, data: dict[str, msgspec.Raw]) -> str | None:
        is_snapshot = bytes(data.pop("isSnapshot", msgspec.Raw(b"false"))) == b"true"
        name = next((name for name, value in data.items() if bytes(value)[:1] == b"["), "")
        rows = msgspec.json.decode(data.pop(name), type=Rows) if name else []
        if not self.rows_name and is_snapshot:
            self.rows_name, self._head, self._older = name, dict(data), rows
            self._known.update(map(bytes, rows))
            return text
        if is_snapshot:
            rows = newest_first([row for row in rows if bytes(row) not in self._known])
            text = _frame(self.type, self._head | {name: rows})
        self._newer.extend(rows)
        self._remember(rows)
        return text if rows else None

    def _trades(self, text: str, *, is_first: bool) -> str | None:
        rows = msgspec.json.decode(msgspec.json.decode(text, type=_Frame).data, type=Rows)
        if is_first and self._known:
            rows = [row for row in rows if bytes(row) not in self._known]
            text = _frame("trades", rows)
        self._newer.extend(rows)
        self._remember(rows)
        return text if rows else None

    def _changes(self, text: str, *, is_first: bool) -> str:
        packed = msgspec.json.decode(msgspec.json.decode(text, type=_Frame).data, type=str)
        change = msgspec.json.decode(
            zlib.decompress(base64.b64decode(packed), _RAW_DEFLATE), type=dict[str, dict[str, object]]
        )
        if is_first:
            self._merged = {}
        for coin, fields in change.items():
            self._merged[coin] = self._merged.get(coin, {}) | fields
        return text

    def _remember(self, rows: Iterable[msgspec.Raw]) -> None:
        self._known.update(map(bytes, rows))
        if len(self._known) > 4 * _MOST_ROWS:
            self._known = {bytes(row) for row in (*self._older, *self._newer)}


class _Frame(msgspec.Struct):
    """A frame whose data is read by those who know it."""

    data: msgspec.Raw
    channel: str = ""


class Feeds:
    """All feeds of a capture, and where the captured connections stand."""

    def __init__(self, echoes: Iterable[Fields]) -> None:
        self._by_type: dict[str, list[Feed]] = {}
        for echo in echoes:
            self._by_type.setdefault(str(echo["type"]), []).append(Feed(echo))
        self._live: dict[int, dict[str, dict[tuple[object, ...], Feed]]] = {}
        """By connection and type."""
        self._begun: set[tuple[int, Feed]] = set()
        self.unattributed = 0
        """Frames that belong to no captured subscription."""

    def __iter__(self) -> Iterator[Feed]:
        """Every feed, in the order in which they were first acknowledged, type by type."""
        return (feed for feeds in self._by_type.values() for feed in feeds)

    def find(self, wanted: Fields) -> Feed | None:
        """Return the feed that a client asks for. Fields left out have their defaults, unknown ones do not count."""
        for feed in self._by_type.get(str(wanted.get("type")), ()):
            asked = {name: wanted[name] for name in feed.echo.keys() | _COUNTS if name in wanted}
            if canonical(asked) == canonical(feed.echo):
                return feed
        return None

    def restart(self) -> None:
        """Forget the captured connections: another run of the recorder begins."""
        self._live.clear()
        self._begun.clear()

    def sent(self, connection: int, text: str) -> None:
        """Take note of what the recorder asked for on a connection."""
        match msgspec.json.decode(text):
            case {"method": "subscribe", "subscription": dict(wanted)}:
                feed = self.find(wanted)
                if feed is not None:
                    self._live.setdefault(connection, {}).setdefault(feed.type, {})[_look(feed.echo)] = feed
            case _:
                pass

    def ended(self, connection: int) -> list[Feed]:
        """Take note that a connection ended; return its feeds."""
        self._begun = {(number, feed) for number, feed in self._begun if number != connection}
        return [feed for feeds in self._live.pop(connection, {}).values() for feed in feeds.values()]

    def received(self, connection: int, text: str) -> tuple[Feed, str] | None:
        """Take note of a frame; return whose it is and what those who listen are sent, if anything."""
        try:
            frame = msgspec.json.decode(text, type=_Frame)
        except msgspec.DecodeError:
            # Not JSON, or no data: pongs, and what old servers said at the start.
            return None
        if frame.channel in _NO_FEED:
            return None
        feed = self._owner(connection, frame)
        if feed is None:
            self.unattributed += 1
            return None
        is_first = (connection, feed) not in self._begun
        self._begun.add((connection, feed))
        try:
            out = feed.take(text, is_first=is_first)
        except (msgspec.DecodeError, ValueError, zlib.error):
            # A shape that this version does not know is for the client to judge.
            out = text
        return None if out is None else (feed, out)

    def _owner(self, connection: int, frame: _Frame) -> Feed | None:
        feeds = self._live.get(connection, {}).get(_CHANNEL_OF.get(frame.channel, frame.channel), {})
        if len(feeds) == 1:
            return next(iter(feeds.values()))
        return feeds.get(_look(_shown(frame.data))) if feeds else None


def _look(fields: Fields) -> tuple[object, ...]:
    """Return what tells subscriptions of one type apart by their frames; the recorder sees to it that it does."""
    return tuple(str(fields.get(name) or "").lower() for name in ("user", "coin", "interval", "dex"))


def _shown(data: msgspec.Raw) -> Fields:
    """Return what a frame shows of its subscription."""
    match msgspec.json.decode(data):
        case [{"coin": coin}, *_]:
            return {"coin": coin}
        case {"s": coin, "i": interval}:
            return {"coin": coin, "interval": interval}
        case {"userState": {"user": user}}:
            return {"user": user}
        case dict(fields):
            return fields
        case _:
            return {}


def newest_first(rows: Sequence[msgspec.Raw] | deque[msgspec.Raw]) -> Rows:
    """Turn rows around by time; rows of one millisecond stay as they are (facts 3.3). Its own inverse."""
    blocks = [list(block) for _, block in groupby(rows, key=row_time)]
    return [row for block in reversed(blocks) for row in block]


class _Timed(msgspec.Struct):
    time: int = 0


class _Row(msgspec.Struct):
    time: int | None = None
    fill: _Timed | None = None


def row_time(row: msgspec.Raw) -> int:
    """Return the venue's time of a row: a TWAP slice has it in its fill."""
    read = msgspec.json.decode(row, type=_Row)
    return read.fill.time if read.fill is not None else read.time or 0


def _frame(channel: str, data: object) -> str:
    return msgspec.json.encode({"channel": channel, "data": data}).decode()


def _deflated(value: object) -> str:
    machine = zlib.compressobj(wbits=_RAW_DEFLATE)
    return base64.b64encode(machine.compress(msgspec.json.encode(value)) + machine.flush()).decode()
