"""Taking an order from arrival to rest or end: checks, price-time matching, reduce-only, self-trades."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .orders import Order, Origin, Status, Tif
from .precision import is_valid_px, is_valid_sz
from .settlement import Settlement

if TYPE_CHECKING:
    from decimal import Decimal

    from .margin import Margin
    from .state import ExchangeState


class Matcher:
    """The only writer of books."""

    def __init__(self, state: ExchangeState, margin: Margin) -> None:
        self._state = state
        self._margin = margin
        self._settlement = Settlement(state)

    def submit(self, order: Order) -> None:
        """Check an order, match it, and let the rest of it rest, cancel or be rejected."""
        refusal = self._refusal(order)
        if refusal is not None:
            self._state.report(order, refusal)
            return
        stopped = self._match(order)
        self._finish(order, stopped)

    def _refusal(self, order: Order) -> Status | None:
        instrument = self._state.universe.get(order.coin)
        if not is_valid_px(instrument, order.limit_px) or not is_valid_sz(instrument, order.remaining):
            return Status.TICK_REJECTED
        if order.origin is not Origin.ORDINARY:
            return None
        small = order.remaining * order.limit_px < self._state.config.min_order_ntl
        if small and not order.reduce_only:
            return Status.MIN_TRADE_NTL_REJECTED
        if order.reduce_only and (instrument.is_spot or not self._margin.reducible(order)):
            return Status.REDUCE_ONLY_REJECTED
        if order.tif is Tif.ALO and self._meets(order) is not None:
            return Status.BAD_ALO_PX_REJECTED
        return self._unfunded(order)

    def _unfunded(self, order: Order) -> Status | None:
        account = self._state.accounts[order.address]
        if self._state.universe.get(order.coin).is_spot:
            return None if self._margin.affords(account, order) else Status.INSUFFICIENT_SPOT_BALANCE_REJECTED
        if order.reduce_only or self._margin.covers(account, order, order.limit_px):
            return None
        return Status.PERP_MARGIN_REJECTED

    def _meets(self, order: Order) -> Order | None:
        best = self._state.books[order.coin].best(order.side.opposite)
        return best if best is not None and order.crosses(best.limit_px) else None

    def _match(self, taker: Order) -> Status | None:
        """Match until nothing crosses; return the status that stopped a reduce-only taker early."""
        touched: dict[str, None] = {taker.address: None}
        stopped: Status | None = None
        while taker.remaining > 0 and (maker := self._meets(taker)) is not None:
            spoiled = self._spoiled(maker, taker)
            if spoiled is not None:
                self._state.unrest(maker, spoiled)
                continue
            sz = self._size(taker, maker)
            if sz <= 0:
                stopped = Status.REDUCE_ONLY_CANCELED
                break
            touched[maker.address] = None
            self._settlement.settle(taker, maker, sz)
            if not maker.remaining:
                self._state.unrest(maker, Status.FILLED)
        if taker.filled:
            for address in touched:
                self._drop_idle_reduce_only(address, taker.coin)
        return stopped

    def _spoiled(self, maker: Order, taker: Order) -> Status | None:
        if maker.address == taker.address:
            return Status.SELF_TRADE_CANCELED
        if maker.reduce_only:
            return None if self._margin.reducible(maker) else Status.REDUCE_ONLY_CANCELED
        if self._state.universe.get(maker.coin).is_spot:
            return None
        account = self._state.accounts[maker.address]
        fits = self._margin.covers(account, maker, maker.limit_px, reserved=False)
        return None if fits else Status.MARGIN_CANCELED

    def _size(self, taker: Order, maker: Order) -> Decimal:
        sz = min(taker.remaining, maker.remaining)
        if maker.reduce_only:
            sz = min(sz, self._margin.reducible(maker))
        if taker.reduce_only or taker.origin is Origin.LIQUIDATION:
            sz = min(sz, self._margin.reducible(taker))
        return sz

    def _finish(self, order: Order, stopped: Status | None) -> None:
        state = self._state
        if not order.remaining:
            state.report(order, Status.FILLED)
        elif stopped is not None or (order.reduce_only and not self._margin.reducible(order)):
            state.report(order, Status.REDUCE_ONLY_CANCELED)
        elif order.tif.rests:
            state.rest(order)
        elif order.filled:
            state.report(order, Status.CANCELED)
        elif order.tif is Tif.IOC:
            state.report(order, Status.IOC_CANCEL_REJECTED)
        else:
            state.report(order, Status.MARKET_NO_LIQUIDITY_REJECTED)

    def _drop_idle_reduce_only(self, address: str, coin: str) -> None:
        account = self._state.accounts[address]
        if account.house:
            return
        for order in list(account.open_orders.values()):
            if order.reduce_only and order.coin == coin and not self._margin.reducible(order):
                self._state.unrest(order, Status.REDUCE_ONLY_CANCELED)
