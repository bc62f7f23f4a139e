"""A wallet's past over the venue's four periods, for everything and for perps alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.accounts import MICRO
from hlmonitor.simulator.core.durations import DAY_MS, HOUR_MS
from hlmonitor.simulator.core.portfolio import Portfolio

from .rows import amount

if TYPE_CHECKING:
    from decimal import Decimal

    from hlmonitor.simulator.core.exchange import Exchange

_ALL_TIME_POINTS: Final = 60
# Name, length and distance of points; the venue's are about as far apart.
_PERIODS: Final = (
    ("day", DAY_MS, 2 * HOUR_MS),
    ("week", 7 * DAY_MS, 3 * HOUR_MS),
    ("month", 30 * DAY_MS, 12 * HOUR_MS),
    ("allTime", None, DAY_MS),
)


def portfolio(exchange: Exchange, address: str) -> list[tuple[str, dict[str, object]]]:
    """Write the reply of `portfolio`: eight periods, each with value, PnL and volume."""
    everything = Portfolio(exchange, address, with_spot=True)
    perps = Portfolio(exchange, address, with_spot=False)
    rows = [(name, _period(exchange, everything, length, step)) for name, length, step in _PERIODS]
    rows += [
        (f"perp{name[0].upper()}{name[1:]}", _period(exchange, perps, length, step)) for name, length, step in _PERIODS
    ]
    return rows


def _period(exchange: Exchange, past: Portfolio, length: int | None, step: int) -> dict[str, object]:
    now = exchange.state.now_ms
    start = past.began_ms() - 1 if length is None else max(now - length, past.began_ms() - 1)
    step = max(step, (now - start) // _ALL_TIME_POINTS)
    points = past.points([*range(start, now, step), now])
    return {
        "accountValueHistory": [(point.time_ms, _money(point.value)) for point in points],
        "pnlHistory": [(point.time_ms, _money(point.pnl)) for point in points],
        "vlm": _money(past.volume(start)),
    }


def _money(value: Decimal) -> str:
    return amount(value.quantize(MICRO))
