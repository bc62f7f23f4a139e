"""The line at the end of a run: what it has, and what is not good enough."""

import msgspec
import pytest

from chaos.recovery import Restart, recovery_ms, slowest_s
from chaos.verdict import Verdict
from hlmonitor.demo.comparison import StreamMessage

GOOD = Verdict(
    orders=5000, expected=6000, kills=20, cuts=9, missing=0, duplicates=0, wrong=0, gaps_recorded=0, recovery_p99_s=4.9
)


def test_the_line_has_these_fields_in_this_order() -> None:
    assert msgspec.json.encode(GOOD).decode() == (
        '{"orders":5000,"expected":6000,"kills":20,"cuts":9,"missing":0,"duplicates":0,"wrong":0,"gaps_recorded":0,'
        '"recovery_p99_s":4.9}'
    )


def test_nothing_is_to_complain_of_in_a_good_run() -> None:
    assert GOOD.complaints(120) == []


@pytest.mark.parametrize("name", ["missing", "duplicates", "wrong", "gaps_recorded"])
@pytest.mark.parametrize("duration_s", [10, 120])
def test_anything_missing_doubled_wrong_or_unprovable_makes_a_run_bad(name: str, duration_s: float) -> None:
    assert msgspec.structs.replace(GOOD, **{name: 1}).complaints(duration_s) == [f"{name} is 1, must be 0"]


@pytest.mark.parametrize(("name", "value"), [("kills", 19), ("orders", 4999), ("recovery_p99_s", None)])
def test_a_full_run_must_have_proven_enough_and_a_short_one_need_not(name: str, value: int | None) -> None:
    verdict = msgspec.structs.replace(GOOD, **{name: value})
    assert len(verdict.complaints(120)) == 1
    assert verdict.complaints(30) == []


def test_a_slow_recovery_is_remarked_on_and_makes_no_run_bad() -> None:
    verdict = msgspec.structs.replace(GOOD, recovery_p99_s=5.0)
    assert (verdict.complaints(120), len(verdict.remarks()), GOOD.remarks()) == ([], 1, [])


def signal(address: str, *, stored_ms: int, last_fill_ms: int) -> StreamMessage:
    return StreamMessage(msgspec.json.encode({"address": address, "last_fill_time": last_fill_ms}), stored_ms)


STREAM = [
    signal("a", stored_ms=900, last_fill_ms=890),
    signal("a", stored_ms=1200, last_fill_ms=990),
    signal("b", stored_ms=1300, last_fill_ms=1250),
    signal("a", stored_ms=1700, last_fill_ms=1600),
    signal("d", stored_ms=1700, last_fill_ms=1650),
]


@pytest.mark.parametrize(
    ("share", "ready_ms", "took_ms"),
    [
        ({"b"}, 1290, 300),
        ({"a"}, 1100, 200),
        ({"a"}, 1900, 900),
        ({"d"}, 1640, 690),
        (None, 1060, 110),
        ({"c"}, 1100, None),
        (None, None, None),
    ],
)
def test_recovery_lasts_until_it_is_ready_and_a_new_order_of_its_share_is_out_pauses_in_trading_aside(
    share: set[str] | None, ready_ms: int | None, took_ms: int | None
) -> None:
    restart = Restart("x", 1000, ready_ms, None if share is None else frozenset(share), alone=True)
    assert recovery_ms(restart, STREAM) == took_ms


def test_the_slowest_counts_what_never_recovered() -> None:
    assert slowest_s([1000, 2500, 2000], 120) == 2.5
    assert slowest_s([1000, None], 120) == 120
    assert slowest_s([], 120) is None
