"""A topic: answers to some types of requests, each a function of the request and the exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from hlmonitor.simulator.core.instruments import UnknownCoinError
from hlmonitor.simulator.wire.requests import Info

if TYPE_CHECKING:
    from collections.abc import Callable

    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.instruments import Dex, Instrument

R = TypeVar("R", bound=Info)


class FailedAnswerError(Exception):
    """What was asked about does not exist, and the venue answers that with status 500 and `null`.

    It does so for coins and dexes; where it answers 200 and `null` instead, the answer is None.
    """


class Topic:
    """The answers of one module. They read the exchange and never change it; what they return is plain data."""

    def __init__(self) -> None:
        # A function is kept under the very type that it takes, which a dict's type cannot say.
        self.answers: dict[type[Info], Callable[[Any, Exchange], object]] = {}

    def answers_to(self, kind: type[R]) -> Callable[[Callable[[R, Exchange], object]], Callable[[R, Exchange], object]]:
        """Decorate the function that answers requests of a type. It may raise FailedAnswerError."""

        def keep(function: Callable[[R, Exchange], object]) -> Callable[[R, Exchange], object]:
            self.answers[kind] = function
            return function

        return keep


def dex_named(exchange: Exchange, name: str) -> Dex:
    """Return a perp dex; raise FailedAnswerError (that the venue does so for a dex is an assumption)."""
    dex = exchange.state.universe.dex(name)
    if dex is None:
        raise FailedAnswerError(f"no dex {name!r}")
    return dex


def listed(exchange: Exchange, coin: str) -> Instrument:
    """Return what is listed under a wire name; raise FailedAnswerError."""
    try:
        return exchange.state.universe.get(coin)
    except UnknownCoinError as error:
        raise FailedAnswerError(str(error)) from error
