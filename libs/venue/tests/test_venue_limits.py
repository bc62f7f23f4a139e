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
    ledger.correct(100)
    assert ledger.take(120, 0) == 0


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
    st.lists(st.tuples(st.floats(0, 30), st.integers(1, 20), st.integers(0, 20)), max_size=60),
)
def test_no_window_ever_holds_more_than_the_limit(limit: int, steps: list[tuple[float, int, int]]) -> None:
    ledger = RateLedger(limit)
    now, granted = 0.0, list[tuple[float, int]]()
    for pause, units, back in steps:
        now += pause
        if units <= limit and ledger.take(units, now) == 0:
            kept = max(units - back, 0)
            ledger.correct(units - kept)
            granted.append((now, kept))
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
