"""The randomness that agents use. `random.Random` satisfies it; the core never makes its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")


class Dice(Protocol):
    """A seeded source of choices."""

    def randrange(self, stop: int, /) -> int:
        """Return an integer from 0 to under `stop`."""
        ...

    def randint(self, a: int, b: int, /) -> int:
        """Return an integer from `a` to `b`, both included."""
        ...

    def getrandbits(self, bits: int, /) -> int:
        """Return that many random bits."""
        ...

    def choice(self, options: Sequence[T], /) -> T:
        """Return one of the options."""
        ...

    def gauss(self, mean: float, deviation: float, /) -> float:
        """Return a normally distributed number."""
        ...

    def expovariate(self, rate: float, /) -> float:
        """Return a time to the next of events that happen at a rate."""
        ...

    def paretovariate(self, alpha: float, /) -> float:
        """Return a heavy-tailed number of at least 1."""
        ...


if TYPE_CHECKING:
    DiceFactory = Callable[[str], Dice]
