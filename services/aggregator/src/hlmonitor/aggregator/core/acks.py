"""Which of a gateway's events are durable.

An event may be acknowledged once every batch that was open or in flight at its receipt is committed; that holds for
repeats and for events that store nothing too, because what they repeat may still be uncommitted (DESIGN G1).
"""

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class AckLedger:
    """The events of one gateway incarnation in one partition that wait for commits."""

    _waiting: deque[tuple[int, int]] = field(default_factory=deque)
    """(seq, number of the batch that must be committed first), both rising."""

    def receive(self, seq: int, needs_batch: int) -> None:
        """An event came. A seq that is not above the last one means that the gateway sends its window again."""
        if self._waiting and seq <= self._waiting[-1][0]:
            self._waiting.clear()
        if self._waiting and self._waiting[-1][1] == needs_batch:
            self._waiting.pop()
        self._waiting.append((seq, needs_batch))

    def committed(self, batch: int) -> int | None:
        """Every batch up to this one is durable. Returns the seq to acknowledge, if there is a new one."""
        through = None
        while self._waiting and self._waiting[0][1] <= batch:
            through = self._waiting.popleft()[0]
        return through
