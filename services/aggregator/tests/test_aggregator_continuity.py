"""Fills that do not chain are a hole: told after two seconds, read again, and no timer ends meanwhile."""

from decimal import Decimal
from itertools import permutations
from random import Random

from aggregates import START_MS, WHALE, Desk, fill_message
from hypothesis import given
from hypothesis import strategies as st

from hlmonitor.aggregator.core.continuity import Continuity
from hlmonitor.aggregator.core.convert import fill_of
from hlmonitor.aggregator.core.requests import BackfillRequest, Request
from hlmonitor.domain.fills import Fill
from hlmonitor.v1 import events_pb2


def _fill(start: int, size: int, time_ms: int, tid: int = 1) -> Fill:
    side = events_pb2.SIDE_BUY if size > 0 else events_pb2.SIDE_SELL
    message = fill_message(start_position=str(start), sz=str(abs(size)), side=side, time_ms=START_MS + time_ms, tid=tid)
    return fill_of(message.SerializeToString())


def test_chain_that_arrives_in_any_order_has_no_break() -> None:
    links = [_fill(0, 2, 1), _fill(2, 3, 1), _fill(5, -4, 1), _fill(1, -1, 2)]
    for order in permutations(links):
        continuity = Continuity()
        continuity.seed("BTC", Decimal(0), START_MS)
        for link in order:
            continuity.add_position(link, 10)
        assert continuity.breaks(100) == []


@given(
    sizes=st.lists(st.integers(-3, 3).filter(bool), min_size=1, max_size=12), shuffle=st.randoms(), seeded=st.booleans()
)
def test_position_that_comes_back_to_where_it_was_is_no_break(
    *, sizes: list[int], shuffle: Random, seeded: bool
) -> None:
    links, position = [], 0
    for at, size in enumerate(sizes):
        links.append(_fill(position, size, 1, tid=at))
        position += size
    shuffle.shuffle(links)
    continuity = Continuity()
    if seeded:
        continuity.seed("BTC", Decimal(0), START_MS)
    for link in links:
        continuity.add_position(link, 10)
    for second in range(12, 100, 2):
        assert continuity.breaks(second) == []


def test_fills_that_close_a_told_hole_are_no_second_break() -> None:
    continuity = Continuity()
    continuity.seed("BTC", Decimal(0), START_MS)
    continuity.add_position(_fill(0, 1, 1, tid=1), 10)
    continuity.add_position(_fill(3, 1, 4, tid=4), 10)
    assert len(continuity.breaks(12)) == 1
    for link in (_fill(2, 1, 3, tid=3), _fill(1, 1, 2, tid=2)):
        continuity.add_position(link, 13)
    assert continuity.breaks(15) == []
    continuity.add_position(_fill(4, 1, 5, tid=5), 16)
    assert continuity.breaks(30) == []


@given(st.lists(st.integers(1, 5), min_size=3, max_size=12), st.data())
def test_every_missing_fill_of_a_growing_position_is_found(sizes: list[int], data: st.DataObject) -> None:
    continuity, position = Continuity(), 0
    continuity.seed("BTC", Decimal(0), START_MS)
    missing = data.draw(st.integers(0, len(sizes) - 2))
    for at, size in enumerate(sizes):
        if at != missing:
            continuity.add_position(_fill(position, size, at + 1, tid=at), 10)
        position += size
    assert continuity.breaks(11) == []
    (found,) = continuity.breaks(12)
    assert found.expected == sum(sizes[:missing])
    assert found.found == sum(sizes[: missing + 1])
    assert continuity.breaks(1_000) == []


