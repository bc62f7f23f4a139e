"""Subscriptions, how the venue acknowledges them, and what its complaints mean."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

_USER_LIMIT = re.compile(r"Cannot track more than (\d+) total users")
_CONNECTION_LIMITS = ("Cannot subscribe to more than", "Cannot send more than")
_ABOUT_ONE = ("Already subscribed", "Already unsubscribed", "Invalid subscription", "Error parsing JSON")


class Subscription(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that the venue streams. Addresses are lower case, as the venue echoes them."""

    type: str
    user: str | None = None
    coin: str | None = None
    dex: str | None = None

    def frame(self, method: str = "subscribe") -> str:
        """The text that asks for it; the venue takes one subscription per frame."""
        return msgspec.json.encode({"method": method, "subscription": self}).decode()

    def is_acknowledged_by(self, echo: Mapping[str, object]) -> bool:
        """The venue adds defaults and drops what it does not know, so our fields must be a subset of the echo."""
        fields = msgspec.to_builtins(self)
        return all(_same(echo.get(name), value) for name, value in fields.items())


@dataclass(frozen=True, slots=True)
class UserLimitReached:
    """`Cannot track more than N total users.`: names no subscription."""

    users: int


@dataclass(frozen=True, slots=True)
class LimitReached:
    """Another limit of the egress IP: names no subscription."""

    text: str


@dataclass(frozen=True, slots=True)
class AlreadySubscribed:
    """The subscription stands: as good as an acknowledgement."""

    echo: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Rejected:
    """The venue will not serve this subscription; the echo is empty when it could not be read."""

    text: str
    echo: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class OtherComplaint:
    """A text that says nothing about subscriptions, as far as is known."""

    text: str


Complaint = UserLimitReached | LimitReached | AlreadySubscribed | Rejected | OtherComplaint


def parse_complaint(text: str) -> Complaint:
    """What an error frame means (facts 1.3). Unknown texts are kept, not judged."""
    if match := _USER_LIMIT.search(text):
        return UserLimitReached(int(match[1]))
    if text.startswith(_CONNECTION_LIMITS):
        return LimitReached(text)
    if not text.startswith(_ABOUT_ONE):
        return OtherComplaint(text)
    echo = _echo_of(text)
    return AlreadySubscribed(echo) if text.startswith("Already subscribed") else Rejected(text, echo)


def _echo_of(text: str) -> Mapping[str, object]:
    try:
        echo = msgspec.json.decode(text[text.index("{") :], type=dict[str, object])
    except (ValueError, msgspec.DecodeError):
        return {}
    inner = echo.get("subscription")
    return inner if isinstance(inner, dict) else echo


def _same(echoed: object, mine: object) -> bool:
    if isinstance(echoed, str) and isinstance(mine, str):
        return echoed == mine or (mine.startswith("0x") and echoed.lower() == mine.lower())
    return echoed == mine
