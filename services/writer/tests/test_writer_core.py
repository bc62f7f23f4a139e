import json
from decimal import Decimal

import pytest

from hlmonitor.v1.storage_pb2 import SignalRow
from hlmonitor.writer.core.batches import Standing, Verdict, judge
from hlmonitor.writer.core.groups import GroupPlanner, Waiting
from hlmonitor.writer.core.numbers import NumberedSignal, NumberMismatch, next_numbers
from hlmonitor.writer.core.positions import Step, end_of_chain
from hlmonitor.writer.core.voids import void_of


@pytest.mark.parametrize(
    ("epoch", "number", "verdict"),
    [
        (3, 8, Verdict.APPLY),
        (3, 7, Verdict.ALREADY_DONE),
        (3, 1, Verdict.ALREADY_DONE),
        (3, 9, Verdict.OUT_OF_ORDER),
        (2, 8, Verdict.STALE_EPOCH),
        (2, 1, Verdict.STALE_EPOCH),
        (4, 1, Verdict.STALE_EPOCH),
    ],
)
def test_only_the_next_batch_of_the_current_epoch_is_applied(epoch: int, number: int, verdict: Verdict) -> None:
    assert judge(Standing(epoch=3, last_batch=7), epoch, number) is verdict


def planner(*waiting: tuple[int, int], most_rows: int = 10) -> GroupPlanner[str]:
    made: GroupPlanner[str] = GroupPlanner(most_rows)
    for index, (partition, rows) in enumerate(waiting):
        made.add(Waiting(partition, rows, f"batch-{index}"))
    return made


def taken(made: GroupPlanner[str]) -> list[str]:
    return [waiting.batch for waiting in made.take()]


def test_a_group_is_in_the_order_of_its_partitions() -> None:
    assert taken(planner((5, 1), (2, 1), (9, 1))) == ["batch-1", "batch-0", "batch-2"]


def test_a_group_ends_where_the_rows_would_be_too_many_and_nobody_overtakes() -> None:
    made = planner((1, 6), (2, 6), (3, 1))
    assert taken(made) == ["batch-0"]
    assert taken(made) == ["batch-1", "batch-2"]
    assert taken(made) == []


def test_a_batch_larger_than_a_group_goes_alone() -> None:
    made = planner((1, 50), (2, 1))
    assert taken(made) == ["batch-0"]
    assert taken(made) == ["batch-1"]


def test_two_batches_of_a_partition_are_never_in_one_group() -> None:
    made = planner((1, 1), (1, 1), (2, 1))
    assert taken(made) == ["batch-0", "batch-2"]
    assert taken(made) == ["batch-1"]


def test_a_batch_that_nobody_waits_for_is_in_no_group() -> None:
    made = planner()
    first, same = Waiting(1, 1, "batch"), Waiting(1, 1, "batch")
    for waiting in (first, same):
        made.add(waiting)
    made.discard(first)
    assert made.take() == [same]
    made.discard(same)
    assert len(made) == 0


def numbered(wallet: str, *numbers: int) -> list[NumberedSignal]:
    return [NumberedSignal(f"{wallet}-{number}", wallet, number) for number in numbers]


def test_numbers_go_on_from_the_wallets_counter() -> None:
    signals = numbered("a", 4, 5) + numbered("b", 1)
    assert next_numbers(signals, set(), {"a": 4}) == {"a": 6, "b": 2}


def test_a_stored_signal_needs_no_number() -> None:
    assert next_numbers(numbered("a", 3, 4), {"a-3"}, {"a": 4}) == {"a": 5}


@pytest.mark.parametrize("number", [3, 5])
def test_a_hole_or_a_used_number_is_refused(number: int) -> None:
    (signal,) = numbered("a", number)
    assert next_numbers([signal], set(), {"a": 4}) == NumberMismatch(signal, expected=4)


def steps(*pairs: tuple[str, str]) -> list[Step]:
    return [Step(Decimal(start), Decimal(end)) for start, end in pairs]


def test_the_last_position_is_the_end_of_the_chain_and_not_the_greatest_tid() -> None:
    assert end_of_chain(steps(("2", "3"), ("0", "1"), ("1", "2"))) == Decimal(3)


def test_a_chain_that_comes_back_to_its_start_ends_there() -> None:
    assert end_of_chain(steps(("0", "1"), ("1", "0"))) == Decimal(0)


def test_the_void_of_a_number_says_why() -> None:
    void = void_of(SignalRow(signal_id="x", address="0xaa", number=7, decided_at_ms=123), "too long")
    assert (void.signal_id, void.number) == ("0xaa:7:void", 7)
    assert void.subject == "hl.signals.v1.0xaa.void.void"
    assert json.loads(void.payload) == {
        "id": "0xaa:7:void", "number": 7, "address": "0xaa", "kind": "void", "reason": "too long", "decided_at_ms": 123,
    }  # fmt: skip
