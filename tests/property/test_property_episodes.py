"""Signals of trades that name no order, against the oracle."""

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import msgspec
from episodes import Floor, is_perp
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import half_even, pieces
from strategies import usual

from hlmonitor.v1 import events_pb2, storage_pb2

PROFILE = settings.get_profile("oracle")
COINS = st.sampled_from(("BTC", "BTC", "xyz:CL", "@107"))
PAUSES_MS = st.sampled_from((0, 0, 1, 400, 1_900, 2_001, 6_000))
WAITS_S = st.sampled_from((0.25, 1.0, 1.75, 2.0, 2.5))


def _trade(data: st.DataObject, floor: Floor) -> int:
    side = data.draw(st.sampled_from("BA"))
    coin = data.draw(COINS)
    held = floor.positions.get(coin, Fraction(0))
    sizes = usual if held == 0 else st.one_of(usual, st.just(abs(held)))
    return floor.trade(coin, side, data.draw(sizes), data.draw(usual), data.draw(PAUSES_MS))


def _taken(floor: Floor) -> dict[int, dict[str, list[int]]]:
    """By signal number and leg the ids of the trades that it took."""
    taken: dict[int, dict[str, list[int]]] = {}
    for row in floor.stored.fills.values():
        fill = events_pb2.Fill.FromString(row.fill)
        for leg, number in (("close", row.close_number), ("open", row.open_number)):
            if number:
                taken.setdefault(number, {}).setdefault(leg, []).append(fill.tid)
    return taken


def _signals(floor: Floor) -> list[tuple[storage_pb2.SignalRow, dict[str, Any]]]:
    rows = sorted(floor.stored.signals.values(), key=lambda row: row.number)
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    return [(row, msgspec.json.decode(row.payload)) for row in rows]


def _finish(floor: Floor) -> None:
    floor.wait(10)
    floor.commit()
    floor.restart()
    for tid in list(floor.trades):
        floor.tell(tid)
        floor.tell_by_rest(tid)
    floor.wait(10)
    floor.commit()


def _check_amounts(floor: Floor, *, in_order: bool) -> None:
    taken = _taken(floor)
    for row, says in _signals(floor):
        ((leg, tids),) = taken[row.number].items()
        trades = sorted((floor.trades[tid][1] for tid in tids), key=lambda one: one.index)
        assert (says["direction"], says["kind"], says["fills"]) == (leg, "episode", len(trades))
        assert says["oid"] < 0
        head = f"{says['address']}:{says['coin']}:{says['oid']}:{leg}:"
        # Told out of order, trades of one millisecond have no chain that says which was first: the feed has no start
        # positions, and a trade id is a hash.
        firsts = trades[:1] if in_order else [one for one in trades if one.time_ms == trades[0].time_ms]
        assert says["id"] in {f"{head}{one.time_ms}-{one.tid}" for one in firsts}
        assert (says["first_fill_time"], says["last_fill_time"]) == (trades[0].time_ms, trades[-1].time_ms)
        if not says["seeded"]:
            nothing = {says[name] for name in ("position_rate", "close_rate", "start_position", "end_position")}
            assert nothing == {None}


def _check_each_trade_once(floor: Floor) -> None:
    counts = Counter((tid, leg) for legs in _taken(floor).values() for leg, tids in legs.items() for tid in tids)
    assert set(counts.values()) <= {1}
    assert {tid for tid, _ in counts} == floor.trades.keys(), "a trade is in no signal"


@PROFILE
@given(data=st.data())
def test_episodes_of_a_followed_wallet_are_the_oracles(data: st.DataObject) -> None:
    floor = Floor()
    floor.tell_positions()
    for _ in range(data.draw(st.integers(1, 12))):
        tid = _trade(data, floor)
        if data.draw(st.integers(0, 3)) == 0:
            # What is told of positions overtakes the trade, which is in it already.
            floor.tell_positions()
        floor.tell(tid)
        what = data.draw(
            st.sampled_from(("", "", "again", "by rest", "commit", "restart", "positions", "wait", "wait"))
        )
        if what == "again":
            floor.tell(data.draw(st.sampled_from(sorted(floor.heard))))
        elif what == "by rest":
            floor.tell_by_rest(data.draw(st.sampled_from(sorted(floor.heard))))
        elif what == "wait":
            floor.wait(data.draw(WAITS_S))
        elif what == "positions":
            floor.tell_positions()
        floor.commit()
        if what == "restart":
            floor.restart()
            floor.tell_positions()
    _finish(floor)
    _check_amounts(floor, in_order=True)
    _check_each_trade_once(floor)
    groups = {tuple(sorted(tids)) for tids in floor.all_told}
    taken = _taken(floor)
    for row, says in _signals(floor):
        ((leg, tids),) = taken[row.number].items()
        (group,) = [group for group in groups if set(tids) <= set(group)]
        with_leg = {tid for tid in group if leg in pieces(*floor.trades[tid])}
        assert set(tids) == with_leg, f"{leg} of {group} is {tids}"
        if is_perp(says["coin"]):
            _check_positions(floor, leg, tids, says)


def _check_positions(floor: Floor, leg: str, tids: list[int], says: dict[str, Any]) -> None:
    trades = sorted((floor.trades[tid][1] for tid in tids), key=lambda one: one.index)
    shares = [pieces(says["coin"], one)[leg] for one in trades]
    size = sum((share.size for share in shares), Fraction(0))
    notional = sum((one.px * share.size for one, share in zip(trades, shares, strict=True)), Fraction(0))
    assert says["seeded"]
    assert Fraction(says["size"]) == size
    assert Fraction(says["price"]) == half_even(notional / size, 12)
    assert (Fraction(says["start_position"]), Fraction(says["end_position"])) == (shares[0].before, shares[-1].after)
    if leg == "close":
        assert Fraction(says["close_rate"]) == half_even(min(size / abs(shares[0].before), Fraction(1)), 9)


def _tell_any(data: st.DataObject, floor: Floor) -> None:
    if floor.trades:
        floor.tell(data.draw(st.sampled_from(sorted(floor.trades))))


def _show_any(data: st.DataObject, floor: Floor) -> None:
    if floor.trades:
        floor.tell_by_rest(data.draw(st.sampled_from(sorted(floor.trades))))


HAPPENINGS: dict[str, Callable[[st.DataObject, Floor], object]] = {
    "trade": _trade,
    "another": _trade,
    "told": _tell_any,
    "told too": _tell_any,
    "by rest": _show_any,
    "positions": lambda _, floor: floor.tell_positions(),
    "committed": lambda _, floor: floor.commit(),
    "restarted": lambda _, floor: floor.restart(),
    "later": lambda data, floor: floor.wait(data.draw(WAITS_S)),
    "lost sight": lambda _, floor: floor.lose_sight(),
    "seen again": lambda _, floor: floor.see_again(),
}


@PROFILE
@given(data=st.data())
def test_whatever_is_missed_overtaken_or_told_twice_each_trade_is_in_one_signal_of_a_leg(data: st.DataObject) -> None:
    floor = Floor()
    for _ in range(data.draw(st.integers(1, 30))):
        HAPPENINGS[data.draw(st.sampled_from(list(HAPPENINGS)))](data, floor)
    floor.see_again()
    _finish(floor)
    if all(says["kind"] == "episode" for _, says in _signals(floor)):
        _check_amounts(floor, in_order=False)
    _check_each_trade_once(floor)
