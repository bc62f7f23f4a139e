"""The rate ledger never lets more through than the venue allows, in any window."""

from hypothesis import given
from hypothesis import strategies as st

from hlmonitor.venue.core.limits import RateLedger, most_weight_of, weight_of


def test_weights_are_the_documented_ones() -> None:
    assert weight_of("clearinghouseState") == 2
    assert weight_of("spotMeta") == 20
    assert weight_of("userRole") == 60
    assert weight_of("userFillsByTime") == 20
    assert weight_of("userFillsByTime", 2000) == most_weight_of("userFillsByTime") == 120
    assert weight_of("orderStatus", 500) == 2


def test_what_a_request_did_not_cost_is_given_back() -> None:
    ledger = RateLedger(150)
    assert ledger.take(120, 0) == 0
    assert ledger.take(120, 0) == 60
    ledger.settle(120, 20, at=0, now=0)
    assert ledger.take(120, 0) == 0


def test_requests_in_a_row_count_what_they_cost_and_not_what_they_could_have() -> None:
    ledger = RateLedger(1200)
    for second in range(600):
        assert ledger.take(120, second) == 0
        ledger.settle(120, 18, at=second, now=second + 0.2)
    assert ledger.used(600) == 60 * 18


def test_what_a_request_cost_counts_from_its_reply_on() -> None:
    ledger = RateLedger(100)
    ledger.take(80, 0)
    ledger.take(20, 1)
    ledger.settle(80, 30, at=0, now=5)
    assert ledger.take(80, 62) > 0
    assert ledger.take(70, 62) == 0
    assert ledger.used(65) == 70


def test_a_reply_after_a_whole_window_still_counts() -> None:
    ledger = RateLedger(100)
    ledger.take(80, 0)
    ledger.settle(80, 30, at=0, now=70)
    assert ledger.used(70) == 30


def test_what_weighs_more_than_everything_passes_alone() -> None:
    ledger = RateLedger(10)
    assert ledger.take(20, 0) == 0
    assert ledger.take(1, 0) > 0


def test_a_spent_budget_returns_after_one_window() -> None:
    ledger = RateLedger(10)
    ledger.take(4, 0)
    ledger.spend_all(1)
    assert ledger.take(1, 59) == 1
    assert ledger.take(4, 60) == 0
    assert ledger.take(6, 61) == 0


@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.floats(0, 30), st.integers(1, 20), st.integers(0, 20), st.floats(0, 5)), max_size=60),
)
def test_no_window_ever_holds_more_than_the_limit(limit: int, steps: list[tuple[float, int, int, float]]) -> None:
    ledger = RateLedger(limit)
    now, granted = 0.0, list[tuple[float, int]]()
    for pause, units, back, reply_s in steps:
        now += pause
        if units <= limit and ledger.take(units, now) == 0:
            kept = max(units - back, 0)
            granted.append((now + reply_s / 2, kept))
            ledger.settle(units, kept, now, now := now + reply_s)
    for end, _ in granted:
        assert sum(units for at, units in granted if end - 60 < at <= end) <= limit


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 10)), max_size=40))
def test_waiting_as_told_always_helps_in_the_end(steps: list[tuple[float, int]]) -> None:
    ledger, now = RateLedger(10), 0.0
    for pause, units in steps:
        now += pause
        for _ in range(50):
            wait = ledger.take(units, now)
            if wait == 0:
                break
            now += wait
        else:
            raise AssertionError("never granted")
