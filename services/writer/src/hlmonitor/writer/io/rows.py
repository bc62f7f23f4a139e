"""Messages of storage.proto as rows, and back. What cannot be read is the data's fault: DataRejectedError."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from typing import TypeVar

from google.protobuf.message import DecodeError

from hlmonitor.domain.addresses import AddressError, parse_address
from hlmonitor.domain.fills import Feed
from hlmonitor.storage import DataRejectedError
from hlmonitor.storage.dao.fills import FillValues, LegName
from hlmonitor.storage.dao.orders import OrderValues
from hlmonitor.storage.dao.positions import PositionValues
from hlmonitor.storage.dao.progress import GapValues, StatusValues, WatermarkValues
from hlmonitor.storage.dao.signals import SignalValues
from hlmonitor.v1 import events_pb2, storage_pb2

N = TypeVar("N", bound=str)

DIGEST_BYTES = 16
DIRECTION_LETTERS = 16
"""The original's column is this wide; longer texts of the venue ("Liquidated Cross Long") are whole in the fills."""

FEED_NAMES: Mapping[int, str] = {
    events_pb2.FEED_USER_FILLS: Feed.USER_FILLS.value,
    events_pb2.FEED_USER_TWAP_SLICE_FILLS: Feed.TWAP_SLICE_FILLS.value,
    events_pb2.FEED_TRADES: Feed.TRADES.value,
    events_pb2.FEED_NODE: Feed.NODE.value,
}
FEEDS = {name: events_pb2.Feed.ValueType(feed) for feed, name in FEED_NAMES.items()}
LEG_NAMES: Mapping[int, LegName] = {storage_pb2.LEG_CLOSE: "close", storage_pb2.LEG_OPEN: "open"}
LEGS = {str(name): storage_pb2.Leg.ValueType(leg) for leg, name in LEG_NAMES.items()}
# Two stored amounts have 38 digits each; their sum is never rounded.
_EXACT = Context(prec=80)
_SIDES: Mapping[int, str] = {events_pb2.SIDE_BUY: "B", events_pb2.SIDE_SELL: "A"}


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a batch gives to all of its rows."""

    partition: int
    now_ms: int
    signal_expiry_ms: int


def fill_values(row: storage_pb2.FillRow, stamp: Stamp) -> FillValues:
    """A fill's row."""
    fill = _read_fill(row.fill)
    size = _amount("fill.sz", fill.sz)
    side = _known(_SIDES, "fill.side", fill.side)
    start = _amount("fill.start_position", fill.start_position) if fill.HasField("start_position") else None
    return FillValues(
        digest=_digest("fill.digest", row.digest),
        partition_id=stamp.partition,
        order_id=_digest("fill.order_id", row.order_id),
        address=fill.address,
        coin=fill.coin,
        oid=fill.oid if fill.HasField("oid") else None,
        twap_id=fill.twap_id if fill.HasField("twap_id") else None,
        tid=fill.tid,
        time_ms=fill.time_ms,
        side=side,
        px=_amount("fill.px", fill.px),
        sz=size,
        start_position=start,
        end_position=None if start is None else (_EXACT.add if side == "B" else _EXACT.subtract)(start, size),
        dir=fill.dir,
        closed_pnl=_amount("fill.closed_pnl", fill.closed_pnl or "0"),
        fee=_amount("fill.fee", fill.fee or "0"),
        fee_token=fill.fee_token,
        hash=fill.hash,
        cloid=fill.cloid if fill.HasField("cloid") else None,
        feed=feed_name(fill.feed),
        uncounted=row.uncounted,
        close_number=row.close_number if row.HasField("close_number") else None,
        open_number=row.open_number if row.HasField("open_number") else None,
        body=row.fill,
        created_ms=stamp.now_ms,
    )


def order_values(row: storage_pb2.OrderRow, stamp: Stamp) -> OrderValues:
    """A leg's row."""
    total, price = _amount("order.total_size", row.total_size), _amount("order.weighted_avg_px", row.weighted_avg_px)
    return OrderValues(
        order_key=_digest("order.order_key", row.order_key),
        order_id=_digest("order.order_id", row.order_id),
        partition_id=stamp.partition,
        oid=row.oid,
        address=row.address,
        direction=row.direction[:DIRECTION_LETTERS],
        symbol=row.symbol,
        coin=row.coin,
        leg=_known(LEG_NAMES, "order.leg", row.leg),
        fills=row.fills_json if row.HasField("fills_json") else None,
        total_size=float(total),
        weighted_avg_px=float(price),
        total_sz=total,
        avg_px=price,
        order_status=row.order_status,
        last_fill_time=row.last_fill_time_s,
        signal_sent=row.signal_sent,
        finished=row.finished,
        created_at=stamp.now_ms,
        updated_at=stamp.now_ms,
    )


