"""Answers to `/info` requests, from the exchange and its ledger."""

from __future__ import annotations

from functools import singledispatchmethod
from itertools import islice
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.orders import Origin

from . import listing, requests
from .history import HORIZON, PAGE, aggregate, newest_first, within
from .rows import fill_row, frontend_order_row, history_row, open_order_row, slice_row, twap_history_row
from .states import clearinghouse_state, spot_state

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hlmonitor.simulator.core.events import Fill
    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.instruments import Dex
    from hlmonitor.simulator.core.orders import Order

_UNKNOWN_OID: Final = {"status": "unknownOid"}


class Answerer:
    """Reads; never changes anything."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    @singledispatchmethod
    def answer(self, request: requests.Info) -> object:
        """Return the reply as plain data; null for a dex or coin that does not exist."""
        raise NotImplementedError(type(request).__name__)

    def _dex(self, name: str) -> Dex | None:
        return self._exchange.state.universe.dex(name)

    @answer.register
    def _(self, request: requests.Meta_) -> object:
        dex = self._dex(request.dex)
        return None if dex is None else listing.meta(dex)

    @answer.register
    def _(self, _request: requests.SpotMeta) -> object:
        return listing.spot_meta(self._exchange)

    @answer.register
    def _(self, _request: requests.PerpDexs) -> object:
        return listing.perp_dexs(self._exchange)

    @answer.register
    def _(self, _request: requests.AllPerpMetas) -> object:
        return [listing.meta(dex) for dex in self._exchange.state.universe.dexes]

    @answer.register
    def _(self, request: requests.MetaAndAssetCtxs) -> object:
        dex = self._dex(request.dex)
        return None if dex is None else (listing.meta(dex), listing.perp_contexts(self._exchange, dex))

    @answer.register
    def _(self, _request: requests.SpotMetaAndAssetCtxs) -> object:
        return listing.spot_meta(self._exchange), listing.spot_contexts(self._exchange)

    @answer.register
    def _(self, request: requests.AllMids) -> object:
        dex = self._dex(request.dex)
        return None if dex is None else listing.all_mids(self._exchange, dex)

    @answer.register
    def _(self, request: requests.L2Book) -> object:
        known = request.coin in self._exchange.state.books
        return listing.l2_book(self._exchange, request.coin) if known else None

    @answer.register
    def _(self, request: requests.ClearinghouseState) -> object:
        if self._dex(request.dex) is None:
            return None
        return clearinghouse_state(self._exchange, request.user.lower(), request.dex)

    @answer.register
    def _(self, request: requests.SpotClearinghouseState) -> object:
        return spot_state(self._exchange, request.user.lower())

    def _resting(self, user: str, dex: str) -> Iterable[Order]:
        account = self._exchange.state.accounts.get(user.lower())
        orders = () if account is None else account.open_orders.values()
        return (order for order in orders if self._exchange.state.universe.get(order.coin).dex == dex)

    @answer.register
    def _(self, request: requests.OpenOrders) -> object:
        return [open_order_row(order) for order in self._resting(request.user, request.dex)]

    @answer.register
    def _(self, request: requests.FrontendOpenOrders) -> object:
        return [frontend_order_row(order) for order in self._resting(request.user, request.dex)]

    def _history(self, user: str) -> Iterable[Order]:
        """Yield ordinary orders, newest first. Those of the system have no place in the history."""
        orders = self._exchange.state.ledger.of(user.lower()).orders.values()
        return (order for order in reversed(orders) if order.origin is Origin.ORDINARY)

    @answer.register
    def _(self, request: requests.OrderStatus) -> object:
        wanted = request.oid
        for order in islice(self._history(request.user), PAGE):
            if wanted == (order.cloid if isinstance(wanted, str) else order.oid):
                return {"status": "order", "order": history_row(order)}
        return _UNKNOWN_OID

    @answer.register
    def _(self, request: requests.HistoricalOrders) -> object:
        return [history_row(order) for order in islice(self._history(request.user), PAGE)]

    def fills(self, user: str, *, slices: bool = False) -> list[Fill]:
        """Return the reachable fills of a user, oldest first: ordinary ones, or those of TWAP slices."""
        records = self._exchange.state.ledger.of(user.lower())
        rows = (fill for fill in reversed(records.fills) if (fill.twap_id is not None) == slices)
        return list(islice(rows, HORIZON))[::-1]

    @answer.register
    def _(self, request: requests.UserFills) -> object:
        rows = self.fills(request.user)
        rows = newest_first(aggregate(rows) if request.aggregate_by_time else rows)
        return [fill_row(fill) for fill in rows[:PAGE]]

    @answer.register
    def _(self, request: requests.UserTwapSliceFills) -> object:
        return [slice_row(fill) for fill in newest_first(self.fills(request.user, slices=True))[:PAGE]]

    @answer.register
    def _(self, request: requests.UserFillsByTime) -> object:
        return [fill_row(fill) for fill in self._page(self.fills(request.user), request)]

    @answer.register
    def _(self, request: requests.UserTwapSliceFillsByTime) -> object:
        rows = self.fills(request.user, slices=True)
        return [slice_row(fill) for fill in self._page(rows, request)]

    @staticmethod
    def _page(rows: list[Fill], request: requests.UserFillsByTime | requests.UserTwapSliceFillsByTime) -> list[Fill]:
        rows = within(rows, request.start_time, request.end_time)
        if request.aggregate_by_time:
            rows = aggregate(rows)
        return (newest_first(rows) if request.reversed else rows)[:PAGE]

    @answer.register
    def _(self, request: requests.TwapHistory) -> object:
        rows = self._exchange.state.ledger.of(request.user.lower()).twap_rows
        return [twap_history_row(row) for row in reversed(rows)]

    @answer.register
    def _(self, request: requests.UserRole) -> object:
        return {"role": "user" if request.user.lower() in self._exchange.state.accounts else "missing"}

    @answer.register
    def _(self, _request: requests.UserAbstraction) -> object:
        return "disabled"

    @staticmethod
    def extra_weight(request: requests.Info, reply: object) -> int:
        """Return what a reply costs beyond the request's own weight."""
        if not request.items_per_weight or not isinstance(reply, list):
            return 0
        return len(reply) // request.items_per_weight
