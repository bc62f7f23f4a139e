"""Lets REST requests of all wallets pass a few at a time, and routine ones within a part of the budget."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import inf

from hlmonitor.gateway.core.turns import Heat, Turns
from hlmonitor.venue.core.limits import RateLedger

_POLL_S = 0.25


def _nothing_spent() -> RateLedger:
    return RateLedger(inf)


@dataclass(slots=True)
class Gate:
    """What a request to the venue's REST has to pass."""

    turns: Turns[asyncio.Future[None]]
    rest: RateLedger
    """The weight that this gateway may spend in all."""
    routine_share: float
    """The part of it that routine looks may take."""
    _routine: RateLedger = field(default_factory=_nothing_spent)

    @asynccontextmanager
    async def turn(self, place: Heat) -> AsyncIterator[None]:
        """Wait for a turn, and hold it."""
        if place.routine:
            await self._routine_room()
        waiter = asyncio.get_running_loop().create_future()
        if not self.turns.enter(place, waiter):
            await self._wait(waiter)
        try:
            yield
        finally:
            self._pass_on()

    def spent(self, place: Heat, weight: int) -> None:
        """A request weighed so much."""
        if place.routine:
            self._routine.take(weight, time.monotonic())

    async def _wait(self, waiter: asyncio.Future[None]) -> None:
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                # The turn had come already: it goes to the next.
                self._pass_on()
            else:
                self.turns.withdraw(waiter)
            raise

    def _pass_on(self) -> None:
        following = self.turns.leave()
        if following is not None:
            following.set_result(None)

    async def _routine_room(self) -> None:
        # In slices: the budget changes with the members of the egress group.
        while self._routine.used(time.monotonic()) >= self.rest.limit * self.routine_share:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
