"""What goes into the next transaction."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_ROWS = 500


@dataclass(frozen=True, slots=True)
class Waiting(Generic[T]):
    """A batch that waits for its transaction; `rows` is its weight."""

    partition: int
    rows: int
    batch: T


@dataclass(slots=True)
class GroupPlanner(Generic[T]):
    """Gathers batches while a transaction is in flight, and says which go together in the next.

    Batches leave in the order of their arrival, except that a partition has at most one in a group: a second one (from
    an owner and its successor) waits for the next.
    """

    most_rows: int = MOST_ROWS
    _waiting: deque[Waiting[T]] = field(default_factory=deque)

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, waiting: Waiting[T]) -> None:
        """A batch has come."""
        self._waiting.append(waiting)

    def discard(self, gone: Waiting[T]) -> None:
        """Nobody waits for its reply any more; nothing happens when it has left already."""
        self._waiting = deque(waiting for waiting in self._waiting if waiting is not gone)

    def take(self) -> list[Waiting[T]]:
        """The batches of the next transaction in the order of their partitions; empty when none waits.

        At most `most_rows` rows, except that one larger batch goes alone: a batch is never divided.
        """
        chosen: dict[int, Waiting[T]] = {}
        left: deque[Waiting[T]] = deque()
        rows = 0
        full = False
        for waiting in self._waiting:
            full = full or bool(chosen and rows + waiting.rows > self.most_rows)
            if full or waiting.partition in chosen:
                left.append(waiting)
                continue
            chosen[waiting.partition] = waiting
            rows += waiting.rows
        self._waiting = left
        return [chosen[partition] for partition in sorted(chosen)]

    def clear(self) -> Iterable[Waiting[T]]:
        """Give up all that waits."""
        given_up, self._waiting = self._waiting, deque()
        return given_up
