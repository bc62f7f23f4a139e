"""Candles, built from trades. Only the current minute is touched by a trade; a finished one goes into all intervals.

An interval without a trade shows the last close at no volume, as the venue does once the interval is over; the
running one appears with its first trade. Weeks begin on Thursday because the venue counts them from the epoch.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from .accounts import ZERO
from .durations import DAY_MS, HOUR_MS, MINUTE_MS

if TYPE_CHECKING:
    from decimal import Decimal

KEPT: Final = 5_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class Interval(StrEnum):
    """The venue's candle intervals."""

    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H2 = "2h"
    H4 = "4h"
    H8 = "8h"
    H12 = "12h"
    D1 = "1d"
    D3 = "3d"
    W1 = "1w"
    MONTH = "1M"

    def start_of(self, time_ms: int) -> int:
        """Return when the interval that holds a time began, in milliseconds."""
        length = _LENGTH_MS.get(self)
        return time_ms - time_ms % length if length else _month(time_ms)[0]

    def end_of(self, start_ms: int) -> int:
        """Return when the interval that began at `start_ms` ends, which is when the next one begins."""
        length = _LENGTH_MS.get(self)
        return start_ms + length if length else _month(start_ms)[1]


_LENGTH_MS: Final = {
    Interval.M1: MINUTE_MS,
    Interval.M3: 3 * MINUTE_MS,
    Interval.M5: 5 * MINUTE_MS,
    Interval.M15: 15 * MINUTE_MS,
    Interval.M30: 30 * MINUTE_MS,
    Interval.H1: HOUR_MS,
    Interval.H2: 2 * HOUR_MS,
    Interval.H4: 4 * HOUR_MS,
    Interval.H8: 8 * HOUR_MS,
    Interval.H12: 12 * HOUR_MS,
    Interval.D1: DAY_MS,
    Interval.D3: 3 * DAY_MS,
    Interval.W1: 7 * DAY_MS,
}


def _month(time_ms: int) -> tuple[int, int]:
    """Return begin and end of a calendar month (UTC); it is an assumption that the venue's are those."""
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    begin = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = (begin + timedelta(days=32)).replace(day=1)
    return (begin - _EPOCH) // _MILLISECOND, (end - _EPOCH) // _MILLISECOND


@dataclass(slots=True)
class Candle:
    """One interval of one coin; `volume` is in units of the coin, `notional` in its quote."""

    start_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    notional: Decimal
    trades: int

    def join(self, later: Candle) -> None:
        """Add what happened later within the same interval."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.volume += later.volume
        self.notional += later.notional
        self.trades += later.trades


class CoinCandles:
    """The candles of one coin: the latest 5,000 of each interval that had a trade."""

    def __init__(self) -> None:
        self._minute: Candle | None = None
        self._done: dict[Interval, deque[Candle]] = {interval: deque(maxlen=KEPT) for interval in Interval}
        self._day: deque[Candle] = deque()
        self._day_volume = self._day_notional = ZERO

    def add(self, px: Decimal, sz: Decimal, time_ms: int) -> None:
        """Count a trade; times never go back."""
        minute = self._minute
        start = time_ms - time_ms % MINUTE_MS
        if minute is None or minute.start_ms != start:
            self._close_minute()
            self._minute = Candle(start, px, px, px, px, sz, px * sz, 1)
            return
        minute.high = max(minute.high, px)
        minute.low = min(minute.low, px)
        minute.close = px
        minute.volume += sz
        minute.notional += px * sz
        minute.trades += 1

    def _close_minute(self) -> None:
        if self._minute is None:
            return
        self._day.append(self._minute)
        self._day_volume += self._minute.volume
        self._day_notional += self._minute.notional
        for interval, candles in self._done.items():
            start = interval.start_of(self._minute.start_ms)
            if candles and candles[-1].start_ms == start:
                candles[-1].join(self._minute)
            else:
                candles.append(replace(self._minute, start_ms=start))

    def last_day(self, now_ms: int) -> tuple[Decimal, Decimal]:
        """Return what was traded within 24 hours, to the minute: units of the coin, and their notional."""
        while self._day and self._day[0].start_ms < now_ms - DAY_MS:
            gone = self._day.popleft()
            self._day_volume -= gone.volume
            self._day_notional -= gone.notional
        minute = self._minute
        if minute is None or minute.start_ms < now_ms - DAY_MS:
            return self._day_volume, self._day_notional
        return self._day_volume + minute.volume, self._day_notional + minute.notional

    def current(self, interval: Interval) -> Candle | None:
        """Return the candle of the latest trade; None before the first one."""
        if self._minute is None:
            return None
        done, start = self._done[interval], interval.start_of(self._minute.start_ms)
        if not done or done[-1].start_ms != start:
            return replace(self._minute, start_ms=start)
        joined = replace(done[-1])
        joined.join(self._minute)
        return joined

    def between(self, interval: Interval, start_ms: int, end_ms: int, now_ms: int) -> list[Candle]:
        """Return the candles that begin within two times, both included: oldest first, the latest 5,000 at most."""
        current = self.current(interval)
        if current is None:
            return []
        traded = [c for c in self._done[interval] if c.start_ms != current.start_ms] + [current]
        rows = (candle for candle in _without_gaps(interval, traded, now_ms) if start_ms <= candle.start_ms <= end_ms)
        return list(deque(rows, maxlen=KEPT))

    def close_before(self, time_ms: int) -> Decimal | None:
        """Return the last price known to the hour at a time: the close of its latest hour that ended by then."""
        ended = (c.close for c in reversed(self._done[Interval.H1]) if Interval.H1.end_of(c.start_ms) <= time_ms)
        return next(ended, None)


def _without_gaps(interval: Interval, traded: list[Candle], now_ms: int) -> list[Candle]:
    """Put flat candles where nobody traded; not for the running interval."""
    rows: list[Candle] = []
    running = interval.start_of(now_ms)
    for candle, following in zip(traded, [c.start_ms for c in traded[1:]] + [running], strict=True):
        rows.append(candle)
        empty = interval.end_of(candle.start_ms)
        while empty < following:
            rows.append(Candle(empty, candle.close, candle.close, candle.close, candle.close, ZERO, ZERO, 0))
            empty = interval.end_of(empty)
    return rows
