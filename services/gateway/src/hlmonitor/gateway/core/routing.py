"""Which aggregator a partition's events go to now."""

from collections.abc import Collection
from dataclasses import dataclass, field

from hlmonitor.domain.partitions import PARTITIONS
from hlmonitor.domain.rendezvous import partition_owner


@dataclass(slots=True)
class Routes:
    """The owner of every partition by the last membership view, and the partitions that wait for a newer one."""

    pause_s: float
    _owners: dict[int, str] = field(default_factory=dict)
    _held_until: dict[int, float] = field(default_factory=dict)

    def update(self, aggregators: Collection[str]) -> list[int]:
        """Take a new view; returns the partitions that have another owner now. What waited need wait no more."""
        self._held_until.clear()
        new = {number: owner for number in range(PARTITIONS) if (owner := partition_owner(aggregators, number))}
        moved = [number for number in range(PARTITIONS) if new.get(number) != self._owners.get(number)]
        self._owners = new
        return moved

    def refused(self, partition: int, now: float) -> None:
        """The aggregator does not own it: wait for a new view, or a moment."""
        self._held_until[partition] = now + self.pause_s

    def owned(self, aggregator: str) -> list[int]:
        """Every partition that belongs to the aggregator."""
        return [number for number, owner in self._owners.items() if owner == aggregator]

    def ready(self, aggregator: str, now: float) -> list[int]:
        """Those of them that may be sent now."""
        return [number for number in self.owned(aggregator) if self._held_until.get(number, 0.0) <= now]

    def is_owner(self, aggregator: str, partition: int) -> bool:
        """Whether the partition is this aggregator's."""
        return self._owners.get(partition) == aggregator

    @property
    def next_release(self) -> float | None:
        """When the next waiting partition may be sent."""
        return min(self._held_until.values(), default=None)
