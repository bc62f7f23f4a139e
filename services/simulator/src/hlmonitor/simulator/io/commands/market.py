"""Commands that act inside a block: orders, money, prices."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from hlmonitor.simulator.core.orders import Order, OrderRequest, Side, Tif
from hlmonitor.simulator.core.twap import TwapRequest
from hlmonitor.simulator.wire.requests import Address
from hlmonitor.simulator.wire.rows import amount

from .base import BadInputError, MarketCommand, Positive

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange


class OrderBody(MarketCommand, frozen=True):
    """An order; without `px` a market order; with `modify` it replaces that oid."""

    address: Address
    coin: str
    side: Side
    sz: Decimal
    px: Decimal | None = None
    tif: Tif = Tif.GTC
    reduce_only: bool = False
    cloid: str | None = None
    modify: int | None = None

    def check(self, exchange: Exchange) -> None:
        """Raise BadInputError for what the exchange could not even look at."""
        check_coin(exchange, self.coin)
        check_amount("sz", self.sz)
        if self.px is not None:
            check_amount("px", self.px)

    def run(self, exchange: Exchange) -> Order:
        """Place or modify; the order is live, so its status may still change within the block."""
        address = self.address.lower()
        exchange.state.ledger.name(address)
        request = OrderRequest(self.coin, self.side, self.sz, self.px, self.tif, self.reduce_only, self.cloid)
        if self.modify is None:
            return exchange.place(address, request)[0]
        order = exchange.modify(address, self.modify, request)
        if order is None:
            raise BadInputError(f"modify: no resting order {self.modify} of {address}")
        return order


class CancelBody(MarketCommand, frozen=True):
    """What to cancel: one order, one TWAP, or (with neither) every resting order of the address."""

    address: Address
    oid: int | None = None
    twap_id: int | None = None

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Cancel; tells how many there were."""
        address = self.address.lower()
        if self.twap_id is not None:
            return {"canceled": int(exchange.twaps.terminate(self.twap_id))}
        if self.oid is not None:
            return {"canceled": exchange.cancel(address, self.oid)}
        return {"canceled": exchange.cancel_all(address)}


class TwapBody(MarketCommand, frozen=True):
    """A TWAP. `slice_ms` defaults to the exchange's interval."""

    address: Address
    coin: str
    side: Side
    sz: Decimal
    duration_ms: Positive
    slice_ms: Positive | None = None
    reduce_only: bool = False

    def check(self, exchange: Exchange) -> None:
        """Raise BadInputError for what the exchange could not even look at."""
        check_coin(exchange, self.coin)
        check_amount("sz", self.sz)

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Start it."""
        address = self.address.lower()
        exchange.state.ledger.name(address)
        request = TwapRequest(self.coin, self.side, self.sz, self.duration_ms, self.reduce_only, slice_ms=self.slice_ms)
        twap = exchange.start_twap(address, request)
        return {"twap_id": twap.twap_id, "slices": twap.slices, "time": twap.started_ms}


class DepositBody(MarketCommand, frozen=True):
    """Collateral on a dex, or (with `token`) a spot token. A negative amount takes it away."""

    address: Address
    amount: Decimal
    dex: str = ""
    token: int | None = None

    def check(self, exchange: Exchange) -> None:
        """Raise BadInputError for an unknown dex or token."""
        if not self.amount.is_finite():
            raise BadInputError("amount: must be a number")
        if exchange.state.universe.dex(self.dex) is None:
            raise BadInputError(f"dex: {self.dex!r} is not listed by perpDexs")
        if self.token is not None and self.token not in exchange.state.universe.token_by_index:
            raise BadInputError(f"token: {self.token} is not a token index of spotMeta")

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Move the money."""
        address = self.address.lower()
        exchange.state.ledger.name(address)
        if self.token is None:
            exchange.deposit(address, self.amount, self.dex)
        else:
            exchange.deposit_token(address, self.token, self.amount)
        return {"time": exchange.state.now_ms}


class LeverageBody(MarketCommand, frozen=True):
    """Cross leverage of an address on a coin."""

    address: Address
    coin: str
    leverage: Positive

    def check(self, exchange: Exchange) -> None:
        """Raise BadInputError for an unknown coin."""
        check_coin(exchange, self.coin)

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Set it."""
        exchange.set_leverage(self.address.lower(), self.coin, self.leverage)
        return {"time": exchange.state.now_ms}


class OracleBody(MarketCommand, frozen=True):
    """A coin's reference price. With agents on they move it on."""

    coin: str
    px: Decimal

    def check(self, exchange: Exchange) -> None:
        """Raise BadInputError for an unknown coin or a price that is none."""
        check_coin(exchange, self.coin)
        check_amount("px", self.px)

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Set it."""
        exchange.set_oracle(self.coin, self.px)
        return {"markPx": amount(exchange.state.mark(self.coin)), "time": exchange.state.now_ms}


def check_coin(exchange: Exchange, coin: str) -> None:
    """Raise BadInputError for a coin that is not listed."""
    if coin not in exchange.state.universe.by_coin:
        raise BadInputError(f"coin: {coin!r} is not listed by meta or spotMeta")


def check_amount(name: str, value: Decimal) -> None:
    """Raise BadInputError for an amount that is not a positive number."""
    if not value.is_finite() or value <= 0:
        raise BadInputError(f"{name}: must be above zero")


def reply(result: object) -> object:
    """Return what is told of a command's result, once its block is made. An order may have changed within it."""
    return order_reply(result) if isinstance(result, Order) else result


def order_reply(order: Order) -> dict[str, object]:
    """Return what a control client is told of its order."""
    return {
        "oid": order.oid,
        "status": order.status,
        "remaining": amount(order.remaining),
        "origSz": amount(order.orig_sz),
        "time": order.placed_ms,
    }
