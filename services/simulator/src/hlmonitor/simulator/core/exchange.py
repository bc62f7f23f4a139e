"""The exchange as its users see it: blocks, orders, TWAPs, deposits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .events import Block
from .instruments import MAIN_DEX
from .liquidation import Liquidator
from .margin import Margin
from .matching import Matcher
from .orders import Order, OrderRequest, Status, Tif
from .precision import round_px
from .roles import Roles
from .state import ExchangeConfig, ExchangeState
from .transfers import Transfers
from .twap import Twap, TwapDesk, TwapRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from .instruments import Universe
    from .ledger import Ledger


class Exchange:
    """Between `begin_block` and `end_block` any number of actions may be taken; all share one time."""

    def __init__(self, universe: Universe, config: ExchangeConfig, ledger: Ledger, genesis_ms: int) -> None:
        self.state = ExchangeState(universe, config, ledger, genesis_ms)
        self.margin = Margin(self.state)
        matcher = Matcher(self.state, self.margin)
        self._matcher = matcher
        self.twaps = TwapDesk(self.state, self.margin, matcher)
        self._liquidator = Liquidator(self.state, self.margin, matcher)
        self.roles = Roles(self.state)
        self.transfers = Transfers(self.state, self.margin, self.roles)

    def begin_block(self, now_ms: int) -> None:
        """Start the next block. Its time is `now_ms`, or a millisecond after the last block if later."""
        last = self.state.block
        self.state.block = Block(last.number + 1, max(now_ms, last.time_ms + 1))
        self.state.tx_hash = None

    def end_block(self) -> Block:
        """Run what the exchange does by itself (TWAP slices, liquidations) and return the block."""
        self.state.tx_hash = None
        self.twaps.run()
        self._liquidator.run()
        return self.state.block

    def place(self, address: str, *requests: OrderRequest) -> list[Order]:
        """Send orders in one transaction: they share a hash. The orders returned are live objects."""
        return self._place(address, requests, self.state.new_hash())

    def _place(self, address: str, requests: Sequence[OrderRequest], tx_hash: str) -> list[Order]:
        state = self.state
        state.account(address)
        orders = []
        for request in requests:
            order = Order(
                oid=state.new_oid(),
                address=address,
                coin=request.coin,
                side=request.side,
                limit_px=self._limit_px(request),
                orig_sz=request.sz,
                remaining=request.sz,
                tif=Tif.MARKET if request.px is None else request.tif,
                reduce_only=request.reduce_only,
                cloid=request.cloid,
                placed_ms=state.now_ms,
                tx_hash=tx_hash,
            )
            state.ledger.record_order(order)
            self._matcher.submit(order)
            orders.append(order)
        return orders

    def _limit_px(self, request: OrderRequest) -> Decimal:
        instrument = self.state.universe.get(request.coin)
        if request.px is not None:
            return request.px
        bound = self.state.mark(request.coin) * (1 + self.state.config.market_slippage * request.side.sign)
        return round_px(instrument, bound)

    def cancel(self, address: str, *oids: int) -> int:
        """Cancel resting orders; return how many there were."""
        open_orders = self.state.account(address).open_orders
        found = [open_orders[oid] for oid in oids if oid in open_orders]
        if found:
            self.state.new_hash()
        for order in found:
            self.state.unrest(order, Status.CANCELED)
        return len(found)

    def cancel_all(self, address: str) -> int:
        """Cancel everything that rests for an address, TWAPs excepted."""
        return self.cancel(address, *self.state.account(address).open_orders)

    def modify(self, address: str, oid: int, request: OrderRequest) -> Order | None:
        """Replace a resting order: a new oid under the same cloid. None when it no longer rests.

        As on the venue the new order's status precedes the old one's `canceled`; the old order leaves the
        book first, so that it neither matches nor reserves margin.
        """
        old = self.state.account(address).open_orders.get(oid)
        if old is None:
            return None
        updates, tx_hash = self.state.block.order_updates, self.state.new_hash()
        self.state.unrest(old, Status.CANCELED)
        canceled = updates.pop()
        new = self._place(address, (request,), tx_hash)[0]
        updates.append(canceled)
        return new

    def start_twap(self, address: str, request: TwapRequest) -> Twap:
        """Start a TWAP for an address."""
        self.state.account(address)
        return self.twaps.start(address, request)

    def deposit(self, address: str, amount: Decimal, dex: str = MAIN_DEX) -> None:
        """Add (or, negative, take away) collateral on a dex. It comes from outside the exchange."""
        self.transfers.bring(address, amount, dex)

    def deposit_token(self, address: str, token: int, amount: Decimal) -> None:
        """Add spot tokens from outside the exchange, at no cost basis."""
        self.transfers.bring_token(address, token, amount)

    def set_leverage(self, address: str, coin: str, leverage: int) -> None:
        """Set cross leverage, cut to the coin's most."""
        most = self.state.universe.get(coin).max_leverage
        self.state.account(address).leverage[coin] = max(1, min(leverage, most))

    def set_oracle(self, coin: str, px: Decimal) -> None:
        """Set the reference price from which the mark follows."""
        self.state.oracle[self.state.universe.get(coin).coin] = px
        self.state.repriced[coin] = None