def status_values(row: storage_pb2.StatusRow, stamp: Stamp) -> StatusValues:
    """A waiting status' row."""
    status = row.status
    return StatusValues(
        order_id=_digest("status.order_id", row.order_id),
        partition_id=stamp.partition,
        address=status.address,
        coin=status.coin,
        oid=status.oid,
        twap_id=status.twap_id if status.HasField("twap_id") else None,
        status=status.status,
        orig_sz=_amount("status.orig_sz", status.orig_sz),
        remaining_sz=_amount("status.remaining_sz", status.remaining_sz),
        status_time_ms=status.status_time_ms,
        resolved=row.resolved,
        body=status.SerializeToString(),
        updated_ms=stamp.now_ms,
    )


def signal_values(row: storage_pb2.SignalRow, order_id: bytes, stamp: Stamp) -> SignalValues:
    """A signal's row."""
    return SignalValues(
        signal_id=row.signal_id,
        address=row.address,
        number=row.number,
        subject=row.subject,
        payload=row.payload,
        partition_id=stamp.partition,
        order_id=order_id,
        symbol=row.symbol,
        coin_type=row.coin_type,
        asset_type=row.asset_type,
        direction=row.direction,
        side=row.side,
        position_rate=_amount("signal.position_rate", row.position_rate),
        position_size=row.position_size if row.HasField("position_size") else None,
        close_rate=_amount("signal.close_rate", row.close_rate),
        price=_amount("signal.price", row.price),
        size=_amount("signal.size", row.size),
        created_at=row.decided_at_ms,
        expired_at=row.decided_at_ms + stamp.signal_expiry_ms,
    )


def watermark_values(row: storage_pb2.Watermark, stamp: Stamp) -> WatermarkValues:
    """A watermark's row."""
    return WatermarkValues(
        address=address_of(row.address),
        feed=feed_name(row.feed),
        partition_id=stamp.partition,
        watermark_ms=row.watermark_ms,
        updated_ms=stamp.now_ms,
    )


def gap_values(row: storage_pb2.GapRow, stamp: Stamp) -> GapValues:
    """A gap's row."""
    return GapValues(
        address=address_of(row.address),
        feed=feed_name(row.feed),
        from_ms=row.from_ms,
        to_ms=row.to_ms if row.HasField("to_ms") else None,
        partition_id=stamp.partition,
        reason=row.reason[:255],
        state=row.state,
        updated_ms=stamp.now_ms,
    )


def position_values(row: storage_pb2.PositionCacheRow, stamp: Stamp) -> PositionValues:
    """A position cache row."""
    return PositionValues(
        address=address_of(row.address),
        spot_balances=row.spot_balances_json or "[]",
        spot_total_usd=row.spot_total_usd or "0",
        futures_positions=row.futures_positions_json or "[]",
        account_value=row.account_value or "0",
        total_margin_used=row.total_margin_used or "0",
        total_ntl_pos=row.total_ntl_pos or "0",
        withdrawable=row.withdrawable or "0",
        updated_at=row.updated_at_ms,
        partition_id=stamp.partition,
    )


def address_of(text: str) -> str:
    """A wallet's address as it is stored.

    Raises:
        DataRejectedError: it is none.
    """
    try:
        return parse_address(text)
    except AddressError as error:
        raise DataRejectedError(str(error)) from error


def feed_name(feed: int) -> str:
    """The venue's name of a feed."""
    return _known(FEED_NAMES, "feed", feed)


def leg_name(leg: int) -> LegName:
    """`close` or `open`."""
    return _known(LEG_NAMES, "leg", leg)


def _read_fill(data: bytes) -> events_pb2.Fill:
    try:
        return events_pb2.Fill.FromString(data)
    except DecodeError as error:
        raise DataRejectedError(f"fill.fill is no serialized Fill: {error}") from error


def _digest(field: str, value: bytes) -> bytes:
    if len(value) != DIGEST_BYTES:
        raise DataRejectedError(f"{field} has {len(value)} bytes instead of {DIGEST_BYTES}")
    return value


def _amount(field: str, text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise DataRejectedError(f"{field} is {text!r}, which is not a decimal number") from error


def _known(names: Mapping[int, N], field: str, value: int) -> N:
    name = names.get(value)
    if name is None:
        raise DataRejectedError(f"{field} has the value {value}, which nothing is known of")
    return name
