"""Positions that the venue tells, held against where the fills led; and what silence is not taken for calm in."""

from collections.abc import Mapping

import pytest
from aggregates import START_MS, WHALE, Desk
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from hlmonitor.aggregator.core.continuity import SETTLE_S
from hlmonitor.aggregator.core.doubts import FILL_FEEDS, MAX_OIDS
from hlmonitor.aggregator.core.requests import BackfillRequest
from hlmonitor.aggregator.core.vigil import GAP_AGAIN_S, MANY_FILLS, OVERLAP_MS, ROUTINE_S
from hlmonitor.v1 import events_pb2

FILLS, SLICES = FILL_FEEDS
BEAT_S = 4.5
MINUTE_MS = 60_000


class Watched(Desk):
    """A wallet whose feeds a gateway has caught up with."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.caught_up()

    def frame(self, time_ms: int, positions: Mapping[str, str], dex: str = "") -> None:
        """The venue tells all positions of a dex, then seconds pass until the next frame."""
        rows = [events_pb2.Position(coin=coin, szi=size) for coin, size in positions.items()]
        state = events_pb2.DexState(dex=dex, account_value="1", time_ms=START_MS + time_ms, positions=rows)
        perps = events_pb2.AccountSnapshot.Perps(dexes=[state])
        self.partition.snapshot(events_pb2.AccountSnapshot(address=WHALE, perps=perps), 0)
        self.wait(BEAT_S)

    def frames(self, positions: Mapping[str, str], *times_ms: int) -> None:
        for time_ms in times_ms:
            self.frame(time_ms, positions)

    def gaps(self) -> dict[int, tuple[int, str]]:
        return {feed: (gap.from_ms, gap.reason) for feed, gap in self.partition.wallets[WHALE].gaps.items()}

    def asked(self) -> list[BackfillRequest]:
        return [request for request in self.partition.take_requests() if isinstance(request, BackfillRequest)]

    def buy(self, start: str, size: str, time_ms: int, tid: int) -> None:
        """A fill, and the time after which nothing before the wallet's first one is waited for."""
        self.fill(start_position=start, sz=size, time_ms=START_MS + time_ms, tid=tid, oid=tid)
        if tid == 1:
            self.wait(SETTLE_S)


@pytest.fixture
def desk() -> Watched:
    return Watched()


def test_position_that_no_fill_explains_is_a_gap_from_the_last_frame_that_agreed(desk: Watched) -> None:
    desk.buy("0", "1", 10, tid=1)
    desk.frames({"BTC": "1"}, 20_000)
    desk.asked()
    desk.frames({"BTC": "3"}, 24_000, 28_000)
    assert desk.gaps() == dict.fromkeys(
        FILL_FEEDS, (START_MS + 15000, "positions_differ: BTC is 3, our fills led to 1")
    )
    assert desk.asked() == [BackfillRequest(WHALE, feed, START_MS + 15_000, ()) for feed in FILL_FEEDS]
    assert desk.partition.take_tally().position_differences == 1


def test_gap_of_differing_positions_is_recorded_and_closed_by_coverage_alone(desk: Watched) -> None:
    desk.buy("0", "1", 10, tid=1)
    desk.frames({"BTC": "3"}, 4_000, 8_000)
    desk.buy("1", "2", 3_000, tid=2)
    desk.frames({"BTC": "3"}, 12_000, 16_000)
    assert desk.gaps()
    desk.cover(0, START_MS + 17_000)
    desk.frames({"BTC": "3"}, 20_000, 24_000)
    assert not desk.gaps()
    desk.commit()
    states = [gap.state for batch in desk.batches for gap in batch.gaps]
    assert states == ["open", "open", "covered", "covered"]


def test_position_that_comes_back_without_a_fill_differed_until_then(desk: Watched) -> None:
    desk.buy("0", "1", 10, tid=1)
    desk.frames({"BTC": "2"}, 4_000)
    desk.frames({}, 8_000)
    assert desk.gaps()[FILLS] == (0, "positions_differ: BTC is 0, our fills led to 1")


def test_frame_says_nothing_while_a_fill_waits_for_the_one_before_it(desk: Watched) -> None:
    desk.fill(start_position="5", tid=1)
    desk.frame(4_000, {"BTC": "9"})
    desk.frames({"BTC": "6"}, 8_000, 12_000)
    assert not desk.gaps()


def test_first_fill_of_a_coin_that_does_not_begin_where_the_venue_told_is_not_the_first(desk: Watched) -> None:
    desk.frames({"ETH": "2"}, 4_000)
    desk.buy("1", "1", 6_000, tid=1)
    desk.wait(SETTLE_S)
    assert desk.gaps()[FILLS] == (START_MS - 1_000, "BTC fills do not chain: expected position 0, found 1")


