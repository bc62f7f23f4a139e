"""Where a wallet's signals start, and how old a fill may be that they tell of (DESIGN §6.9)."""

import pytest
from aggregates import START_MS, WHALE, Desk

from hlmonitor.aggregator.core.requests import BackfillRequest
from hlmonitor.aggregator.settings import AggregatorSettings
from hlmonitor.runtime.settings import load_settings
from hlmonitor.v1 import events_pb2

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def gaps_of(desk: Desk) -> list[tuple[str, int, int]]:
    desk.commit()
    return [(gap.state, gap.from_ms, gap.to_ms) for batch in desk.batches for gap in batch.gaps]


def late_desk() -> Desk:
    return Desk(ahead_ms=START_MS + 7 * DAY_MS)


def test_signals_that_are_to_start_earlier_let_the_time_between_be_read_again() -> None:
    desk = Desk(watch_from_ms=START_MS)
    desk.watch(backfill_from_ms=START_MS - HOUR_MS)
    asked = [item for item in desk.partition.take_requests() if isinstance(item, BackfillRequest)]
    assert {(item.feed, item.from_ms) for item in asked} == {
        (events_pb2.FEED_USER_FILLS, START_MS - HOUR_MS),
        (events_pb2.FEED_USER_TWAP_SLICE_FILLS, START_MS - HOUR_MS),
    }
    assert gaps_of(desk) == [("open", START_MS - HOUR_MS, 0)] * 2


def test_signals_that_are_to_start_later_ask_for_nothing() -> None:
    desk = Desk(watch_from_ms=START_MS)
    desk.watch(backfill_from_ms=START_MS + HOUR_MS)
    assert desk.partition.take_requests() == []
    assert gaps_of(desk) == []


def test_a_feed_is_taken_up_where_signals_start() -> None:
    wallet = Desk(watch_from_ms=START_MS, backfill_from_ms=START_MS - HOUR_MS).partition.wallet(WHALE)
    assert wallet.resume_from_ms(events_pb2.FEED_USER_FILLS) == START_MS - HOUR_MS


def test_late_fills_of_one_batch_are_one_stretch() -> None:
    desk = late_desk()
    for tid, after_ms in ((1, 5), (2, 0), (3, 9)):
        desk.fill(tid=tid, oid=tid, time_ms=START_MS + after_ms, replayed=True)
    assert gaps_of(desk) == [("late", START_MS, START_MS + 9)]
    assert desk.signals() == []
    assert sum(len(unit.fills) for batch in desk.batches for unit in batch.units) == 3


def test_a_late_fill_leaves_the_gap_open_that_begins_where_it_happened() -> None:
    desk = late_desk()
    gap = events_pb2.Gap(address=WHALE, feed=events_pb2.FEED_USER_FILLS, from_ms=START_MS, reason="reconnect")
    desk.partition.gap(gap, desk.now)
    desk.fill(replayed=True)
    assert sorted(gaps_of(desk)) == [("late", START_MS - 1, START_MS), ("open", START_MS, 0)]


def test_a_late_fill_that_comes_again_is_recorded_once() -> None:
    desk = late_desk()
    for _ in range(2):
        desk.fill(replayed=True)
        desk.wait(120)
        desk.commit()
    assert [state for state, _, _ in gaps_of(desk)] == ["late"]


@pytest.mark.parametrize("kept", ["signal-retention", "rest-after"])
def test_a_horizon_beyond_what_is_kept_stops_the_start(kept: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load_settings("aggregator", AggregatorSettings, [f"--{kept}", "5d"])
    told = capsys.readouterr().err
    assert "dedup_horizon (--dedup-horizon, HLMON_DEDUP_HORIZON)" in told
    assert f"must be shorter than {kept.replace('-', '_')}, which is 432000 s" in told
