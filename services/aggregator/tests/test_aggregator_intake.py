"""The way of a gap into a partition whose wallet two gateways know."""

import pytest
import structlog
from aggregates import START_MS, WHALE, Desk, fill_message

from hlmonitor.aggregator.core.convert import input_of
from hlmonitor.aggregator.core.doubts import FILL_FEEDS
from hlmonitor.aggregator.core.inputs import FillInput
from hlmonitor.aggregator.core.requests import BackfillRequest
from hlmonitor.aggregator.io.intake import Intake
from hlmonitor.aggregator.io.sessions import Session, Sessions
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.runtime.kv import Freshness
from hlmonitor.v1 import events_pb2, storage_pb2

FEED = events_pb2.FEED_USER_FILLS
STRANGER = Address("0x" + "5" * 40)


def opened() -> events_pb2.Event:
    return events_pb2.Event(opened=events_pb2.Opened(address=WHALE))


def gap(to_ms: int | None = None) -> events_pb2.Event:
    told = events_pb2.Gap(address=WHALE, feed=FEED, from_ms=START_MS, to_ms=to_ms, reason="unanswered")
    return events_pb2.Event(gap=told)


def closed() -> events_pb2.Event:
    return events_pb2.Event(closed=events_pb2.Closed(address=WHALE))


def asked(*said: tuple[Session, events_pb2.Event], sessions: Sessions | None = None) -> list[BackfillRequest]:
    """What is asked for because of these events."""
    desk = Desk()
    intake = Intake(0, sessions or Sessions(), structlog.stdlib.get_logger(), lambda: desk.now)
    for session, event in said:
        intake.take(session, event)
    assert intake.flow(desk.partition, desk.now) is None
    return [request for request in desk.partition.take_requests() if isinstance(request, BackfillRequest)]


def test_a_gap_that_a_gateway_tells_when_it_lets_go_is_closed_by_the_one_that_has_the_wallet() -> None:
    old, new = Session(), Session()
    (request,) = asked((old, opened()), (new, opened()), (old, gap()))
    assert (request.feed, request.from_ms) == (FEED, START_MS)


def test_a_gap_of_the_gateway_that_has_the_wallet_is_its_own_to_close() -> None:
    old, new = Session(), Session()
    assert asked((old, opened()), (old, gap()), (old, closed()), (new, opened()), (new, gap())) == []


def test_a_gap_that_nobody_can_close_is_not_asked_for() -> None:
    old, new = Session(), Session()
    assert asked((old, opened()), (new, opened()), (old, gap(START_MS + 1))) == []


def test_a_gap_of_the_newer_of_two_that_have_the_wallet_is_closed_by_the_older() -> None:
    old, new, sessions = Session(), Session(), Sessions()
    (request,) = asked((old, opened()), (new, opened()), (new, gap()), sessions=sessions)
    assert sessions.ask(request)
    assert [len(old.take()), len(new.take())] == [1, 0]


def test_a_gateway_that_let_the_wallet_go_is_not_asked() -> None:
    old, new, sessions = Session(), Session(), Sessions()
    assert asked((old, opened()), (new, opened()), (old, closed()), (new, gap()), sessions=sessions) == []
    assert asked((new, closed()), sessions=sessions) == []
    assert not sessions.ask(BackfillRequest(WHALE, FEED, START_MS, ()))


def test_timers_wait_when_the_last_gateway_lets_the_wallet_go() -> None:
    desk, session, sessions = Desk(), Session(), Sessions()
    intake = Intake(0, sessions, structlog.stdlib.get_logger(), lambda: desk.now)
    intake.take(session, opened())
    intake.take(session, closed())
    intake.flow(desk.partition, desk.now)
    assert desk.partition.wallets[WHALE].paused_until_s(desk.now_s)


