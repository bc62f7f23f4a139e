"""A topic: answers to some types of requests, each a function of the request and the exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from hlmonitor.simulator.wire.requests import Info

if TYPE_CHECKING:
    from collections.abc import Callable

    from hlmonitor.simulator.core.exchange import Exchange

R = TypeVar("R", bound=Info)


class Topic:
    """The answers of one module. They read the exchange and never change it; what they return is plain data."""

    def __init__(self) -> None:
        # A function is kept under the very type that it takes, which a dict's type cannot say.
        self.answers: dict[type[Info], Callable[[Any, Exchange], object]] = {}

    def answers_to(self, kind: type[R]) -> Callable[[Callable[[R, Exchange], object]], Callable[[R, Exchange], object]]:
        """Decorate the function that answers requests of a type; null is the answer for what does not exist."""

        def keep(function: Callable[[R, Exchange], object]) -> Callable[[R, Exchange], object]:
            self.answers[kind] = function
            return function

        return keep
