"""The events that are not yet durable, partition by partition, in order."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from hlmonitor.domain.addresses import Address
from hlmonitor.v1.events_pb2 import Event


@dataclass(frozen=True, slots=True)
class _Kept:
    address: Address
    event: Event


@dataclass(slots=True)
class _Partition:
    next_seq: int = 1
    sent: deque[_Kept] = field(default_factory=deque)
    unsent: deque[_Kept] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class WindowStatistics:
    """How full the window is."""

    events: int
    unsent: int
    addresses: int
    refused: int


class Window:
    """Keeps every event until it is acknowledged, at most so many in all and per address."""

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most, self._most_per_address = most, most_per_address
        self._partitions: dict[int, _Partition] = {}
        self._held: Counter[Address] = Counter()
        self._total = 0
        self._refused = 0
        self._turn = 0

    def has_room(self, address: Address, share: float = 1.0) -> bool:
        """Whether an event of the address fits while at most this share of the limits is used."""
        return self._total < self._most * share and self._held[address] < self._most_per_address * share

    def append(self, address: Address, partition: int, event: Event, *, always: bool = False) -> bool:
        """Number the event and keep it; False, and nothing kept, when there is no room.

        `always` is for the few events that tell of a loss of the others, which must not get lost too, and for the rest
        of a frame that began when there was room.
        """
        if not always and not self.has_room(address):
            self._refused += 1
            return False
        held = self._partitions.setdefault(partition, _Partition())
        event.partition = partition
        event.seq = held.next_seq
        held.next_seq += 1
        held.unsent.append(_Kept(address, event))
        self._held[address] += 1
        self._total += 1
        return True

    def take(self, partitions: Iterable[int], limit: int) -> list[Event]:
        """The next events to send of these partitions, each in order; they wait for their acknowledgement then."""
        waiting = [number for number in sorted(partitions) if number in self._partitions]
        waiting = [number for number in waiting if self._partitions[number].unsent]
        # Each call begins with another partition, so that a busy one cannot starve the rest.
        self._turn += 1
        turn = self._turn % len(waiting) if waiting else 0
        events: list[Event] = []
        for number in waiting[turn:] + waiting[:turn]:
            held = self._partitions[number]
            while held.unsent and len(events) < limit:
                kept = held.unsent.popleft()
                held.sent.append(kept)
                events.append(kept.event)
        return events

    def rewind(self, partition: int) -> None:
        """Send the partition's events again, from the oldest: another owner, or a broken stream."""
        held = self._partitions.get(partition)
        if held is not None:
            held.unsent.extendleft(reversed(held.sent))
            held.sent.clear()

    def acknowledge(self, partition: int, through_seq: int) -> int:
        """Forget what is durable; returns how many events that were.

        Only what was sent can be forgotten: an acknowledgement can be older than a rewind.
        """
        held = self._partitions.get(partition)
        if held is None:
            return 0
        count = 0
        while held.sent and held.sent[0].event.seq <= through_seq:
            kept = held.sent.popleft()
            self._held[kept.address] -= 1
            if not self._held[kept.address]:
                del self._held[kept.address]
            count += 1
        self._total -= count
        return count

    def statistics(self) -> WindowStatistics:
        """How full it is."""
        unsent = sum(len(held.unsent) for held in self._partitions.values())
        return WindowStatistics(self._total, unsent, len(self._held), self._refused)

    def oldest_received_ms(self) -> int | None:
        """When the oldest event arrived that is not acknowledged, by the gateway's wall clock; None without events."""
        firsts = (next(iter(held.sent or held.unsent), None) for held in self._partitions.values())
        return min((kept.event.received_at_ms for kept in firsts if kept), default=None)

    def held_of(self, address: Address) -> int:
        """Un-acknowledged events of an address."""
        return self._held[address]