def test_late_first_fill_that_the_frame_had_already_is_no_break(desk: Watched) -> None:
    desk.frames({"BTC": "1"}, 4_000)
    desk.buy("0", "1", 4_000, tid=1)
    desk.buy("1", "1", 6_000, tid=2)
    desk.frames({"BTC": "2"}, 8_000, 12_000)
    assert not desk.gaps()


def test_one_frame_alone_is_no_difference(desk: Watched) -> None:
    desk.buy("0", "1", 10, tid=1)
    desk.frames({"BTC": "2"}, 4_000)
    desk.frames({"BTC": "1"}, 8_000)
    desk.frames({"BTC": "2"}, 12_000)
    desk.wait(30)
    assert not desk.gaps()


def test_frame_that_is_newer_than_a_late_fill_is_no_difference(desk: Watched) -> None:
    desk.buy("0", "1", 10, tid=1)
    desk.frames({"BTC": "3"}, 4_000)
    desk.buy("1", "2", 3_000, tid=2)
    desk.frames({"BTC": "3"}, 8_000, 12_000)
    assert not desk.gaps()


def test_frame_that_is_older_than_a_fill_is_no_difference(desk: Watched) -> None:
    desk.buy("0", "1", 10_000, tid=1)
    desk.frames({}, 4_000, 8_000)
    assert not desk.gaps()


def test_new_fill_takes_the_place_of_a_doubt(desk: Watched) -> None:
    desk.buy("0", "1", 10, tid=1)
    desk.frames({"BTC": "2"}, 4_000)
    desk.buy("1", "1", 6_000, tid=2)
    desk.frames({"BTC": "2"}, 8_000, 12_000)
    assert not desk.gaps()


def test_position_of_a_coin_without_fills_is_held_against_the_frame_before(desk: Watched) -> None:
    desk.frames({"ETH": "7"}, 4_000, 8_000, 12_000)
    assert not desk.gaps()
    desk.frames({"ETH": "7", "SOL": "1"}, 16_000, 20_000)
    assert desk.gaps()[FILLS] == (START_MS + 7_000, "positions_differ: SOL is 1, our fills led to 0")


def test_coin_that_vanished_without_a_fill_differs(desk: Watched) -> None:
    desk.frames({"ETH": "7"}, 4_000)
    desk.frames({}, 8_000, 12_000)
    assert desk.gaps()[FILLS][1] == "positions_differ: ETH is 0, our fills led to 7"


def test_frame_without_the_main_dex_proves_nothing_of_it(desk: Watched) -> None:
    desk.buy("0", "1", 10, tid=1)
    desk.frame(4_000, {}, dex="xyz")
    desk.frame(8_000, {}, dex="xyz")
    assert not desk.gaps()


def test_settled_coin_is_flat_by_its_settlement_fill(desk: Watched) -> None:
    desk.buy("0", "2", 10, tid=1)
    desk.frames({"BTC": "2"}, 4_000)
    desk.fill(
        start_position="2", sz="2", side=events_pb2.SIDE_SELL, dir="Settlement", time_ms=START_MS + 6_000, tid=2, oid=2
    )
    desk.frames({}, 8_000, 12_000)
    assert not desk.gaps()


def test_difference_that_no_reading_explains_is_told_once(desk: Watched) -> None:
    desk.buy("0", "1", 10, tid=1)
    for times in ((4_000, 8_000), (12_000, 16_000), (20_000, 24_000, 28_000)):
        desk.frames({"BTC": "2"}, *times)
        desk.cover(0, START_MS + times[-1])
    assert desk.partition.take_tally().position_differences == 1
    desk.frames({"BTC": "5"}, 32_000, 36_000)
    assert desk.gaps()[FILLS][1] == "positions_differ: BTC is 5, our fills led to 2"


def test_positions_say_nothing_while_the_gateway_catches_up(desk: Watched) -> None:
    desk.buy("0", "1", 10, tid=1)
    gap = events_pb2.Gap(address=WHALE, feed=FILLS, from_ms=START_MS, reason="closed")
    desk.partition.gap(gap, desk.now)
    desk.frames({"BTC": "9"}, 4_000, 8_000)
    assert desk.gaps() == {FILLS: (START_MS, "closed")}
    desk.buy("1", "8", 3_000, tid=2)
    desk.caught_up(0, START_MS + 9_000)
    desk.frames({"BTC": "9"}, 12_000, 16_000)
    assert not desk.gaps()


def test_gap_that_stays_open_is_asked_for_again(desk: Watched) -> None:
    desk.buy("0", "1", 10, tid=1)
    desk.frames({"BTC": "3"}, 4_000, 8_000)
    assert len(desk.asked()) == 2
    desk.wait(GAP_AGAIN_S - 10)
    assert desk.asked() == []
    desk.wait(12)
    assert [request.feed for request in desk.asked()] == list(FILL_FEEDS)


