"""Which subscriptions and requests are wanted, and on which connections they go."""

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from hlmonitor.cli.errors import CliError
from hlmonitor.venue.core.limits import CONNECTIONS, SUBSCRIPTIONS

# Frames of these feeds do not say whose they are (facts 1.8), so that each user needs a connection of its own.
_NAMELESS = {"orderUpdates", "userEvents", "notification"}
# What a frame shows of its subscription; two that differ in nothing of it cannot be told apart on one connection.
_SHOWN = ("user", "coin", "dex", "interval")
_PAIR = re.compile(r"([A-Za-z]+)=(\S+)")

Wanted = Mapping[str, object]


def read_wanted(text: str) -> Wanted:
    """Read `{"type":"trades","coin":"BTC"}`, or the same as `trades coin=BTC`.

    Anything with a type is taken, so that feeds can be captured that this program has never heard of.

    Raises:
        CliError: it is neither.
    """
    text = text.strip()
    fields = _from_json(text) if text.startswith("{") else _from_words(text)
    if fields is None or not isinstance(fields.get("type"), str):
        raise CliError(f'{text!r} is neither {{"type":"trades","coin":"BTC"}} nor trades coin=BTC')
    user = fields.get("user")
    # The venue echoes addresses in lower case, whatever it was asked with.
    return fields | {"user": user.lower()} if isinstance(user, str) else fields


def read_wanted_lines(lines: Iterable[str]) -> list[Wanted]:
    """Read one subscription per line; empty lines and those that begin with # count for nothing."""
    stripped = (line.strip() for line in lines)
    return [read_wanted(line) for line in stripped if line and not line.startswith("#")]


def share_out(subscriptions: Sequence[Wanted]) -> list[list[Wanted]]:
    """The subscriptions of each connection: few connections, and none on which two feeds look the same.

    Raises:
        CliError: the venue does not allow as many to one IP.
    """
    groups: list[dict[tuple[object, ...], Wanted]] = []
    for wanted in subscriptions:
        look = _look(wanted)
        room = next((group for group in groups if look not in group or group[look] == wanted), None)
        if room is None:
            groups.append(room := {})
        room[look] = wanted
    total = sum(map(len, groups))
    if total > SUBSCRIPTIONS:
        raise CliError(f"{total} subscriptions: the venue allows {SUBSCRIPTIONS} to one IP")
    if len(groups) > CONNECTIONS:
        raise CliError(
            f"these subscriptions need {len(groups)} connections, because frames of {', '.join(sorted(_NAMELESS))} "
            f"name no user: the venue allows {CONNECTIONS} to one IP. Ask for fewer users, or record from several IPs"
        )
    return [list(group.values()) for group in groups]


def _look(wanted: Wanted) -> tuple[object, ...]:
    kind = wanted["type"]
    return (kind,) if kind in _NAMELESS else (kind, *(wanted.get(name) for name in _SHOWN))


def _from_json(text: str) -> dict[str, object] | None:
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except msgspec.DecodeError:
        return None


def _from_words(text: str) -> dict[str, object] | None:
    kind, *words = text.split() or [""]
    pairs = [_PAIR.fullmatch(word) for word in words]
    if not kind.isalnum() or not all(pairs):
        return None
    return {"type": kind} | {pair[1]: _value(pair[2]) for pair in pairs if pair}


def _value(text: str) -> object:
    # Numbers and booleans as JSON has them; names of coins and addresses are none of these.
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return value if isinstance(value, bool | int) else text
