"""Commands about orders and TWAPs."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct

from hlmonitor.simulator.core.events import TwapTrigger
from hlmonitor.simulator.core.orders import Builder, Grouping, Order, OrderRequest, Side, Status, Tif, Tpsl, Trigger
from hlmonitor.simulator.core.twap import TwapRequest
from hlmonitor.simulator.wire.addresses import Address
from hlmonitor.simulator.wire.rows import amount

from .base import BadInputError, MarketCommand, Positive
from .checks import check_amount, check_coin

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange


class TriggerPart(Struct, frozen=True, forbid_unknown_fields=True):
    """What a stop (`sl`) or take profit (`tp`) waits for; then it is a market order, or a limit order at `px`."""

    px: Decimal
    tpsl: Tpsl
    is_market: bool = True


class BuilderPart(Struct, frozen=True, forbid_unknown_fields=True):
    """Who routed the order, and its fee in tenths of a basis point; the wallet has to approve it first."""

    address: Address
    tenths_bp: Positive


class OrderPart(Struct, frozen=True, forbid_unknown_fields=True):
    """An order without its wallet; without `px` a market order; with `modify` it replaces that oid or cloid."""

    coin: str
    side: Side
    sz: Decimal
    px: Decimal | None = None
    tif: Tif = Tif.GTC
    reduce_only: bool = False
    cloid: str | None = None
    modify: int | str | None = None
    trigger: TriggerPart | None = None
    builder: BuilderPart | None = None

    def check_part(self, exchange: Exchange, *, may_be_zero: bool = False) -> None:
        """Raise BadInputError for what the exchange could not even look at."""
        check_coin(exchange, self.coin)
        if not (may_be_zero and self.sz == 0):
            check_amount("sz", self.sz)
        if self.px is not None:
            check_amount("px", self.px)
        if self.trigger is not None:
            check_amount("trigger.px", self.trigger.px)

    def request(self) -> OrderRequest:
        """Return what the exchange is asked for."""
        trigger, builder = self.trigger, self.builder
        return OrderRequest(
            self.coin,
            self.side,
            self.sz,
            self.px,
            self.tif,
            self.reduce_only,
            self.cloid,
            None if trigger is None else Trigger(trigger.px, trigger.tpsl, trigger.is_market),
            None if builder is None else Builder(builder.address.lower(), builder.tenths_bp),
        )


class OrderBody(OrderPart, MarketCommand, frozen=True, kw_only=True):
    """One order of a wallet."""

    address: Address

    def check(self, exchange: Exchange) -> None:
        """Raise BadInputError for what the exchange could not even look at."""
        self.check_part(exchange)

    def run(self, exchange: Exchange) -> Order:
        """Place or modify; the order is live, so its status may still change within the block."""
        address = self.address.lower()
        exchange.state.ledger.name(address)
        if self.modify is None:
            return exchange.place(address, self.request())[0]
        order = exchange.modify(address, self.modify, self.request())
        if order is None:
            raise BadInputError(f"modify: no open order {self.modify} of {address}")
        return order


class GroupBody(MarketCommand, frozen=True):
    """Orders of a wallet in one transaction: a batch (`na`), an entry with its stops, or stops of a position.

    If each has `modify` it is a batch modify.
    """

    address: Address
    orders: list[OrderPart]
    grouping: Grouping = Grouping.NONE

    def check(self, exchange: Exchange) -> None:
        """Raise BadInputError for what the exchange could not even look at."""
        if not self.orders:
            raise BadInputError("orders: there must be at least one")
        replacing = [order.modify is not None for order in self.orders]
        if any(replacing) and (not all(replacing) or self.grouping is not Grouping.NONE):
            raise BadInputError("modify: all orders of a batch have it or none, and no group does")
        for order in self.orders:
            order.check_part(exchange, may_be_zero=self.grouping is Grouping.POSITION)

    def run(self, exchange: Exchange) -> list[Order | None]:
        """Place or modify them; null stands for an order to be modified that was not open."""
        address = self.address.lower()
        exchange.state.ledger.name(address)
        changes = [(order.modify, order.request()) for order in self.orders if order.modify is not None]
        if changes:
            return exchange.batch_modify(address, *changes)
        return [*exchange.place(address, *(order.request() for order in self.orders), grouping=self.grouping)]


class CancelBody(MarketCommand, frozen=True):
    """What to cancel: one order (by oid or cloid), one TWAP, or (with none of them) all orders of the address."""

    address: Address
    oid: int | None = None
    cloid: str | None = None
    twap_id: int | None = None

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Cancel; tells how many there were."""
        address = self.address.lower()
        if self.twap_id is not None:
            return {"canceled": int(exchange.twaps.terminate(self.twap_id))}
        name = self.oid if self.cloid is None else self.cloid
        return {"canceled": exchange.cancel_all(address) if name is None else exchange.cancel(address, name)}


