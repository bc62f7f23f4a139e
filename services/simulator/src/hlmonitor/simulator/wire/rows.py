"""Rows: fills, trades, orders, TWAP states, as the venue writes them (facts 1.8, 3.1).

All amounts are strings, ids and times are numbers; optional keys are absent, not null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.orders import ZERO_HASH, Origin, Tif, Tpsl

if TYPE_CHECKING:
    from decimal import Decimal

    from hlmonitor.simulator.core.candles import Candle, Interval
    from hlmonitor.simulator.core.events import Fill, FundingPayment, OrderUpdate, Trade, TwapState, TwapUpdate
    from hlmonitor.simulator.core.orders import Order

_SYSTEM_TYPES: Final = {Origin.TWAP: "Twap Slice", Origin.DUST: "Spot Dust Conversion"}


def amount(value: Decimal) -> str:
    """Write an amount: plain notation, no trailing zeros, always at least one decimal."""
    text = format(value, "f")
    if "." not in text:
        text += ".0"
    text = text.rstrip("0")
    if text.endswith("."):
        text += "0"
    return "0.0" if text == "-0.0" else text


def fill_row(fill: Fill) -> dict[str, object]:
    """Write a WsFill."""
    row: dict[str, object] = {
        "coin": fill.coin,
        "px": amount(fill.px),
        "sz": amount(fill.sz),
        "side": fill.side,
        "time": fill.time,
        "startPosition": amount(fill.start_position),
        "dir": fill.dir,
        "closedPnl": amount(fill.closed_pnl),
        "hash": fill.hash,
        "oid": fill.oid,
        "crossed": fill.crossed,
        "fee": amount(fill.fee),
        "tid": fill.tid,
    }
    if fill.cloid is not None:
        row["cloid"] = fill.cloid
    if fill.liquidation is not None:
        row["liquidation"] = {
            "liquidatedUser": fill.liquidation.liquidated_user,
            "markPx": amount(fill.liquidation.mark_px),
            "method": fill.liquidation.method,
        }
    row["feeToken"] = fill.fee_token
    if fill.builder_fee is not None:
        row["builderFee"] = amount(fill.builder_fee)
    # Null even for a slice: the id stands beside the fill, not in it.
    row["twapId"] = None
    return row


def slice_row(fill: Fill) -> dict[str, object]:
    """Write a fill of a TWAP slice with the id of its TWAP."""
    return {"fill": fill_row(fill), "twapId": fill.twap_id}


def trade_row(trade: Trade) -> dict[str, object]:
    """Write a public trade; `users` is buyer, seller."""
    return {
        "coin": trade.coin,
        "side": trade.side,
        "px": amount(trade.px),
        "sz": amount(trade.sz),
        "time": trade.time,
        "hash": trade.hash,
        "tid": trade.tid,
        "users": (trade.buyer, trade.seller),
    }


def candle_row(coin: str, interval: Interval, candle: Candle) -> dict[str, object]:
    """Write a candle; `T` is its last millisecond."""
    return {
        "t": candle.start_ms,
        "T": interval.end_of(candle.start_ms) - 1,
        "s": coin,
        "i": interval,
        "o": amount(candle.open),
        "c": amount(candle.close),
        "h": amount(candle.high),
        "l": amount(candle.low),
        "v": amount(candle.volume),
        "n": candle.trades,
    }


def funding_row(payment: FundingPayment) -> dict[str, object]:
    """Write a payment of funding as the feeds do. `nSamples` is null: it counts the hours that older rows joined."""
    return {
        "time": payment.time,
        "coin": payment.coin,
        "usdc": amount(payment.usdc),
        "szi": amount(payment.szi),
        "fundingRate": amount(payment.rate),
        "nSamples": None,
    }


def funding_delta_row(payment: FundingPayment) -> dict[str, object]:
    """Write a payment of funding as `userFunding` nests it. No transaction causes it, so its hash is zero."""
    row = funding_row(payment)
    return {"time": row.pop("time"), "hash": ZERO_HASH, "delta": {"type": "funding", **row}}


def _basic_row(order: Order | OrderUpdate, sz: Decimal, timestamp_ms: int) -> dict[str, object]:
    """Write what every order shows. Keys that say nothing are left out."""
    row: dict[str, object] = {
        "coin": order.coin,
        "side": order.side,
        "limitPx": amount(order.limit_px),
        "sz": amount(sz),
        "oid": order.oid,
        "timestamp": timestamp_ms,
        "origSz": amount(order.orig_sz),
    }
    if order.cloid is not None:
        row["cloid"] = order.cloid
    if order.reduce_only:
        row["reduceOnly"] = True
    return row


def order_update_row(update: OrderUpdate) -> dict[str, object]:
    """Write an entry of `orderUpdates`."""
    order = _basic_row(update, update.sz, update.timestamp)
    return {"order": order, "status": update.status, "statusTimestamp": update.status_ms}


def open_order_row(order: Order) -> dict[str, object]:
    """Write an entry of `openOrders`."""
    return _basic_row(order, order.shown_sz, order.placed_ms)


def frontend_order_row(order: Order) -> dict[str, object]:
    """Write an order with everything that the frontend shows.

    A trigger order has no `tif`, and keeps its trigger fields after it triggered (the latter is an assumption).
    Children are shown while they wait for their parent's fill.
    """
    trigger = order.trigger
    return {
        "coin": order.coin,
        "side": order.side,
        "limitPx": amount(order.limit_px),
        "sz": amount(order.shown_sz),
        "oid": order.oid,
        "timestamp": order.placed_ms,
        "triggerCondition": trigger_condition(order),
        "isTrigger": trigger is not None,
        "triggerPx": "0.0" if trigger is None else amount(trigger.px),
        "children": [frontend_order_row(c) for c in order.children if c.is_open] if order.is_open else [],
        "isPositionTpsl": order.is_position_tpsl,
        "reduceOnly": order.reduce_only,
        "orderType": order_type(order),
        "origSz": amount(order.orig_sz),
        "tif": order.tif if trigger is None else None,
        "cloid": order.cloid,
    }


def trigger_condition(order: Order) -> str:
    """Write what an order waits for; the price has no trailing zeros here."""
    if order.trigger is None:
        return "N/A"
    word = "above" if order.trigger.is_above(order.side) else "below"
    return f"Price {word} {amount(order.trigger.px).removesuffix('.0')}"


def order_type(order: Order) -> str:
    """Write the kind of an order as the frontend names it."""
    if order.trigger is not None:
        kind = "Stop" if order.trigger.tpsl is Tpsl.STOP_LOSS else "Take Profit"
        return f"{kind} {'Market' if order.trigger.is_market else 'Limit'}"
    if order.is_vault_close:
        return "Vault Close"
    if order.origin in _SYSTEM_TYPES:
        return _SYSTEM_TYPES[order.origin]
    return "Market" if order.tif in {Tif.MARKET, Tif.LIQUIDATION} else "Limit"


def history_row(order: Order) -> dict[str, object]:
    """Write an order with its latest status, as `orderStatus` shows it."""
    return {"order": frontend_order_row(order), "status": order.status, "statusTimestamp": order.status_ms}


def status_change_row(update: OrderUpdate) -> dict[str, object]:
    """Write a change of an order's status with the whole order as it was then; the live one may have moved on since."""
    return {
        "order": frontend_order_row(update.order) | {"oid": update.oid, "sz": amount(update.sz)},
        "status": update.status,
        "statusTimestamp": update.status_ms,
    }


def twap_state_row(state: TwapState) -> dict[str, object]:
    """Write the state of a TWAP."""
    trigger = state.trigger
    return {
        "coin": state.coin,
        "user": state.address,
        "side": state.side,
        "sz": amount(state.sz),
        "executedSz": amount(state.executed_sz),
        "executedNtl": amount(state.executed_ntl),
        "minutes": state.minutes,
        "reduceOnly": state.reduce_only,
        "randomize": state.randomize,
        "timestamp": state.timestamp,
        "stopPx": None if state.stop_px is None else amount(state.stop_px),
        "trigger": None if trigger is None else {"px": amount(trigger.px), "above": trigger.above},
    }


def twap_history_row(update: TwapUpdate) -> dict[str, object]:
    """Write a row of the TWAP history; its time is in seconds, and only an error is described."""
    status: dict[str, object] = {"status": update.status}
    if update.description is not None:
        status["description"] = update.description
    return {
        "time": update.time_s,
        "state": twap_state_row(update.state),
        "status": status,
        "twapId": update.state.twap_id,
    }
