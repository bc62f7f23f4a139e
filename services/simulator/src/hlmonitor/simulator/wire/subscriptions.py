"""Reading client messages of `/ws`: normalised subscriptions, and the venue's error texts (facts 1.2, 1.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Container

_ADDRESS: Final = re.compile("0x[0-9a-fA-F]{40}")


class RefusedMessageError(ValueError):
    """A message that is answered on the `error` channel; the text is the venue's."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription after normalising: defaults added, unknown fields dropped, address lower-cased."""

    type: str
    user: str | None = None
    coin: str | None = None
    aggregate: bool | None = None

    def echo(self) -> dict[str, object]:
        """Return it as acknowledgements show it."""
        fields = {"user": self.user, "coin": self.coin, "aggregateByTime": self.aggregate}
        return {"type": self.type} | {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True, slots=True)
class _Spec:
    """What a subscription type needs."""

    user: bool = False
    coin: bool = False
    aggregate: bool = False


_SPECS: Final = {
    "userFills": _Spec(user=True, aggregate=True),
    "orderUpdates": _Spec(user=True),
    "userEvents": _Spec(user=True),
    "userTwapSliceFills": _Spec(user=True),
    "userTwapHistory": _Spec(user=True),
    "allDexsClearinghouseState": _Spec(user=True),
    "spotState": _Spec(user=True),
    "trades": _Spec(coin=True),
}


@dataclass(frozen=True, slots=True)
class Ping:
    """The client asks for a pong."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """The client wants a feed."""

    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """The client no longer wants a feed."""

    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Post:
    """An `/info` request over the socket."""

    id: int
    payload: bytes


Message = Ping | Subscribe | Unsubscribe | Post


def compact(value: object) -> str:
    """Write JSON as the venue's texts embed it."""
    return msgspec.json.encode(value).decode()


def already(verb: str, subscription: Subscription) -> str:
    """Return the text for a subscription that is (or is not) there already."""
    return f"Already {verb}: {compact(subscription.echo())}"


def read_message(text: str, coins: Container[str]) -> Message:
    """Read one client message; raise RefusedMessageError with the venue's text."""
    try:
        message = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise _unparsable(text) from error
    match message:
        case {"method": "ping"}:
            return Ping()
        case {"method": "subscribe", "subscription": {"type": str()} as wanted}:
            return Subscribe(_normalise(wanted, text, coins))
        case {"method": "unsubscribe", "subscription": {"type": str()} as wanted}:
            return Unsubscribe(_normalise(wanted, text, coins))
        case {"method": "post", "id": int(number), "request": {"type": "info", "payload": dict(payload)}}:
            return Post(number, msgspec.json.encode(payload))
        case _:
            raise _unparsable(text)


def _unparsable(text: str) -> RefusedMessageError:
    return RefusedMessageError(f"Error parsing JSON into valid websocket request: {text}")


def _normalise(wanted: dict[str, object], text: str, coins: Container[str]) -> Subscription:
    kind = str(wanted["type"])
    spec = _SPECS.get(kind)
    if spec is None:
        raise _unparsable(text)
    user, coin, aggregate = wanted.get("user"), wanted.get("coin"), wanted.get("aggregateByTime")
    good_user = not spec.user or (isinstance(user, str) and _ADDRESS.fullmatch(user))
    good_coin = not spec.coin or (isinstance(coin, str) and coin in coins)
    good_aggregate = not spec.aggregate or aggregate is None or isinstance(aggregate, bool)
    if not (good_user and good_coin and good_aggregate):
        raise RefusedMessageError(f"Invalid subscription {compact(wanted)}")
    return Subscription(
        kind,
        str(user).lower() if spec.user else None,
        str(coin) if spec.coin else None,
        bool(aggregate) if spec.aggregate else None,
    )
