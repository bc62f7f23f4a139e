"""Who acts next: a queue of due times, so that a block costs what happens in it and not who could act."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


class Agenda(Generic[T]):
    """Entries by due time in milliseconds; those due at the same time keep the order of their entry."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, T]] = []
        self._entered = 0

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, due_ms: int, who: T) -> None:
        """Enter somebody."""
        self._entered += 1
        heappush(self._heap, (due_ms, self._entered, who))

    def due(self, now_ms: int) -> Iterator[tuple[int, T]]:
        """Take out who is due by now, with the due time; what is entered meanwhile is taken too."""
        while self._heap and self._heap[0][0] <= now_ms:
            due_ms, _, who = heappop(self._heap)
            yield due_ms, who
