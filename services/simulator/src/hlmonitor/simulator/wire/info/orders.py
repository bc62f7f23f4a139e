"""Orders: those that rest and those of the past."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.orders import Origin
from hlmonitor.simulator.wire.history import PAGE
from hlmonitor.simulator.wire.requests import orders as asked
from hlmonitor.simulator.wire.rows import frontend_order_row, history_row, open_order_row, status_change_row

from .topic import Topic, dex_named

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.orders import Order

TOPIC = Topic()

_UNKNOWN_OID: Final = {"status": "unknownOid"}


def _resting(exchange: Exchange, user: str, name: str) -> Iterable[Order]:
    dex, account = dex_named(exchange, name), exchange.state.accounts.get(user.lower())
    orders = () if account is None else account.all_open()
    return (order for order in orders if exchange.state.universe.get(order.coin).dex == dex.name)


def _history(exchange: Exchange, user: str) -> Iterable[Order]:
    """Yield ordinary orders, newest first. Those of the system have no place in the history."""
    orders = exchange.state.ledger.latest(user.lower()).orders.values()
    return (order for order in reversed(orders) if order.origin is Origin.ORDINARY)


@TOPIC.answers_to(asked.OpenOrders)
def _open_orders(request: asked.OpenOrders, exchange: Exchange) -> object:
    return [open_order_row(order) for order in _resting(exchange, request.user, request.dex)]


@TOPIC.answers_to(asked.FrontendOpenOrders)
def _frontend_open_orders(request: asked.FrontendOpenOrders, exchange: Exchange) -> object:
    return [frontend_order_row(order) for order in _resting(exchange, request.user, request.dex)]


@TOPIC.answers_to(asked.OrderStatus)
def _order_status(request: asked.OrderStatus, exchange: Exchange) -> object:
    wanted = request.oid
    for order in islice(_history(exchange, request.user), PAGE):
        if wanted == (order.cloid if isinstance(wanted, str) else order.oid):
            return {"status": "order", "order": history_row(order)}
    return _UNKNOWN_OID


@TOPIC.answers_to(asked.HistoricalOrders)
def _historical_orders(request: asked.HistoricalOrders, exchange: Exchange) -> object:
    """One row for each change of a status, newest first, so that an order has several (ccxt #23617, #27930)."""
    changes = exchange.state.ledger.latest(request.user.lower()).statuses
    return [status_change_row(change) for change in islice(reversed(changes), PAGE)]
