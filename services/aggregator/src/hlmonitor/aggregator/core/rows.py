"""What an order looks like as rows of the writer's contract."""

from collections.abc import Iterable

import msgspec

from hlmonitor.aggregator.core.orders import HeldFill, LegTotals, OrderState, in_execution_order
from hlmonitor.aggregator.core.payload import UNKNOWN_CLOSE_RATE, UNKNOWN_POSITION_RATE, subject_of, v1_json
from hlmonitor.aggregator.core.signals import Signal
from hlmonitor.domain.decimals import canonical, quotient
from hlmonitor.domain.fills import Leg, is_spot
from hlmonitor.domain.orders import order_key
from hlmonitor.v1 import events_pb2, storage_pb2

STORED_SCALE = 18
"""Decimals of a stored amount (DESIGN §9)."""

LEG_NAMES = {Leg.CLOSE: storage_pb2.LEG_CLOSE, Leg.OPEN: storage_pb2.LEG_OPEN}


def fill_row(order: OrderState, held: HeldFill) -> storage_pb2.FillRow:
    """A fill as it is stored, with the signals that took its parts so far."""
    return storage_pb2.FillRow(
        digest=held.digest,
        fill=held.raw,
        order_id=order.id,
        close_number=held.taken.get(Leg.CLOSE),
        open_number=held.taken.get(Leg.OPEN),
        uncounted=held.uncounted,
    )


def order_row(
    order: OrderState, leg: Leg, totals: LegTotals, symbol: str, *, finished: bool, emitted: bool
) -> storage_pb2.OrderRow:
    """A leg's row of `hl_order_aggregation`; the fills' JSON goes with it when the leg was emitted."""
    row = storage_pb2.OrderRow(
        order_key=order_key(order.ref, leg),
        order_id=order.id,
        address=order.ref.address,
        oid=order.ref.oid,
        leg=LEG_NAMES[leg],
        direction=_direction(order.ref.coin, leg, totals),
        symbol=symbol,
        coin=order.ref.coin,
        total_size=canonical(totals.size),
        weighted_avg_px=canonical(quotient(totals.notional, totals.size, STORED_SCALE)),
        order_status=_status(order, finished=finished),
        last_fill_time_s=totals.last_received_at_ms // 1000,
        signal_sent=leg not in order.pending_legs,
        finished=finished,
    )
    if emitted and not order.is_revived:
        row.fills_json = _fills_json(held for held in order.fills.values() if held.part(leg) and not held.uncounted)
    return row


def status_row(order: OrderState, *, resolved: bool) -> storage_pb2.StatusRow:
    """The terminal status that an order waits with."""
    status = order.status
    assert status is not None, "only an order with a status has a status row"  # noqa: S101 a broken invariant
    return storage_pb2.StatusRow(
        order_id=order.id,
        resolved=resolved,
        status=events_pb2.OrderStatus(
            address=order.ref.address,
            coin=order.ref.coin,
            oid=0 if order.ref.twap_id is not None else order.ref.oid,
            twap_id=order.ref.twap_id,
            orig_sz=canonical(status.orig_sz),
            remaining_sz=canonical(status.orig_sz - status.filled),
            status=status.status,
            order_time_ms=order.order_time_ms,
            status_time_ms=status.time_ms,
            cloid=order.cloid,
        ),
    )


def signal_row(signal: Signal) -> storage_pb2.SignalRow:
    """A signal as it is stored: the bytes to publish, and the original's columns."""
    return storage_pb2.SignalRow(
        signal_id=signal.id,
        address=signal.address,
        number=signal.number,
        subject=subject_of(signal),
        payload=v1_json(signal),
        symbol=signal.symbol,
        coin_type=signal.coin_type,
        asset_type=signal.asset_type,
        direction=signal.direction.value,
        side=signal.side,
        position_rate=canonical(UNKNOWN_POSITION_RATE if signal.position_rate is None else signal.position_rate),
        position_size=signal.position_size,
        close_rate=canonical(UNKNOWN_CLOSE_RATE if signal.close_rate is None else signal.close_rate),
        price=canonical(signal.price),
        size=canonical(signal.size),
        decided_at_ms=signal.decided_at_ms,
    )


def _status(order: OrderState, *, finished: bool) -> str:
    if order.status:
        return order.status.status
    # The venue tells no status of its own orders: when all of one was seen, it is what the original calls filled.
    return "filled" if finished and order.ref.is_system else "open"


def _direction(coin: str, leg: Leg, totals: LegTotals) -> str:
    if is_spot(coin):
        return "Buy" if leg is Leg.OPEN else "Sell"
    return f"{leg.value.title()} {'Long' if totals.long else 'Short'}"


def _fills_json(helds: Iterable[HeldFill]) -> str:
    return msgspec.json.encode([_venue_row(held) for held in in_execution_order(helds)]).decode()


def _venue_row(held: HeldFill) -> dict[str, object]:
    fill = held.fill
    row: dict[str, object] = {
        "coin": fill.coin,
        "px": canonical(fill.px),
        "sz": canonical(fill.sz),
        "side": fill.side.value,
        "time": fill.time_ms,
        "startPosition": canonical(fill.start_position) if fill.seeded else None,
        "dir": fill.dir,
        "closedPnl": canonical(fill.closed_pnl),
        "hash": fill.hash,
        "oid": fill.oid,
        "crossed": fill.crossed,
        "fee": canonical(fill.fee),
        "tid": fill.tid,
        "feeToken": fill.fee_token,
        "twapId": fill.twap_id,
    }
    return row | ({"cloid": fill.cloid} if fill.cloid else {})
