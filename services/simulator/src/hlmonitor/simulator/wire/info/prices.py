"""Prices, books, trades and candles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hlmonitor.simulator.wire import books, listing
from hlmonitor.simulator.wire.requests import prices as asked
from hlmonitor.simulator.wire.rows import candle_row, trade_row

from .topic import Topic, dex_named, listed

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange

TOPIC = Topic()


@TOPIC.answers_to(asked.AllMids)
def _all_mids(request: asked.AllMids, exchange: Exchange) -> object:
    return listing.all_mids(exchange, dex_named(exchange, request.dex))


@TOPIC.answers_to(asked.L2Book)
def _l2_book(request: asked.L2Book, exchange: Exchange) -> object:
    if request.coin not in exchange.state.books:
        return None
    return books.l2_book(exchange, request.coin, books.Rounding.of(request.n_sig_figs, request.mantissa))


@TOPIC.answers_to(asked.RecentTrades)
def _recent_trades(request: asked.RecentTrades, exchange: Exchange) -> object:
    """Newest first; as many as the trades feed sends again to who subscribes."""
    listed(exchange, request.coin)
    return [trade_row(trade) for trade in reversed(exchange.state.recent_trades[request.coin])]


@TOPIC.answers_to(asked.CandleSnapshot)
def _candle_snapshot(request: asked.CandleSnapshot, exchange: Exchange) -> object:
    wanted, now_ms = request.req, exchange.state.now_ms
    listed(exchange, wanted.coin)
    end_ms = now_ms if wanted.end_time is None else wanted.end_time
    candles = exchange.state.candles[wanted.coin].between(wanted.interval, wanted.start_time, end_ms, now_ms)
    return [candle_row(wanted.coin, wanted.interval, candle) for candle in candles]
