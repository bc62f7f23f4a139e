"""The REST work that waits for one wallet: what somebody waits for in one lane, routine looks in another."""

from collections import deque
from dataclasses import dataclass, field, replace

from hlmonitor.gateway.core.feeds import Catchup

MAX_WAITING = 32
"""Works that wait in a lane; past it the newest is left out, and the aggregator asks again."""


@dataclass(slots=True)
class Lane:
    """Works of one wallet, done one after the other."""

    _works: deque[Catchup] = field(default_factory=deque)

    def __len__(self) -> int:
        return len(self._works)

    def add(self, work: Catchup) -> bool:
        """Queue it, as a part of one that waits already where that is possible; False when there is no room."""
        for at, waiting in enumerate(self._works):
            if (merged := _merged(waiting, work)) is not None:
                self._works[at] = merged
                return True
        if len(self._works) >= MAX_WAITING:
            return False
        self._works.append(work)
        return True

    def take(self) -> Catchup | None:
        """The next one, if there is one."""
        return self._works.popleft() if self._works else None


def _kind(work: Catchup) -> tuple[int, bool, bool, bool]:
    return work.feed, work.reads_rows, work.routine, work.singly


def _merged(waiting: Catchup, work: Catchup) -> Catchup | None:
    """One work for both, if both were asked for and read the same feed to its end (or none at all)."""
    if _kind(waiting) != _kind(work):
        return None
    if not (waiting.generation is work.generation is None) or not (waiting.to_ms is work.to_ms is None):
        return None
    oids = tuple(sorted({*waiting.oids, *work.oids}))
    return replace(waiting, from_ms=min(waiting.from_ms, work.from_ms), oids=oids)
