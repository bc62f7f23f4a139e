"""Order entry: from what a wallet sends to orders that match, rest, wait, are replaced or cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .errors import RefusedError
from .orders import Grouping, Order, OrderRequest, Status, Tif
from .precision import round_px
from .triggers import check_grouping, link

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    from .matching import Matcher
    from .state import ExchangeState
    from .triggers import TriggerDesk

_MOST_PERP_BUILDER_FEE: Final = 100
_MOST_SPOT_BUILDER_FEE: Final = 1_000


class OrderEntry:
    """What wallets do with orders. Each action is one transaction."""

    def __init__(self, state: ExchangeState, matcher: Matcher, triggers: TriggerDesk) -> None:
        self._state = state
        self._matcher = matcher
        self._triggers = triggers

    def place(self, address: str, requests: Sequence[OrderRequest], grouping: Grouping) -> list[Order]:
        """Send orders in one transaction.

        Raises:
            RefusedError: the group cannot be one, or a builder was not approved. Nothing was placed.
        """
        account = self._state.account(address)
        for request in requests:
            self._check_builder(account.builders, request)
        tx_hash = self._state.new_hash()
        orders = [self._order(address, request, tx_hash) for request in requests]
        check_grouping(orders, grouping)
        link(orders, grouping)
        for order in orders[1:] if grouping is Grouping.NORMAL else ():
            self._triggers.hold_back(order)
        for order in orders[:1] if grouping is Grouping.NORMAL else orders:
            self._submit(order)
        return orders

    def _check_builder(self, approved: dict[str, int], request: OrderRequest) -> None:
        if request.builder is None:
            return
        is_spot = self._state.universe.get(request.coin).is_spot
        most = _MOST_SPOT_BUILDER_FEE if is_spot else _MOST_PERP_BUILDER_FEE
        if request.builder.tenths_bp > min(approved.get(request.builder.address, 0), most):
            raise RefusedError("Builder fee has not been approved.")

    def _order(self, address: str, request: OrderRequest, tx_hash: str) -> Order:
        state, trigger = self._state, request.trigger
        is_market = request.px is None if trigger is None else trigger.is_market
        return Order(
            oid=state.new_oid(),
            address=address,
            coin=request.coin,
            side=request.side,
            limit_px=self._limit_px(request),
            orig_sz=request.sz,
            remaining=request.sz,
            tif=Tif.MARKET if is_market else request.tif,
            reduce_only=request.reduce_only,
            cloid=request.cloid,
            placed_ms=state.now_ms,
            tx_hash=tx_hash,
            trigger=trigger,
            builder=request.builder,
        )

    def _limit_px(self, request: OrderRequest) -> Decimal:
        if request.px is not None:
            return request.px
        config = self._state.config
        if request.trigger is None:
            reference, slippage = self._state.mark(request.coin), config.market_slippage
        elif request.trigger.is_market:
            reference, slippage = request.trigger.px, config.trigger_slippage
        else:
            raise RefusedError("A trigger order that becomes a limit order needs a price.")
        return round_px(self._state.universe.get(request.coin), reference * (1 + slippage * request.side.sign))

    def _submit(self, order: Order) -> None:
        self._state.ledger.record_order(order)
        if order.trigger is None:
            self._matcher.submit(order)
        else:
            self._triggers.submit(order)
        if self._state.linked_ends:
            self._triggers.settle_links()

    def find(self, address: str, name: int | str) -> Order | None:
        """Return the open order of this oid or cloid, None when there is none; children that wait are found too."""
        account = self._state.account(address)
        if isinstance(name, int):
            return account.open_orders.get(name) or account.waiting.get(name) or account.held_back.get(name)
        mine = (*account.all_open(), *account.held_back.values())
        return next((order for order in mine if order.cloid == name), None)

    def cancel(self, address: str, names: Iterable[int | str]) -> int:
        """Cancel open orders by oid or cloid in one transaction; return how many there were."""
        found = [order for name in names if (order := self.find(address, name)) is not None]
        if found:
            self._state.new_hash()
        return self.withdraw(found, Status.CANCELED)

    def withdraw(self, orders: Iterable[Order], status: Status) -> int:
        """Take orders away with a terminal status; return how many were still open."""
        count = 0
        for order in orders:
            if order.is_open:
                self._state.withdraw(order, status)
                count += 1
            self._triggers.settle_links()
        return count

    def modify(self, address: str, changes: Iterable[tuple[int | str, OrderRequest]]) -> list[Order | None]:
        """Replace open orders in one transaction: each gets a new oid. None stands for one that is not open.

        As on the venue the new order's status precedes the old one's `canceled`; the old order leaves the
        book first, so that it neither matches nor reserves margin. The new one takes the old one's place between
        parent, children and siblings.
        """
        tx_hash = self._state.new_hash()
        return [self._replace(address, name, request, tx_hash) for name, request in changes]

    def _replace(self, address: str, name: int | str, request: OrderRequest, tx_hash: str) -> Order | None:
        old = self.find(address, name)
        if old is None or old.oid in self._state.account(address).held_back:
            return None
        self._check_builder(self._state.account(address).builders, request)
        new = self._order(address, request, tx_hash)
        if (old.trigger is None) != (new.trigger is None):
            raise RefusedError("An order cannot become a trigger order, nor cease to be one.")
        if (old.children or old.siblings) and (new.coin, new.side) != (old.coin, old.side):
            raise RefusedError("An order of a group keeps its coin and side.")
        self._inherit(old, new)
        updates = self._state.block.order_updates
        self._state.withdraw(old, Status.CANCELED)
        canceled = updates.pop()
        self._submit(new)
        updates.append(canceled)
        return new

    @staticmethod
    def _inherit(old: Order, new: Order) -> None:
        new.is_position_tpsl = old.is_position_tpsl
        new.children, new.siblings, old.children, old.siblings = old.children, old.siblings, (), ()
        for sibling in new.siblings:
            sibling.siblings = tuple(new if other is old else other for other in sibling.siblings)
