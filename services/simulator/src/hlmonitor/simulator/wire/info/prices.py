"""Prices and books."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hlmonitor.simulator.wire import listing
from hlmonitor.simulator.wire.requests import prices as asked

from .topic import Topic

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange

TOPIC = Topic()


@TOPIC.answers_to(asked.AllMids)
def _all_mids(request: asked.AllMids, exchange: Exchange) -> object:
    dex = exchange.state.universe.dex(request.dex)
    return None if dex is None else listing.all_mids(exchange, dex)


@TOPIC.answers_to(asked.L2Book)
def _l2_book(request: asked.L2Book, exchange: Exchange) -> object:
    return listing.l2_book(exchange, request.coin) if request.coin in exchange.state.books else None