def routine(desk: Watched, seconds: float) -> list[BackfillRequest]:
    desk.wait(seconds)
    return [request for request in desk.asked() if request.routine]


def test_calm_wallet_is_read_from_before_its_watermark_once_in_a_period(desk: Watched) -> None:
    desk.cover(0, START_MS + MINUTE_MS)
    from_ms = START_MS + MINUTE_MS - OVERLAP_MS
    for period in range(3):
        asked = routine(desk, ROUTINE_S)
        assert asked == [BackfillRequest(WHALE, feed, from_ms, (), routine=True) for feed in FILL_FEEDS], period


def test_orders_that_may_have_ended_unheard_are_asked_for(desk: Watched) -> None:
    desk.wait(ROUTINE_S * 0.6)
    for tid in range(MAX_OIDS + 5):
        desk.buy(str(tid), "1", tid, tid=tid + 1)
    (fills, slices) = routine(desk, ROUTINE_S * 0.5)
    assert fills.oids == tuple(range(6, MAX_OIDS + 6))
    assert slices.oids == ()


def test_busy_wallet_is_read_sooner(desk: Watched) -> None:
    assert routine(desk, ROUTINE_S)
    for tid in range(MANY_FILLS):
        desk.buy(str(tid), "1", tid, tid=tid + 1)
    assert len(routine(desk, 31)) == 2


def test_wallet_that_no_gateway_serves_is_not_asked_for() -> None:
    desk = Watched()
    desk.partition.wallets[WHALE].vigil.lost()
    assert routine(desk, 3 * ROUTINE_S) == []
    desk.partition.opened(WHALE)
    assert routine(desk, 3 * ROUTINE_S) == []
    desk.cover()
    assert len(routine(desk, ROUTINE_S)) == 2


def test_wallet_that_another_gateway_streams_too_stays_looked_after_when_one_loses_it(desk: Watched) -> None:
    gap = events_pb2.Gap(address=WHALE, feed=FILLS, from_ms=START_MS, reason="closed")
    desk.partition.gap(gap, desk.now)
    desk.partition.read_again(gap, desk.now)
    desk.cover()
    assert len(routine(desk, ROUTINE_S)) == 2


def test_repeated_opening_of_one_feed_does_not_make_the_other_unread(desk: Watched) -> None:
    desk.partition.opened(WHALE)
    desk.partition.caught_up(events_pb2.CaughtUp(address=WHALE, feed=SLICES, from_ms=0, through_ms=0), desk.now)
    assert len(routine(desk, ROUTINE_S)) == 2


@st.composite
def trading(draw: st.DrawFn) -> list[tuple[int, int]]:
    """(time, signed size) of fills of one coin, oldest first."""
    sizes = draw(st.lists(st.integers(-3, 3).filter(bool), min_size=1, max_size=8))
    times = draw(st.lists(st.integers(2, 60_000), min_size=len(sizes), max_size=len(sizes), unique=True))
    return list(zip(sorted(times), sizes, strict=True))


@example(fills=[(2_501, 1), (7_001, 1)], late_ms=2_000, missing=None)
@settings(max_examples=100)
@given(fills=trading(), late_ms=st.integers(0, 2_000), missing=st.none() | st.integers(0, 7))
def test_a_missing_fill_is_found_by_positions_or_by_the_chain_and_nothing_else_is(
    fills: list[tuple[int, int]], late_ms: int, missing: int | None
) -> None:
    missing = missing and missing % len(fills)
    if missing == 0 and len(fills) > 1:
        # No chain has begun. When a frame tells the second fill before it comes, both are in where the chain begins:
        # only the next routine look finds the first.
        (second_ms, _), beat_ms = fills[1], int(BEAT_S * 1000)
        assume(second_ms + late_ms <= -(-second_ms // beat_ms) * beat_ms)
    desk = Watched()
    desk.frame(1, {})
    at_ms, position, waiting = int(BEAT_S * 1000), 0, list(enumerate(fills))
    for _ in range(18):
        while waiting and waiting[0][1][0] + late_ms <= at_ms:
            number, (time_ms, size) = waiting.pop(0)
            if number != missing:
                side = events_pb2.SIDE_BUY if size > 0 else events_pb2.SIDE_SELL
                fields = {"start_position": str(position), "sz": str(abs(size)), "side": side, "dir": "Buy"}
                desk.fill(**fields, time_ms=START_MS + time_ms, tid=number + 1, oid=number + 1)
            position += size
        told = sum(size for time_ms, size in fills if time_ms <= at_ms)
        desk.frame(at_ms, {"BTC": str(told)} if told else {})
        at_ms += int(BEAT_S * 1000)
    gaps = desk.gaps()
    if missing is None:
        assert gaps == {}
    else:
        assert {from_ms <= START_MS + fills[missing][0] for from_ms, _ in gaps.values()} == {True}