class WithdrawBody(MarketCommand, frozen=True):
    """Cancel in the exchange's own name: the open orders of an address, of a coin, of a dex' perps."""

    status: Status
    address: Address | None = None
    coin: str | None = None
    dex: str | None = None

    def check(self, exchange: Exchange) -> None:
        """Raise BadInputError for a status that no cancelled order has, and for an unknown coin or dex."""
        if not self.status.is_cancel:
            raise BadInputError(f"status: {self.status} is not a cancel")
        if self.coin is not None:
            check_coin(exchange, self.coin)
        if self.dex is not None and exchange.state.universe.dex(self.dex) is None:
            raise BadInputError(f"dex: {self.dex!r} is not listed by perpDexs")

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Cancel; tells how many there were."""
        address = None if self.address is None else self.address.lower()
        return {"canceled": exchange.withdraw_orders(self.status, address=address, coin=self.coin, dex=self.dex)}


class ScheduleCancelBody(MarketCommand, frozen=True):
    """When to cancel everything of an address, in milliseconds of venue time; without `time` never."""

    address: Address
    time: int | None = None

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Set it."""
        exchange.schedule_cancel(self.address.lower(), self.time)
        return {"time": exchange.state.now_ms}


class ApproveBuilderBody(MarketCommand, frozen=True):
    """Let a builder take up to this fee, in tenths of a basis point, from orders of an address."""

    address: Address
    builder: Address
    tenths_bp: int

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Approve it."""
        exchange.approve_builder(self.address.lower(), self.builder.lower(), self.tenths_bp)
        return {"time": exchange.state.now_ms}


class OpenInterestCapBody(MarketCommand, frozen=True):
    """The most open interest of a coin, as a notional value; without `notional` there is none."""

    coin: str
    notional: Decimal | None = None

    def check(self, exchange: Exchange) -> None:
        """Raise BadInputError for an unknown coin or a negative cap."""
        check_coin(exchange, self.coin)
        if self.notional is not None and not self.notional >= 0:
            raise BadInputError("notional: must not be below zero")

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Set it."""
        exchange.set_open_interest_cap(self.coin, self.notional)
        return {"openInterest": amount(exchange.state.open_interest[self.coin]), "time": exchange.state.now_ms}


class TwapTriggerPart(Struct, frozen=True, forbid_unknown_fields=True):
    """The mark price from which a TWAP starts: at or above it, or at or below it."""

    px: Decimal
    above: bool


class TwapBody(MarketCommand, frozen=True):
    """A TWAP. `slice_ms` defaults to the exchange's interval; beyond `stop_px` it ends."""

    address: Address
    coin: str
    side: Side
    sz: Decimal
    duration_ms: Positive
    slice_ms: Positive | None = None
    reduce_only: bool = False
    randomize: bool = False
    stop_px: Decimal | None = None
    trigger: TwapTriggerPart | None = None

    def check(self, exchange: Exchange) -> None:
        """Raise BadInputError for what the exchange could not even look at."""
        check_coin(exchange, self.coin)
        check_amount("sz", self.sz)
        if self.stop_px is not None:
            check_amount("stop_px", self.stop_px)
        if self.trigger is not None:
            check_amount("trigger.px", self.trigger.px)

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Start it."""
        address, trigger = self.address.lower(), self.trigger
        exchange.state.ledger.name(address)
        request = TwapRequest(
            self.coin,
            self.side,
            self.sz,
            self.duration_ms,
            self.reduce_only,
            self.randomize,
            self.slice_ms,
            self.stop_px,
            None if trigger is None else TwapTrigger(trigger.px, trigger.above),
        )
        twap = exchange.start_twap(address, request)
        return {"twap_id": twap.twap_id, "slices": twap.slices, "time": twap.started_ms}


def reply(result: object) -> object:
    """Return what is told of a command's result, once its block is made. An order may have changed within it."""
    if isinstance(result, list):
        return [reply(one) for one in result]
    return order_reply(result) if isinstance(result, Order) else result


def order_reply(order: Order) -> dict[str, object]:
    """Return what a control client is told of its order."""
    return {
        "oid": order.oid,
        "status": order.status,
        "remaining": amount(order.shown_sz),
        "origSz": amount(order.orig_sz),
        "time": order.placed_ms,
    }
