"""Which wallet's REST request goes next: one that somebody waits for, and of those the hottest wallet's."""

import heapq
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from hlmonitor.domain.addresses import Address

T = TypeVar("T")


class Heat(NamedTuple):
    """How soon a wallet's request goes; the least is the first."""

    routine: bool
    """Nobody waits for it."""
    priority: int
    """The watch list's, negated: higher is served first."""
    idle: bool
    """No order is open."""
    quiet_since_ms: int
    """Venue time of its last fill, negated: who traded last goes first."""
    address: Address


def heat(address: Address, *, routine: bool, priority: int, open_orders: int, last_fill_ms: int) -> Heat:
    """The place of a wallet's request in the queue."""
    return Heat(routine, -priority, open_orders == 0, -last_fill_ms, address)


@dataclass(slots=True)
class Turns(Generic[T]):
    """So many requests at a time. What waits is bounded by the works of the wallets: each waits for one request."""

    at_once: int
    _running: int = 0
    _waiting: list[tuple[Heat, int, T]] = field(default_factory=list)
    _count: int = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, place: Heat, waiter: T) -> bool:
        """Take a turn if one is free, else queue; False then, and `leave` names the waiter when its turn has come."""
        if self._running < self.at_once:
            self._running += 1
            return True
        self._count += 1
        heapq.heappush(self._waiting, (place, self._count, waiter))
        return False

    def leave(self) -> T | None:
        """End a turn; it passes to the waiter that is returned, if there is one."""
        if self._waiting:
            return heapq.heappop(self._waiting)[2]
        self._running -= 1
        return None

    def withdraw(self, waiter: T) -> None:
        """A waiter does not want its turn any more."""
        self._waiting = [entry for entry in self._waiting if entry[2] is not waiter]
        heapq.heapify(self._waiting)
