"""From the contract's messages to the domain's values, with the field named when one cannot be used."""

from decimal import Decimal

from google.protobuf.message import DecodeError

from hlmonitor.aggregator.core.inputs import FillInput, StatusInput
from hlmonitor.domain.addresses import Address, AddressError, parse_address
from hlmonitor.domain.decimals import AmountError, parse_amount
from hlmonitor.domain.fills import Feed, Fill, Side, digest_of
from hlmonitor.domain.orders import episode_ref, order_id, order_of
from hlmonitor.v1 import events_pb2

_SIDES = {events_pb2.SIDE_BUY: Side.BUY, events_pb2.SIDE_SELL: Side.SELL}
_FEEDS = {
    events_pb2.FEED_USER_FILLS: Feed.USER_FILLS,
    events_pb2.FEED_USER_TWAP_SLICE_FILLS: Feed.TWAP_SLICE_FILLS,
    events_pb2.FEED_TRADES: Feed.TRADES,
    events_pb2.FEED_NODE: Feed.NODE,
}
FEED_NUMBERS = {feed: events_pb2.Feed.ValueType(number) for number, feed in _FEEDS.items()}
"""A feed as the contract numbers it."""


def feed_of(number: int) -> Feed:
    """A feed by the contract's number; one without is the wallet's own."""
    return _FEEDS.get(events_pb2.Feed.ValueType(number), Feed.USER_FILLS)


class FieldError(ValueError):
    """A field of an event cannot be used."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field


def fill_of(raw: bytes) -> Fill:
    """A fill from its serialized message.

    Raises:
        FieldError: the bytes are no Fill, or a field has no usable value.
    """
    message = events_pb2.Fill()
    try:
        message.ParseFromString(raw)
    except DecodeError as error:
        raise FieldError("fill", str(error)) from None
    if not message.coin:
        raise FieldError("coin", "is empty")
    is_trade = message.feed == events_pb2.FEED_TRADES
    if not message.HasField("start_position") and not is_trade:
        raise FieldError("start_position", "is missing")
    if not message.HasField("oid") and not is_trade:
        raise FieldError("oid", "is missing")
    if is_trade and message.tid == 0:
        raise FieldError("tid", "is missing: nothing else tells trades apart")
    liquidation = message.liquidation if message.HasField("liquidation") else None
    size = _amount("sz", message.sz)
    if size <= 0:
        raise FieldError("sz", f"{message.sz!r} is not above zero")
    return Fill(
        address=address_of(message.address),
        coin=message.coin,
        px=_amount("px", message.px),
        sz=size,
        side=_side(message.side),
        time_ms=message.time_ms,
        start_position=_amount("start_position", message.start_position or "0"),
        dir=message.dir,
        closed_pnl=_amount("closed_pnl", message.closed_pnl or "0"),
        hash=message.hash,
        oid=message.oid,
        fee=_amount("fee", message.fee or "0"),
        fee_token=message.fee_token,
        tid=message.tid,
        crossed=message.crossed,
        cloid=message.cloid if message.HasField("cloid") else None,
        twap_id=message.twap_id if message.HasField("twap_id") else None,
        liquidated_user=liquidation.liquidated_user if liquidation else None,
        feed=feed_of(message.feed),
        replayed=message.replayed,
        seeded=message.HasField("start_position"),
    )


def fill_input(raw: bytes) -> FillInput:
    """A fill from its serialized message, with its identity.

    Raises:
        FieldError: the bytes are no Fill, or a field has no usable value.
    """
    fill = fill_of(raw)
    ref = episode_ref(fill) if fill.feed is Feed.TRADES else order_of(fill)
    return FillInput(fill, raw, digest_of(fill), ref, order_id(ref))


Standing = events_pb2.Gap | events_pb2.CaughtUp | events_pb2.Opened | events_pb2.Closed
"""What a gateway says of its own view of a wallet."""

Input = FillInput | StatusInput | events_pb2.AccountSnapshot | Standing
"""What an event says, checked."""


def input_of(event: events_pb2.Event) -> tuple[Address, Input]:
    """What an event says, and of which wallet.

    Raises:
        FieldError: a field has no usable value.
    """
    match event.WhichOneof("event"):
        case "fill":
            heard = fill_input(event.fill)
            return heard.fill.address, heard
        case "order_status":
            status = status_of(event.order_status)
            return status.address, status
        case "account_snapshot":
            return address_of(event.account_snapshot.address), event.account_snapshot
        case "gap":
            return address_of(event.gap.address), event.gap
        case "caught_up":
            return address_of(event.caught_up.address), event.caught_up
        case "opened":
            return address_of(event.opened.address), event.opened
        case "closed":
            return address_of(event.closed.address), event.closed
        case None:
            raise FieldError("event", "is of an unknown kind")


def status_of(message: events_pb2.OrderStatus) -> StatusInput:
    """A status from its message.

    Raises:
        FieldError: a field has no usable value.
    """
    return StatusInput(
        address=address_of(message.address),
        coin=message.coin,
        oid=message.oid,
        twap_id=message.twap_id if message.HasField("twap_id") else None,
        status=message.status,
        orig_sz=_amount("orig_sz", message.orig_sz or "0"),
        remaining_sz=_amount("remaining_sz", message.remaining_sz or "0"),
        order_time_ms=message.order_time_ms,
        status_time_ms=message.status_time_ms,
        cloid=message.cloid if message.HasField("cloid") else None,
    )


def address_of(text: str) -> Address:
    """An address in a message.

    Raises:
        FieldError: it is none.
    """
    try:
        return parse_address(text)
    except AddressError as error:
        raise FieldError("address", str(error)) from None


def _side(value: events_pb2.Side.ValueType) -> Side:
    try:
        return _SIDES[value]
    except KeyError:
        raise FieldError("side", f"{value} is neither buy nor sell") from None


def _amount(field: str, text: str) -> Decimal:
    try:
        return parse_amount(text)
    except AmountError as error:
        raise FieldError(field, str(error)) from None
