"""Fills of the `trades` feed: from which position they start, and which episode they belong to.

A row that only REST shows of a wallet that is watched by trades goes the same way.
"""

from dataclasses import replace

from msgspec.structs import replace as replace_fields

from hlmonitor.aggregator.core.batch import Outbox
from hlmonitor.aggregator.core.inputs import FillInput
from hlmonitor.aggregator.core.orders import OrderState
from hlmonitor.aggregator.core.wallet import Wallet
from hlmonitor.domain.decimals import canonical
from hlmonitor.domain.fills import Feed, Fill, is_spot, split
from hlmonitor.domain.orders import Kind, OrderId, OrderRef, episode_ref, order_id
from hlmonitor.v1 import events_pb2, storage_pb2


def belongs_to_episode(wallet: Wallet, heard: FillInput) -> bool:
    """Whether a new fill is put together with others by time, not by order. The venue's own acts are not."""
    if heard.fill.feed is Feed.TRADES:
        return True
    is_of_rest = wallet.is_by_trades and heard.fill.replayed and not heard.ref.is_system
    return is_of_rest and heard.order_id not in wallet.orders


def place(wallet: Wallet, heard: FillInput, quiet_s: float, *, is_late: bool) -> tuple[FillInput, OrderState]:
    """Find the episode that a new fill goes on with, or begin one; the fill gets its start position, if it is known.

    One of an unknown position, inside an episode that was told, or too late to be told, is an episode by itself, and
    waits for nothing.
    """
    fill = _seeded(wallet, heard.fill)
    is_unknown = not fill.seeded and not is_spot(fill.coin)
    is_alone = is_late or is_unknown or wallet.episodes.is_told(fill)
    identity = None if is_alone else wallet.episodes.near(fill, quiet_s)
    order = wallet.orders.get(identity) if identity else None
    if order is None:
        ref = episode_ref(fill)
        order = OrderState(ref, order_id(ref), is_urgent=is_alone)
        wallet.orders[order.id] = order
    if not is_alone:
        wallet.episodes.took(order.id, fill)
    if heard.fill.seeded and not is_spot(fill.coin):
        wallet.tracked.ended(fill)
    else:
        wallet.tracked.moved(fill)
    return replace(heard, fill=fill, raw=_raw(heard.raw, fill), ref=order.ref, order_id=order.id), order


def restored_order(wallet: Wallet, heard: FillInput, row: storage_pb2.FillRow) -> OrderState:
    """The order or episode of a stored fill."""
    identity = OrderId(row.order_id)
    if heard.fill.feed is not Feed.TRADES and heard.order_id == identity:
        return wallet.order(heard.ref, identity)
    wallet.is_by_trades = True
    if not row.uncounted:
        wallet.episodes.took(identity, heard.fill)
    # An episode is named by the fill that it began with; until that one is restored it has no name.
    ref = episode_ref(heard.fill)
    is_first = order_id(ref) == identity
    order = wallet.order(ref if is_first else OrderRef(ref.address, ref.coin, 0, Kind.EPISODE), identity)
    if is_first:
        order.ref = ref
    return order


def enrich(wallet: Wallet, holder: OrderId, heard: FillInput, outbox: Outbox) -> None:
    """Add what a wallet's own feed or REST tells of a trade that is known already.

    What a signal told stays as it was told; a trade that waits keeps its amounts, and the start position that its leg
    was judged by.
    """
    if heard.fill.feed is Feed.TRADES or not wallet.knows_episodes:
        return
    order = wallet.orders.get(holder)
    held = order.fills.get(heard.digest) if order else None
    if held and held.fill.feed is not Feed.TRADES:
        return
    message = events_pb2.Fill.FromString(heard.raw)
    message.feed = events_pb2.FEED_TRADES
    outbox.enrich(storage_pb2.FillRow(digest=heard.digest, fill=message.SerializeToString(), order_id=holder))
    if held:
        held.fill = _with_attributes(held.fill, heard.fill)
        if not held.taken:
            held.parts = split(held.fill)


def _with_attributes(fill: Fill, told: Fill) -> Fill:
    more = replace_fields(
        fill,
        oid=told.oid,
        dir=told.dir,
        fee=told.fee,
        fee_token=told.fee_token,
        closed_pnl=told.closed_pnl,
        cloid=told.cloid,
        twap_id=told.twap_id,
        hash=told.hash,
        crossed=told.crossed,
    )
    return more if fill.seeded else replace_fields(more, start_position=told.start_position, seeded=True)


def _seeded(wallet: Wallet, fill: Fill) -> Fill:
    if fill.seeded or is_spot(fill.coin) or events_pb2.FEED_TRADES in wallet.gaps:
        return fill
    before = wallet.tracked.before(fill)
    return fill if before is None else replace_fields(fill, start_position=before, seeded=True)


def _raw(raw: bytes, fill: Fill) -> bytes:
    """The stored message: what was followed is stored with it, so that the next owner goes on from there."""
    message = events_pb2.Fill.FromString(raw)
    if fill.feed is Feed.TRADES and fill.seeded and not message.HasField("start_position"):
        message.start_position = canonical(fill.start_position)
        return message.SerializeToString()
    return raw
