"""Which orders the exchange takes, and why not: the rejected family of order statuses (facts 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .accounts import ZERO
from .orders import Order, Origin, Status, Tif
from .precision import is_valid_px, is_valid_sz
from .tiers import table_of

if TYPE_CHECKING:
    from decimal import Decimal

    from .margin import Margin
    from .state import ExchangeState


class Admission:
    """Checks an order before it is matched. Changes nothing."""

    def __init__(self, state: ExchangeState, margin: Margin) -> None:
        self._state = state
        self._margin = margin

    def refusal(self, order: Order) -> Status | None:
        """Return why an order cannot be matched now, None if it can."""
        if not self._is_precise(order):
            return Status.TICK_REJECTED
        if order.origin is not Origin.ORDINARY:
            return None
        if order.coin in self._state.delisted:
            return Status.REJECTED
        return (
            self._too_small(order)
            or self._idle(order)
            or self._far_from_oracle(order)
            or self._too_many(order, is_protected=order.reduce_only)
            or self._at_cap(order)
            or self._takes(order)
            or self._beyond_tier(order)
            or self.unfunded(order)
        )

    def trigger_refusal(self, order: Order) -> Status | None:
        """Return why a trigger order cannot wait, None if it can. Margin is looked at when it triggers."""
        if not self._is_precise(order):
            return Status.TICK_REJECTED
        if order.coin in self._state.delisted:
            return Status.REJECTED
        if self._is_within(order) or self._is_due(order):
            return Status.BAD_TRIGGER_PX_REJECTED
        return self._too_small(order) or self._idle(order) or self._too_many(order, is_protected=True)

    def child_refusal(self, order: Order) -> Status | None:
        """Return why a child cannot wait for its parent, None if it can. There is no position to reduce yet."""
        if not self._is_precise(order):
            return Status.TICK_REJECTED
        return Status.BAD_TRIGGER_PX_REJECTED if self._is_within(order) else None

    def slice_refusal(self, order: Order) -> Status | None:
        """Return why a TWAP's slice cannot be sent, None if it can."""
        if order.coin in self._state.delisted:
            return Status.REJECTED
        return self._idle(order) or self._at_cap(order) or self._beyond_tier(order) or self.unfunded(order)

    def unfunded(self, order: Order) -> Status | None:
        """Return why the account cannot carry an order, None if it can."""
        account = self._state.accounts[order.address]
        if self._state.universe.get(order.coin).is_spot:
            return None if self._margin.affords(account, order) else Status.INSUFFICIENT_SPOT_BALANCE_REJECTED
        if order.reduce_only or self._margin.covers(account, order, order.limit_px):
            return None
        return Status.PERP_MARGIN_REJECTED

    def meets(self, order: Order) -> Order | None:
        """Return the resting order that this one would match first, None if it would match none."""
        best = self._state.books[order.coin].best(order.side.opposite)
        if best is None:
            return None
        # An order for an outcome's other side stands in the merged book at what is missing to one.
        px = best.limit_px if best.coin == order.coin else 1 - best.limit_px
        return best if order.crosses(px) else None

    def is_aggressive_at_cap(self, order: Order) -> bool:
        """Tell whether a coin is at its open interest cap and an order too far beyond the oracle for that."""
        if not self._state.is_at_cap(order.coin):
            return False
        oracle = self._state.oracle[order.coin]
        return (order.limit_px - oracle) * order.side.sign > oracle * self._state.config.cap_band

    def _is_precise(self, order: Order) -> bool:
        instrument = self._state.universe.get(order.coin)
        if order.trigger is not None and not is_valid_px(instrument, order.trigger.px):
            return False
        fits = (order.is_position_tpsl and not order.remaining) or is_valid_sz(instrument, order.remaining)
        return fits and is_valid_px(instrument, order.limit_px)

    @staticmethod
    def _is_within(order: Order) -> bool:
        """Tell whether the worst price of a triggered market order is not beyond the price that triggers it."""
        trigger = order.trigger
        return trigger is not None and trigger.is_market and (order.limit_px - trigger.px) * order.side.sign < 0

    def _is_due(self, order: Order) -> bool:
        return order.trigger is not None and order.trigger.is_met(order.side, self._state.mark(order.coin))

    def _too_small(self, order: Order) -> Status | None:
        if order.reduce_only or order.remaining * order.limit_px >= self._state.config.min_order_ntl:
            return None
        return Status.MIN_TRADE_NTL_REJECTED

    def _idle(self, order: Order) -> Status | None:
        if not order.reduce_only:
            return None
        is_spot = self._state.universe.get(order.coin).is_spot
        return Status.REDUCE_ONLY_REJECTED if is_spot or not self._margin.reducible(order) else None

    def _far_from_oracle(self, order: Order) -> Status | None:
        """Limit prices have to stay within 95 % of the reference price; an outcome has none, only 0 and 1."""
        if order.tif is Tif.MARKET or self._state.universe.get(order.coin).is_outcome:
            return None
        oracle = self._state.oracle[order.coin]
        far = abs(order.limit_px - oracle) > oracle * self._state.config.oracle_band
        return Status.ORACLE_REJECTED if far else None

    def _too_many(self, order: Order, *, is_protected: bool) -> Status | None:
        """From 1,000 open orders on reduce-only and trigger orders are refused, all at the account's own limit.

        That limit is 1,000 and one for every five million dollars ever traded, at most 5,000. An order that
        triggers was counted when it was placed.
        """
        config, account = self._state.config, self._state.accounts[order.address]
        if order.status is Status.TRIGGERED:
            return None
        count = len(account.open_orders) + len(account.waiting)
        if count < config.open_orders:
            return None
        extra = int(self._state.ledger.of(order.address).traded_ntl // config.volume_per_open_order)
        limit = min(config.open_orders + extra, config.most_open_orders)
        return Status.TOO_MANY_OPEN_ORDERS_REJECTED if is_protected or count >= limit else None

    def _at_cap(self, order: Order) -> Status | None:
        """What a coin's open interest cap forbids. Closing is always allowed, but not at any price."""
        state = self._state
        cap = state.caps.get(order.coin)
        if cap is None or order.reduce_only:
            return None
        szi = state.accounts[order.address].on(state.universe.get(order.coin).dex).szi(order.coin)
        if not state.is_at_cap(order.coin):
            added = self._added(szi, order) * state.mark(order.coin)
            return Status.OPEN_INTEREST_INCREASE_REJECTED if added > state.room(order.coin) else None
        if self._added(szi, order):
            flips = szi * order.side.sign < 0
            return Status.POSITION_FLIP_AT_CAP_REJECTED if flips else Status.POSITION_INCREASE_AT_CAP_REJECTED
        return Status.TOO_AGGRESSIVE_AT_CAP_REJECTED if self.is_aggressive_at_cap(order) else None

    def _beyond_tier(self, order: Order) -> Status | None:
        """A position may not grow into a margin tier that allows less leverage than the account has set."""
        account, instrument = self._state.accounts[order.address], self._state.universe.get(order.coin)
        if account.house or order.reduce_only or instrument.is_spot:
            return None
        szi = account.on(instrument.dex).szi(order.coin)
        end = abs(szi + order.remaining * order.side.sign)
        most = table_of(instrument).max_leverage(end * order.limit_px)
        is_beyond = end > abs(szi) and self._margin.leverage(account, instrument) > most
        return Status.PERP_MAX_POSITION_REJECTED if is_beyond else None

    @staticmethod
    def _added(szi: Decimal, order: Order) -> Decimal:
        """Return the size that an order opens: all of it, or what a flip leaves beyond zero."""
        if szi * order.side.sign >= 0:
            return order.remaining
        return max(order.remaining - abs(szi), ZERO)

    def _takes(self, order: Order) -> Status | None:
        is_taker = order.tif is Tif.ALO and self.meets(order) is not None
        return Status.BAD_ALO_PX_REJECTED if is_taker else None
