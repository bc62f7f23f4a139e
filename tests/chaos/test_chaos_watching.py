"""What is expected of a wallet that leaves the watch list and comes back."""

import msgspec
import pytest

from chaos.watching import Absence, Expected, Watched, absences
from hlmonitor.demo.comparison import StreamMessage
from hlmonitor.demo.expected import Expectation, ExpectedSignal

ABSENCE = Absence("a", removed_ms=2000, back_ms=5000)


def signal(name: str, first_ms: int, last_ms: int, address: str = "a") -> ExpectedSignal:
    amounts = dict.fromkeys(("size", "price", "fee", "closed_pnl", "start_position", "end_position"), "1")
    texts = {"id": name, "address": address, "coin": "BTC", "direction": "open", "side": "LONG", "kind": "order"}
    rest = {"oid": 1, "close_rate": None, "complete": True, "fills": 1, "fee_token": "USDC"}
    times = {"first_fill_time": first_ms, "last_fill_time": last_ms}
    return msgspec.convert({**amounts, **texts, **rest, **times}, ExpectedSignal)


def of(*signals: ExpectedSignal) -> Expectation:
    return Expectation(orders=len(signals), fills=0, timed_out=0, pending=0, signals=list(signals))


def published(*signals: ExpectedSignal) -> list[StreamMessage]:
    return [StreamMessage(msgspec.json.encode(found), 0) for found in signals]


def wanted(expected: Expected, after: Expectation, *stream: ExpectedSignal) -> set[str]:
    return {found.id for found in expected(after, published(*stream)).signals}


def test_all_before_the_removal_and_after_the_return_must_be_and_nothing_between() -> None:
    before = of(signal("early", 1000, 1500), signal("astride", 1900, 2100), signal("within", 3000, 3100))
    expected = Expected(before, [ABSENCE])
    assert wanted(expected, of(signal("late", 5000, 5100))) == {"early", "late"}


def test_what_is_published_of_the_absence_is_expected_as_it_is_and_what_is_not_of_it_is_not() -> None:
    within, early, other = signal("within", 3000, 3100), signal("x", 1000, 1500), signal("y", 3000, 3100, "b")
    assert wanted(Expected(of(), [ABSENCE]), of(), within, early, other) == {"within"}


def test_a_wallet_that_was_never_absent_is_expected_as_the_oracle_says() -> None:
    after = of(signal("z", 3000, 3100, "b"))
    assert Expected(of(), [])(after, published(signal("w", 3000, 3100, "b"))) == after


def test_an_absence_lasts_from_the_removal_until_the_watch_began_anew() -> None:
    watched = Watched()
    for start_ms in (1000, 1000, 5000):
        watched.note("a", start_ms)
        watched.note("b", 1000)
    assert absences(watched.starts, {"a": 2000, "b": 2000}) == [ABSENCE]
    assert watched.latest == {"a": 5000, "b": 1000}


def test_a_watch_that_begins_anew_without_a_removal_is_a_finding() -> None:
    with pytest.raises(AssertionError, match="never taken off"):
        absences({"a": [1000, 5000]}, {})