def test_break_is_recorded_and_read_again_over_both_feeds() -> None:
    desk = Desk()
    desk.fill(oid=1, tid=1, sz="1")
    desk.fill(oid=2, tid=2, sz="1", start_position="3", time_ms=START_MS + 9)
    desk.status(oid=2)
    desk.wait(5)
    asked = [request for request in desk.partition.take_requests() if isinstance(request, BackfillRequest)]
    assert {request.feed for request in asked} == {events_pb2.FEED_USER_FILLS, events_pb2.FEED_USER_TWAP_SLICE_FILLS}
    assert {request.from_ms for request in asked} == {START_MS}
    assert desk.partition.take_tally().breaks == 1
    desk.commit()
    (gap, _) = [gap for batch in desk.batches for gap in batch.gaps]
    assert (gap.state, gap.from_ms) == ("open", START_MS)
    assert gap.reason == "BTC fills do not chain: expected position 1, found 3"
    desk.fill(oid=9, tid=9, sz="2", start_position="1", time_ms=START_MS + 5)
    for feed in (events_pb2.FEED_USER_FILLS, events_pb2.FEED_USER_TWAP_SLICE_FILLS):
        covered = events_pb2.CaughtUp(address=WHALE, feed=feed, from_ms=START_MS, through_ms=START_MS + 10)
        desk.partition.caught_up(covered, desk.now)
    desk.wait(3)
    assert desk.partition.take_requests() == []
    assert not desk.partition.wallets[WHALE].gaps


def test_spot_balance_that_does_not_chain_is_no_gap() -> None:
    desk = Desk()
    desk.fill(coin="@107", oid=1, tid=1, start_position="5", dir="Buy")
    desk.fill(coin="@107", oid=2, tid=2, start_position="50", dir="Buy", time_ms=START_MS + 9)
    desk.wait(5)
    assert desk.partition.wallets[WHALE].gaps == {}


def _spot(desk: Desk, start: str, size: str, tid: int, coin: str = "@107") -> None:
    desk.fill(coin=coin, sz=size, start_position=start, tid=tid, oid=tid, time_ms=START_MS + tid, fee_token="HYPE")


def _balance(desk: Desk, total: str) -> None:
    spot = events_pb2.AccountSnapshot.Spot(balances=[events_pb2.SpotBalance(coin="HYPE", total=total)])
    desk.partition.snapshot(events_pb2.AccountSnapshot(address=WHALE, spot=spot), START_MS)


def _after_a_break(total: str | None) -> tuple[dict[str, int], list[Request]]:
    desk = Desk()
    _spot(desk, "0", "1", tid=1)
    _spot(desk, "0.9", "1", tid=2, coin="@166")
    desk.wait(3)
    _spot(desk, "7", "1", tid=3)
    if total:
        _balance(desk, total)
    desk.wait(3)
    return dict(desk.partition.take_tally().balance_breaks), list(desk.partition.take_requests())


def test_spot_chain_runs_over_all_pairs_of_a_token_and_counts_fees_in_it() -> None:
    desk = Desk()
    _spot(desk, "0", "1", tid=1)
    _spot(desk, "0.9", "1", tid=2, coin="@166")
    desk.wait(3)
    assert not desk.partition.take_tally().balance_breaks
    assert desk.partition.wallets[WHALE].balances.end_of("HYPE") == Decimal("1.8")


def test_break_of_a_balance_that_spot_state_explains_is_only_counted() -> None:
    assert _after_a_break("7.9") == ({"explained": 1}, [])


def test_break_of_a_balance_that_nothing_explains_is_read_again_and_is_no_gap() -> None:
    for total in (None, "9"):
        counted, asked = _after_a_break(total)
        assert counted == {"read_again": 1}
        assert asked == [BackfillRequest(WHALE, events_pb2.FEED_USER_FILLS, START_MS + 2, ())]


def test_balance_that_never_chains_is_read_again_once_a_minute_from_the_first_break_on() -> None:
    desk = Desk()
    asked: list[Request] = []
    for number in range(20):
        _spot(desk, str(100 * number), "1", tid=number + 1)
        desk.wait(3)
        asked += desk.partition.take_requests()
    assert asked == [BackfillRequest(WHALE, events_pb2.FEED_USER_FILLS, START_MS + 1, ())]
    desk.wait(60)
    asked = desk.partition.take_requests()
    assert asked == [BackfillRequest(WHALE, events_pb2.FEED_USER_FILLS, START_MS + 2, ())]


def test_chain_of_a_wallet_that_was_not_watched_for_a_while_begins_anew() -> None:
    desk = Desk()
    desk.fill(start_position="5")
    desk.wait(3)
    desk.partition.watch({}, desk.now)
    desk.watch()
    desk.fill(start_position="50", oid=2, tid=2, time_ms=START_MS + 9)
    desk.wait(5)
    assert desk.partition.wallets[WHALE].gaps == {}
    assert desk.partition.take_tally().breaks == 0
