"""Lines of a capture file, as docs/captures.md specifies them. A capture is gzip members of whole lines of JSON."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

FORMAT = "hlmon-capture"
VERSION = 1

_encode = msgspec.json.Encoder().encode


class Kind(StrEnum):
    """What a line tells; each is `[kind, microseconds since 1970, connection, payload]`."""

    RUN = "run"
    """A recorder began; the first line of a file, and of every run that goes on with it."""
    OPEN = "open"
    OUT = "out"
    """Text that the recorder sent."""
    IN = "in"
    """Text that the venue sent, to the character."""
    BINARY = "binary"
    """Bytes that the venue sent, in base64."""
    CLOSE = "close"
    INFO = "info"
    """A request to `/info` and its answer."""
    LOST = "lost"
    """So many lines could not be kept since the line before."""
    END = "end"
    """The recorder ended in order; missing after a crash."""


def line(kind: Kind, time_us: int, connection: int = 0, payload: object = None) -> bytes:
    """A line with its end."""
    return _encode((kind, time_us, connection, payload)) + b"\n"


def run_line(time_us: int, ws_url: str, rest_url: str, subscriptions: list[Mapping[str, object]]) -> bytes:
    """The first line of a run."""
    payload = {
        "format": FORMAT,
        "version": VERSION,
        "ws": ws_url,
        "rest": rest_url,
        "subscriptions": subscriptions,
    }
    return line(Kind.RUN, time_us, payload=payload)


def is_first_line(text: bytes) -> bool:
    """Whether a file that begins with this line is a capture that this recorder can go on with."""
    try:
        kind, _, _, payload = msgspec.json.decode(text, type=tuple[str, int, int, dict[str, object]])
    except msgspec.DecodeError:
        return False
    return kind == Kind.RUN and payload.get("format") == FORMAT and payload.get("version") == VERSION
