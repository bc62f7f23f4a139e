"""The window forgets only what is durable, sends in order, and is bounded."""

from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hlmonitor.domain.addresses import Address
from hlmonitor.gateway.core.window import Window
from hlmonitor.v1.events_pb2 import Event

A, B = Address("0x" + "aa" * 20), Address("0x" + "bb" * 20)


def fill(window: Window, address: Address, partition: int, count: int) -> int:
    return sum(window.append(address, partition, Event()) for _ in range(count))


def test_past_the_bounds_nothing_is_kept_and_it_is_said() -> None:
    window = Window(most=8, most_per_address=5)
    assert fill(window, A, 1, 7) == 5
    assert fill(window, B, 2, 7) == 3
    assert window.statistics().events == 8
    assert window.statistics().refused == 6


def test_what_tells_of_a_loss_is_kept_always() -> None:
    window = Window(most=1, most_per_address=1)
    fill(window, A, 1, 1)
    assert window.append(A, 1, Event(), always=True)


def test_refused_events_take_no_number() -> None:
    window = Window(most=2, most_per_address=2)
    fill(window, A, 1, 5)
    window.take([1], 10)
    window.acknowledge(1, 2)
    fill(window, A, 1, 1)
    assert [event.seq for event in window.take([1], 10)] == [3]


def test_an_acknowledgement_forgets_only_what_was_sent_since_the_rewind() -> None:
    window = Window(most=10, most_per_address=10)
    fill(window, A, 1, 4)
    window.take([1], 10)
    window.rewind(1)
    assert window.acknowledge(1, 4) == 0
    window.take([1], 2)
    assert window.acknowledge(1, 4) == 2
    assert [event.seq for event in window.take([1], 10)] == [3, 4]


def test_a_busy_partition_does_not_starve_the_others() -> None:
    window = Window(most=100, most_per_address=100)
    fill(window, A, 1, 50)
    fill(window, B, 2, 2)
    seen = {event.partition for _ in range(2) for event in window.take([1, 2], 5)}
    assert seen == {1, 2}


class WindowMachine(RuleBasedStateMachine):
    """Against a model that is a list of what was appended and a count of what was acknowledged."""

    PARTITIONS: ClassVar = {1: A, 2: B}

    def __init__(self) -> None:
        super().__init__()
        self.window = Window(most=30, most_per_address=20)
        self.appended = dict.fromkeys(self.PARTITIONS, 0)
        self.acknowledged = dict.fromkeys(self.PARTITIONS, 0)
        self.sent = dict.fromkeys(self.PARTITIONS, 0)

    @rule(partition=st.sampled_from([1, 2]), count=st.integers(1, 8))
    def append(self, partition: int, count: int) -> None:
        self.appended[partition] += fill(self.window, self.PARTITIONS[partition], partition, count)

    @rule(partitions=st.sets(st.sampled_from([1, 2])), limit=st.integers(1, 9))
    def take(self, partitions: set[int], limit: int) -> None:
        for event in self.window.take(partitions, limit):
            assert event.partition in partitions
            assert event.seq == self.sent[event.partition] + 1
            self.sent[event.partition] = event.seq

    @rule(partition=st.sampled_from([1, 2]))
    def rewind(self, partition: int) -> None:
        self.window.rewind(partition)
        self.sent[partition] = self.acknowledged[partition]

    @rule(partition=st.sampled_from([1, 2, 3]), through=st.integers(0, 60))
    def acknowledge(self, partition: int, through: int) -> None:
        count = self.window.acknowledge(partition, through)
        if partition in self.acknowledged:
            new = max(self.acknowledged[partition], min(through, self.sent[partition]))
            assert count == new - self.acknowledged[partition]
            self.acknowledged[partition] = new

    @invariant()
    def holds_exactly_what_is_not_acknowledged(self) -> None:
        held = sum(self.appended[number] - self.acknowledged[number] for number in self.PARTITIONS)
        unsent = sum(self.appended[number] - self.sent[number] for number in self.PARTITIONS)
        assert (self.window.statistics().events, self.window.statistics().unsent) == (held, unsent)
        assert held <= 30


TestWindow = WindowMachine.TestCase
TestWindow.settings = settings(max_examples=60, stateful_step_count=40)
