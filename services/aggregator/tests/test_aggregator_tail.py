"""The rules by which a lost tail of the stream is noticed and measured, and of queues whose rows are in SQL."""

import pytest
from aggregates import WHALE

from hlmonitor.aggregator.core.publishing import PAGE, PublishQueue, Room
from hlmonitor.aggregator.core.tail import (
    IN_TURN,
    LOOK_S,
    Bounds,
    TailGuard,
    TailSearch,
    TailWatch,
    is_lost,
    must_be_there,
)
from hlmonitor.domain.addresses import Address
from hlmonitor.v1.storage_pb2 import SignalRow


def _row(number: int, *, published_seq: int | None = None, decided_at_ms: int = 0) -> SignalRow:
    return SignalRow(
        signal_id=f"id-{number}",
        address=WHALE,
        number=number,
        published_seq=published_seq,
        decided_at_ms=decided_at_ms,
    )


@pytest.mark.parametrize("published", range(1, 9))
def test_search_finds_the_last_number_that_the_stream_has(published: int) -> None:
    for kept in range(published + 1):
        search, asked = TailSearch(lost=published + 1), 0
        while (number := search.number) is not None:
            asked += 1
            search.told(number, _row(number, published_seq=number * 10), is_lost=number > kept)
        assert (search.kept, search.seq) == (kept, kept * 10)
        assert search.signal_id == (f"id-{kept}" if kept else "")
        assert asked <= published.bit_length()


@pytest.mark.parametrize(
    ("bounds", "found", "lost"),
    [
        (Bounds(1, 60, 0), "id-5", False),
        (Bounds(1, 60, 0), "other", True),
        (Bounds(1, 60, 0), None, True),
        (Bounds(1, 49, 0), None, True),
        (Bounds(0, 0, 0), None, True),
        (Bounds(51, 60, 0), None, False),
        (Bounds(51, 50, 0), None, False),
    ],
)
def test_signal_is_lost_that_is_not_where_it_was_and_has_not_aged_out(
    bounds: Bounds, found: str | None, *, lost: bool
) -> None:
    assert is_lost(bounds, 50, "id-5", found) is lost


def test_signal_that_the_stream_would_not_keep_any_more_need_not_be_there() -> None:
    young, old = _row(1, decided_at_ms=40_001), _row(2, decided_at_ms=39_999)
    assert must_be_there(young, Bounds(0, 0, 60), 100_000)
    assert not must_be_there(old, Bounds(0, 0, 60), 100_000)
    assert must_be_there(old, Bounds(0, 0, 0), 100_000)


def test_watch_looks_at_the_highest_sequence_each_time_and_at_all_wallets_in_turn() -> None:
    queues: dict[Address, PublishQueue] = {}
    for number in range(2 * IN_TURN + 5):
        queue = queues[Address(f"0x{number:040x}")] = PublishQueue()
        queue.goes_on(1, 1000 - number, f"id-{number}")
    queues[WHALE] = PublishQueue()
    watch = TailWatch()
    rounds = [watch.looks(queues, now_s) for now_s in (0.0, 30.0, 60.0)]
    assert all(looks[0].seq == 1000 for looks in rounds)
    assert all(len(looks) <= IN_TURN + 1 for looks in rounds)
    assert {look.address for looks in rounds for look in looks} == queues.keys() - {WHALE}
    assert watch.due_s == 60.0 + LOOK_S


def test_nothing_is_published_before_the_stream_of_this_connection_was_seen_nor_before_sql_knows_what_is_lost() -> None:
    guard = TailGuard()
    assert not guard.may_publish(0)
    guard.looked(0)
    assert guard.may_publish(0)
    assert not guard.may_publish(1)
    guard.doubted()
    assert not guard.may_publish(0)
    found = {WHALE: TailSearch(lost=5, kept=4)}
    guard.rewinds(found, after_batch=7, connection=1)
    assert list(guard.committed(6)) == []
    assert not guard.may_publish(1)
    assert dict(guard.committed(7)) == found
    assert guard.may_publish(1)
    assert list(guard.committed(8)) == []


def test_queue_without_room_keeps_numbers_and_reads_rows_when_it_is_their_turn() -> None:
    room = Room(limit=2)
    queue = PublishQueue(room)
    for number in range(1, 6):
        queue.add(_row(number))
    assert (len(queue), queue.rows_in_sql, room.used) == (5, 3, 2)
    for seq in (10, 20):
        assert queue.must_read is None
        queue.confirmed(seq)
    assert (queue.head(), queue.must_read) == (None, 2)
    assert not queue.read([_row(3), _row(4)])
    for seq in (30, 40):
        queue.confirmed(seq)
    assert (queue.must_read, room.used) == (1, 0)
    queue.read([_row(5)])
    assert queue.confirmed(50).number == 5
    assert (len(queue), queue.must_read) == (0, None)


def test_queue_reads_one_row_even_when_others_have_taken_all_room_and_a_page_at_most() -> None:
    queue = PublishQueue(Room(limit=1, used=1))
    queue.add(_row(1))
    assert queue.must_read == 1
    queue = PublishQueue()
    queue.end = 10 * PAGE
    assert queue.must_read == PAGE


def test_numbers_that_sql_does_not_have_are_named_and_passed_over() -> None:
    queue = PublishQueue()
    queue.end = 6
    assert queue.read([_row(4), _row(5)]) == range(1, 4)
    assert queue.head() == _row(4)
    queue = PublishQueue()
    queue.end = 3
    assert queue.read([]) == range(1, 3)
    assert len(queue) == 0
