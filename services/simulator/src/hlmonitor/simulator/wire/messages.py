"""Reading client messages of `/ws`, and the venue's error texts (facts 1.2, 1.3, 1.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from .subscriptions import InvalidSubscriptionError, Subscription, UnknownTypeError, normalise

if TYPE_CHECKING:
    from hlmonitor.simulator.core.instruments import Universe

_MOST_ID: Final = 2**64 - 1


class RefusedMessageError(ValueError):
    """A message that is answered on the `error` channel; the text is the venue's.

    `unknown_coin` tells whether it was refused because it asks for a coin that is not listed.
    """

    def __init__(self, text: str, *, unknown_coin: bool = False) -> None:
        super().__init__(text)
        self.unknown_coin = unknown_coin


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


def unparsable(text: str) -> RefusedMessageError:
    """Return the refusal of a message that no request can be made of."""
    return RefusedMessageError(f"Error parsing JSON into valid websocket request: {text}")


def read_message(text: str, universe: Universe) -> Message:
    """Read one client message; raise RefusedMessageError with the venue's text."""
    try:
        message = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise unparsable(text) from error
    match message:
        case {"method": "ping"}:
            return Ping()
        case {"method": "subscribe", "subscription": dict(wanted)}:
            return Subscribe(_subscription(wanted, text, universe))
        case {"method": "unsubscribe", "subscription": dict(wanted)}:
            return Unsubscribe(_subscription(wanted, text, universe))
        case {"method": "post", "id": int(number), "request": {"type": "info", "payload": dict(payload)}} if (
            not isinstance(number, bool) and 0 <= number <= _MOST_ID
        ):
            return Post(number, msgspec.json.encode(payload))
        case _:
            raise unparsable(text)


def _subscription(wanted: dict[str, object], text: str, universe: Universe) -> Subscription:
    try:
        return normalise(wanted, universe)
    except UnknownTypeError as error:
        raise unparsable(text) from error
    except InvalidSubscriptionError as error:
        refused = f"Invalid subscription {compact(wanted)}"
        raise RefusedMessageError(refused, unknown_coin=str(error) == "coin") from error
