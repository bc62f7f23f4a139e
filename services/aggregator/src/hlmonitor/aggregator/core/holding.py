"""Which partitions the live aggregators hold, so that one that gives a partition away can finish first.

Nothing is safe by this: only epochs in SQL decide who may commit (DESIGN G4). But a new owner that waits for the old
one's last batch spares both a refusal, and the gateways a repeat.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hlmonitor.domain.partitions import PARTITIONS

HELD_ATTRIBUTE = "held"
PATIENCE_S = 3.0
"""A partition that its holder does not let go within this time is taken."""


def attributes_of(held: Iterable[int]) -> dict[str, str]:
    """What a heartbeat says of the partitions that its aggregator holds."""
    return {HELD_ATTRIBUTE: f"{sum(1 << number for number in held):x}"}


def held_by(attributes: Mapping[str, str]) -> set[int]:
    """The partitions of a heartbeat; none when it says nothing that can be read."""
    try:
        mask = int(attributes.get(HELD_ATTRIBUTE, "0"), 16)
    except ValueError:
        return set()
    return {number for number in range(PARTITIONS) if mask >> number & 1}


@dataclass(slots=True)
class Claims:
    """The partitions that are ours to take, and those that somebody has still. Times are monotonic seconds."""

    wanted: frozenset[int] = frozenset()
    _held: frozenset[int] = frozenset()
    _since: dict[int, float] = field(default_factory=dict)

    def view(self, wanted: Iterable[int], held_by_others: Iterable[int], now: float) -> None:
        """Take a new view of the members."""
        self.wanted, self._held = frozenset(wanted), frozenset(held_by_others)
        self._since = {number: self._since.get(number, now) for number in self.wanted}

    def is_free(self, number: int, now: float) -> bool:
        """Whether to take it now."""
        return number not in self._held or now - self._since.get(number, now) >= PATIENCE_S
