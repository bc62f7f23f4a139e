"""Closing accounts that fell below maintenance margin, by market orders of the system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .accounts import ZERO, Account
from .orders import ZERO_HASH, Order, Origin, Side, Status, Tif
from .precision import round_px

if TYPE_CHECKING:
    from .margin import Margin
    from .matching import Matcher
    from .state import ExchangeState


class Liquidator:
    """Looks at every account once a block."""

    def __init__(self, state: ExchangeState, margin: Margin, matcher: Matcher) -> None:
        self._state = state
        self._margin = margin
        self._matcher = matcher

    def run(self) -> None:
        """Liquidate whoever is under maintenance. What finds no liquidity is tried again next block."""
        for account in self._state.accounts.values():
            if account.house:
                continue
            for dex, margin in account.margin.items():
                if margin.positions and self._is_under(account, dex):
                    self._liquidate(account, dex)

    def _is_under(self, account: Account, dex: str) -> bool:
        return self._margin.value(account, dex) < self._margin.maintenance(account, dex)

    def _liquidate(self, account: Account, dex: str) -> None:
        for order in list(account.all_open()):
            instrument = self._state.universe.get(order.coin)
            if not instrument.is_spot and instrument.dex == dex:
                self._state.withdraw(order, Status.LIQUIDATED_CANCELED)
        for coin in list(account.on(dex).positions):
            self._close(account, dex, coin)
        if not account.on(dex).positions:
            self._absorb_debt(account, dex)

    def _close(self, account: Account, dex: str, coin: str) -> None:
        state, szi = self._state, account.on(dex).szi(coin)
        side = Side.SELL if szi > 0 else Side.BUY
        bound = state.mark(coin) * (1 + state.config.liquidation_slippage * side.sign)
        order = Order(
            oid=state.new_oid(),
            address=account.address,
            coin=coin,
            side=side,
            limit_px=round_px(state.universe.get(coin), bound),
            orig_sz=abs(szi),
            remaining=abs(szi),
            tif=Tif.LIQUIDATION,
            reduce_only=False,
            cloid=None,
            placed_ms=state.now_ms,
            tx_hash=ZERO_HASH,
            origin=Origin.LIQUIDATION,
        )
        self._matcher.submit(order)
        if order.filled:
            state.ledger.record_order(order)

    def _absorb_debt(self, account: Account, dex: str) -> None:
        """Let the insurance fund pay what the account owes after everything is closed."""
        debt = -account.on(dex).raw_usd
        if debt > 0:
            account.on(dex).raw_usd = ZERO
            fees = self._state.perp_fees
            fees[dex] = fees.get(dex, ZERO) - debt
