"""Everything that a new owner must know of its partition, read in one snapshot."""

from collections.abc import Iterator
from itertools import groupby

from sqlalchemy.ext.asyncio import AsyncConnection

from hlmonitor.domain.decimals import canonical
from hlmonitor.storage.dao import counters, fills, orders, positions, progress, signals
from hlmonitor.v1 import events_pb2, storage_pb2
from hlmonitor.writer.core.positions import Step, end_of_chain
from hlmonitor.writer.io.rows import FEEDS, LEGS

PAIRS_PER_MESSAGE = 4096
IDS_PER_MESSAGE = 8192
UNPUBLISHED_AT_ONCE = 1000
"""Signals that wait for NATS and are loaded with the partition; the others are read when their turn comes."""

Item = storage_pb2.LoadPartitionResponse


async def read_partition(connection: AsyncConnection, partition: int, floor: fills.Floor) -> list[Item]:
    """The partition's items: what is open first, then what is needed to go on.

    Held in memory as a whole, so that a slow reader holds no transaction open.
    """
    held = [
        *await fills.of_open_orders(connection, partition),
        *await fills.without_order(connection, partition, floor),
    ]
    items = [Item(fill=stored_fill(row)) for row in held]
    items += [Item(order=_order(row)) for row in await orders.of_open_orders(connection, partition)]
    items += [Item(status=_status(row)) for row in await progress.waiting_statuses(connection, partition)]
    waiting = await signals.unpublished(connection, partition, UNPUBLISHED_AT_ONCE)
    items += [Item(unpublished=stored_signal(row)) for row in waiting]
    for mark in await progress.watermarks(connection, partition):
        row = storage_pb2.Watermark(address=mark.address, feed=FEEDS[mark.feed], watermark_ms=mark.watermark_ms)
        items.append(Item(watermark=row))
    items += [Item(gap=_gap(row)) for row in await progress.open_gaps(connection, partition)]
    items += [Item(last_position=row) for row in _last_positions(await fills.last_positions(connection, partition))]
    items += [Item(position_cache=_positions(row)) for row in await positions.of_partition(connection, partition)]
    resting = await orders.resting(connection, partition)
    items += [
        Item(resting_orders=b"".join(resting[start : start + IDS_PER_MESSAGE]))
        for start in range(0, len(resting), IDS_PER_MESSAGE)
    ]
    streamed = {row.digest for row in held}
    items += _known(await fills.recent(connection, partition, floor), streamed)
    last_ids = await signals.ids_of_last_published(connection, partition)
    for counter in await counters.of_partition(connection, partition):
        last_id = last_ids.get(counter.address, "")
        items.append(Item(counter=storage_pb2.AddressCounter(**counter._asdict(), published_id=last_id)))
    return items


def stored_fill(row: fills.StoredFill) -> storage_pb2.FillRow:
    """A fill as the contract has it."""
    return storage_pb2.FillRow(
        digest=row.digest,
        fill=row.body,
        order_id=row.order_id,
        close_number=row.close_number,
        open_number=row.open_number,
        uncounted=row.uncounted,
    )


def _order(row: orders.StoredOrder) -> storage_pb2.OrderRow:
    return storage_pb2.OrderRow(
        order_key=row.order_key,
        order_id=row.order_id,
        address=row.address,
        oid=row.oid,
        leg=LEGS[row.leg],
        direction=row.direction,
        symbol=row.symbol,
        coin=row.coin,
        total_size=canonical(row.total_sz),
        weighted_avg_px=canonical(row.avg_px),
        order_status=row.order_status,
        last_fill_time_s=row.last_fill_time,
        signal_sent=row.signal_sent,
        finished=row.finished,
    )


def _status(row: progress.StoredStatus) -> storage_pb2.StatusRow:
    return storage_pb2.StatusRow(order_id=row.order_id, status=events_pb2.OrderStatus.FromString(row.body))


def stored_signal(row: signals.Publishable) -> storage_pb2.SignalRow:
    """A signal as the contract has it."""
    return storage_pb2.SignalRow(
        signal_id=row.signal_id,
        address=row.address,
        number=row.number,
        subject=row.subject,
        payload=row.payload,
        symbol=row.symbol,
        coin_type=row.coin_type,
        asset_type=row.asset_type,
        direction=row.direction,
        side=row.side,
        position_rate=canonical(row.position_rate),
        position_size=row.position_size,
        close_rate=canonical(row.close_rate),
        price=canonical(row.price),
        size=canonical(row.size),
        decided_at_ms=row.created_at,
        published_seq=row.published_seq,
    )


def _gap(row: progress.StoredGap) -> storage_pb2.GapRow:
    return storage_pb2.GapRow(
        address=row.address,
        feed=FEEDS[row.feed],
        from_ms=row.from_ms,
        to_ms=row.to_ms,
        reason=row.reason,
        state=row.state,
    )


def _positions(row: positions.StoredPositions) -> storage_pb2.PositionCacheRow:
    return storage_pb2.PositionCacheRow(
        address=row.address,
        spot_balances_json=row.spot_balances or "[]",
        spot_total_usd=row.spot_total_usd,
        futures_positions_json=row.futures_positions or "[]",
        account_value=row.account_value,
        total_margin_used=row.total_margin_used,
        total_ntl_pos=row.total_ntl_pos,
        withdrawable=row.withdrawable,
        updated_at_ms=row.updated_at,
    )


def _last_positions(rows: list[fills.EndPosition]) -> Iterator[storage_pb2.LastPosition]:
    for (address, coin, time_ms), same_time in groupby(rows, key=lambda row: (row.address, row.coin, row.time_ms)):
        position = end_of_chain([Step(row.start, row.end) for row in same_time])
        yield storage_pb2.LastPosition(address=address, coin=coin, position=canonical(position), time_ms=time_ms)


def _known(pairs: list[tuple[bytes, bytes]], streamed: set[bytes]) -> list[Item]:
    rest = [digest + order_id for digest, order_id in pairs if digest not in streamed]
    return [
        Item(known_fills=b"".join(rest[start : start + PAIRS_PER_MESSAGE]))
        for start in range(0, len(rest), PAIRS_PER_MESSAGE)
    ]
