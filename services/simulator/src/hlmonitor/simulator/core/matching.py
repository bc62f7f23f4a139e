"""Taking an order from arrival to rest or end: checks, price-time matching, reduce-only, self-trades."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .admission import Admission
from .orders import Order, Origin, Status, Tif
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
        self.admission = Admission(state, margin)
        self._settlement = Settlement(state)

    def submit(self, order: Order) -> None:
        """Check an order, match it, and let the rest of it rest, cancel or be rejected."""
        refusal = self.admission.refusal(order)
        if refusal is not None:
            # A trigger order was accepted once: without a position left it is cancelled, not rejected.
            is_idle = refusal is Status.REDUCE_ONLY_REJECTED and order.status is Status.TRIGGERED
            self._state.report(order, Status.REDUCE_ONLY_CANCELED if is_idle else refusal)
            return
        stopped = self._match(order)
        self._finish(order, stopped)

    def _match(self, taker: Order) -> Status | None:
        """Match until nothing crosses; return the status that stopped a reduce-only taker early."""
        touched: dict[str, None] = {taker.address: None}
        stopped: Status | None = None
        while taker.remaining > 0 and (maker := self.admission.meets(taker)) is not None:
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
                self.drop_idle_reduce_only(address, taker.coin)
        return stopped

    def _spoiled(self, maker: Order, taker: Order) -> Status | None:
        if maker.address == taker.address:
            return Status.SELF_TRADE_CANCELED
        if self.admission.is_aggressive_at_cap(maker):
            return Status.OPEN_INTEREST_CAP_CANCELED
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

    def drop_idle_reduce_only(self, address: str, coin: str) -> None:
        """Cancel the reduce-only orders of a wallet that has no position left for them."""
        account = self._state.accounts[address]
        if account.house:
            return
        for order in list(account.all_open()):
            if order.reduce_only and order.coin == coin and not self._margin.reducible(order):
                was_sibling = any(sibling.filled for sibling in order.siblings)
                self._state.withdraw(
                    order, Status.SIBLING_FILLED_CANCELED if was_sibling else Status.REDUCE_ONLY_CANCELED
                )
