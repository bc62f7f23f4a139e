from decimal import Decimal

import pytest

from hlmonitor.simulator.core.candles import KEPT, CoinCandles, Interval

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
THURSDAY = 1_761_782_400_000  # 2025-10-30T00:00Z
FEBRUARY = 1_738_368_000_000  # 2025-02-01T00:00Z
MARCH = 1_740_787_200_000


def traded(*trades: tuple[int, str, str]) -> CoinCandles:
    candles = CoinCandles()
    for time, px, sz in trades:
        candles.add(Decimal(px), Decimal(sz), time)
    return candles


def prices(candles: CoinCandles, interval: Interval, now: int) -> list[tuple[int, str, str, str, str, str, int]]:
    rows = candles.between(interval, 0, now, now)
    return [(c.start_ms, str(c.open), str(c.high), str(c.low), str(c.close), str(c.volume), c.trades) for c in rows]


def test_a_minute_holds_the_first_the_extreme_and_the_last_price() -> None:
    candles = traded((5, "10", "1"), (6, "12", "2"), (7, "9", "3"), (MINUTE - 1, "11", "4"))
    assert prices(candles, Interval.M1, MINUTE - 1) == [(0, "10", "12", "9", "11", "10", 4)]


def test_longer_candles_are_made_of_all_their_minutes_the_running_one_included() -> None:
    candles = traded((0, "10", "1"), (MINUTE, "20", "1"), (4 * MINUTE, "5", "1"), (5 * MINUTE, "7", "1"))
    assert prices(candles, Interval.M5, 5 * MINUTE) == [
        (0, "10", "20", "5", "5", "3", 3),
        (5 * MINUTE, "7", "7", "7", "7", "1", 1),
    ]


def test_where_nobody_traded_the_candle_is_flat_and_the_running_one_is_missing() -> None:
    candles = traded((0, "10", "1"), (3 * MINUTE, "20", "1"))
    flat = (str(10),) * 4 + ("0", 0)
    rows = prices(candles, Interval.M1, 5 * MINUTE + 1)
    assert rows[1:3] == [(MINUTE, *flat), (2 * MINUTE, *flat)]
    assert [row[0] for row in rows] == [0, MINUTE, 2 * MINUTE, 3 * MINUTE, 4 * MINUTE]


def test_both_bounds_are_included() -> None:
    candles = traded(*((n * MINUTE, "10", "1") for n in range(10)))
    rows = candles.between(Interval.M1, 2 * MINUTE, 4 * MINUTE, 10 * MINUTE)
    assert [row.start_ms for row in rows] == [2 * MINUTE, 3 * MINUTE, 4 * MINUTE]


def test_only_the_five_thousand_latest_are_kept() -> None:
    candles = traded(*((n * MINUTE, "10", "1") for n in range(KEPT + 10)))
    rows = candles.between(Interval.M1, 0, DAY * 30, (KEPT + 10) * MINUTE)
    assert (len(rows), rows[-1].start_ms) == (KEPT, (KEPT + 9) * MINUTE)


def test_weeks_begin_on_thursday_and_months_on_their_first() -> None:
    assert Interval.W1.start_of(THURSDAY + 6 * DAY) == THURSDAY
    assert Interval.MONTH.start_of(FEBRUARY + 27 * DAY) == FEBRUARY
    assert Interval.MONTH.end_of(FEBRUARY) == MARCH


@pytest.mark.parametrize("interval", list(Interval))
def test_every_interval_begins_where_the_one_before_ends(interval: Interval) -> None:
    start = interval.start_of(THURSDAY + 12_345_678)
    end = interval.end_of(start)
    assert start <= THURSDAY + 12_345_678 < end
    assert interval.start_of(end) == end
    assert interval.start_of(end - 1) == start


def test_the_close_of_the_last_full_hour_is_the_price_of_the_past() -> None:
    candles = traded((0, "10", "1"), (HOUR, "20", "1"), (2 * HOUR, "30", "1"))
    assert candles.close_before(HOUR - 1) is None
    assert candles.close_before(HOUR) == Decimal(10)
    assert candles.close_before(3 * HOUR) == Decimal(20)


def test_a_days_volume_forgets_what_is_older() -> None:
    candles = traded((0, "10", "1"), (HOUR, "20", "2"), (DAY, "30", "3"))
    assert candles.last_day(DAY) == (Decimal(6), Decimal(140))
    assert candles.last_day(DAY + 1) == (Decimal(5), Decimal(130))
    assert candles.last_day(3 * DAY) == (Decimal(0), Decimal(0))