def test_when_the_stream_of_the_gateway_that_is_asked_ends_another_that_has_the_wallet_is_asked() -> None:
    old, new, sessions = Session(), Session(), Sessions()
    asked((old, opened()), (new, opened()), sessions=sessions)
    sessions.closed(new)
    assert sessions.ask(BackfillRequest(WHALE, FEED, START_MS, ()))
    assert len(old.take()) == 1


def test_no_more_is_decided_than_one_batch_takes_and_the_rest_waits_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hlmonitor.aggregator.core.batch.MOST_ORDERS", 2)
    desk, session = Desk(), Session()
    intake = Intake(0, Sessions(), structlog.stdlib.get_logger(), lambda: desk.now)
    for oid in range(1, 6):
        fill = fill_message(oid=oid, tid=oid, sz="1", start_position=str(oid - 1))
        intake.take(session, events_pb2.Event(seq=oid, received_at_ms=START_MS, fill=fill.SerializeToString()))
    taken = []
    while len(intake):
        intake.flow(desk.partition, desk.now)
        assert desk.partition.outbox.is_full or not len(intake)
        batch = desk.partition.outbox.freeze(desk.now_s)
        assert batch is not None
        taken.append([fill.tid for unit in batch.message.units for fill in map(_fill, unit.fills)])
        desk.partition.outbox.done(batch.number, [])
        intake.acknowledge(desk.partition)
    assert taken == [[1, 2], [3, 4], [5]]
    assert [reply.ack.through_seq for reply in session.take()] == [5]


def test_what_waits_of_a_stream_is_dropped_when_its_gateway_opens_another_and_sends_it_again() -> None:
    intake = Intake(0, Sessions(), structlog.stdlib.get_logger(), lambda: Desk().now)
    broken, again, other = Session("one"), Session("one"), Session("two")
    for session in (broken, other):
        for seq in range(1, 4):
            intake.take(session, events_pb2.Event(seq=seq, opened=events_pb2.Opened(address=WHALE)))
    intake.superseded_by(again)
    assert len(intake) == 3
    for seq in range(1, 4):
        intake.take(again, events_pb2.Event(seq=seq, opened=events_pb2.Opened(address=WHALE)))
    intake.superseded_by(again)
    assert len(intake) == 6


def test_a_wallet_that_the_list_lacks_is_let_go_only_when_the_list_is_newer_than_what_came_of_it() -> None:
    desk, session, freshness = Desk(), Session(), Freshness(read_s=0)
    intake = Intake(0, Sessions(), structlog.stdlib.get_logger(), lambda: desk.now, freshness)
    fill = fill_message(address=STRANGER, tid=1)
    intake.take(session, events_pb2.Event(seq=1, received_at_ms=START_MS, fill=fill.SerializeToString()))
    came_s = desk.now_s
    for waited_s in (0.0, 600.0):
        desk.now_s = came_s + waited_s
        intake.flow(desk.partition, desk.now)
        assert len(intake) == 1
    assert freshness.wanted_s == came_s
    freshness.read_s = came_s + 601
    intake.flow(desk.partition, desk.now)
    assert len(intake) == 0
    assert desk.partition.take_tally().effects["ignored"] == 1


def test_what_was_let_go_of_a_wallet_is_read_again_when_the_list_says_that_it_was_watched() -> None:
    desk = Desk()
    heard = input_of(events_pb2.Event(fill=fill_message(address=STRANGER, tid=1).SerializeToString()))[1]
    assert isinstance(heard, FillInput)
    desk.partition.fill(heard, START_MS, desk.now)
    entry = WatchEntry(address=STRANGER, watch_from_ms=START_MS - 5)
    desk.partition.watch({entry.address: entry}, desk.now)
    asked = [it for it in desk.partition.take_requests() if isinstance(it, BackfillRequest)]
    assert asked == [BackfillRequest(entry.address, feed, START_MS - 5, ()) for feed in FILL_FEEDS]
    assert desk.partition.wallets[entry.address].gaps.keys() == set(FILL_FEEDS)


def _fill(row: storage_pb2.FillRow) -> events_pb2.Fill:
    return events_pb2.Fill.FromString(row.fill)
