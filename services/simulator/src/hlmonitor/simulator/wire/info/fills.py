"""Fills and TWAPs of the past."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from hlmonitor.simulator.wire.history import HORIZON, PAGE, aggregate, newest_first, within
from hlmonitor.simulator.wire.requests import fills as asked
from hlmonitor.simulator.wire.rows import fill_row, slice_row, twap_history_row

from .topic import Topic

if TYPE_CHECKING:
    from hlmonitor.simulator.core.events import Fill
    from hlmonitor.simulator.core.exchange import Exchange

TOPIC = Topic()


def _reachable(exchange: Exchange, user: str, *, slices: bool = False) -> list[Fill]:
    """Return the reachable fills of a user, oldest first: ordinary ones, or those of TWAP slices."""
    records = exchange.state.ledger.latest(user.lower())
    rows = (fill for fill in reversed(records.fills) if (fill.twap_id is not None) == slices)
    return list(islice(rows, HORIZON))[::-1]


def _page(rows: list[Fill], request: asked.UserFillsByTime | asked.UserTwapSliceFillsByTime) -> list[Fill]:
    rows = within(rows, request.start_time, request.end_time)
    if request.aggregate_by_time:
        rows = aggregate(rows)
    return (newest_first(rows) if request.reversed else rows)[:PAGE]


@TOPIC.answers_to(asked.UserFills)
def _user_fills(request: asked.UserFills, exchange: Exchange) -> object:
    rows = _reachable(exchange, request.user)
    rows = newest_first(aggregate(rows) if request.aggregate_by_time else rows)
    return [fill_row(fill) for fill in rows[:PAGE]]


@TOPIC.answers_to(asked.UserTwapSliceFills)
def _slice_fills(request: asked.UserTwapSliceFills, exchange: Exchange) -> object:
    rows = newest_first(_reachable(exchange, request.user, slices=True))
    return [slice_row(fill) for fill in rows[:PAGE]]


@TOPIC.answers_to(asked.UserFillsByTime)
def _user_fills_by_time(request: asked.UserFillsByTime, exchange: Exchange) -> object:
    return [fill_row(fill) for fill in _page(_reachable(exchange, request.user), request)]


@TOPIC.answers_to(asked.UserTwapSliceFillsByTime)
def _slice_fills_by_time(request: asked.UserTwapSliceFillsByTime, exchange: Exchange) -> object:
    return [slice_row(fill) for fill in _page(_reachable(exchange, request.user, slices=True), request)]


@TOPIC.answers_to(asked.TwapHistory)
def _twap_history(request: asked.TwapHistory, exchange: Exchange) -> object:
    rows = exchange.state.ledger.latest(request.user.lower()).twap_rows
    return [twap_history_row(row) for row in reversed(rows)]
