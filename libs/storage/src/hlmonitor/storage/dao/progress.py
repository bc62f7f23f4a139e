"""What is known of the feeds: watermarks, gaps, and statuses that wait for fills."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple, TypedDict

from sqlalchemy import ColumnElement, and_, case, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hlmonitor.storage.dialects import Columns, replacing, upsert
from hlmonitor.storage.tables import hl_gap, hl_order_status, hl_watermark

OPEN, UNPROVABLE = "open", "unprovable"


class WatermarkValues(TypedDict):
    """A row of `hl_watermark`."""

    address: str
    feed: str
    partition_id: int
    watermark_ms: int
    updated_ms: int


class GapValues(TypedDict):
    """A row of `hl_gap`."""

    address: str
    feed: str
    from_ms: int
    to_ms: int | None
    partition_id: int
    reason: str
    state: str
    updated_ms: int


class StatusValues(TypedDict):
    """A row of `hl_order_status`."""

    order_id: bytes
    partition_id: int
    address: str
    coin: str
    oid: int
    twap_id: int | None
    status: str
    orig_sz: Decimal
    remaining_sz: Decimal
    status_time_ms: int
    resolved: bool
    body: bytes
    updated_ms: int


class StoredWatermark(NamedTuple):
    """Where backfill of a wallet's feed starts."""

    address: str
    feed: str
    watermark_ms: int


class StoredGap(NamedTuple):
    """A stretch that nobody vouched for."""

    address: str
    feed: str
    from_ms: int
    to_ms: int | None
    reason: str
    state: str


class KnownGap(NamedTuple):
    """A gap of any state, as people look at it."""

    address: str
    feed: str
    from_ms: int
    to_ms: int | None
    state: str
    reason: str
    updated_ms: int


class StoredStatus(NamedTuple):
    """A terminal status that waits; `body` is the serialized OrderStatus."""

    order_id: bytes
    body: bytes


async def raise_watermarks(connection: AsyncConnection, rows: Sequence[WatermarkValues]) -> None:
    """Move the watermarks forward; one that is already further stays."""
    if not rows:
        return
    old = hl_watermark.c
    statement = upsert(
        connection,
        hl_watermark,
        ("address", "feed"),
        lambda new: {
            "watermark_ms": case((new.watermark_ms > old.watermark_ms, new.watermark_ms), else_=old.watermark_ms),
            "updated_ms": new.updated_ms,
        },
    )
    await connection.execute(statement, rows)


async def put_gaps(connection: AsyncConnection, rows: Sequence[GapValues]) -> None:
    """Insert or replace gaps; a gap is known by wallet, feed and where it begins.

    Of two that nobody can prove and that begin at the same time the longer one stays: what is told of one order must
    not shorten what is told of all.
    """
    if rows:
        await connection.execute(upsert(connection, hl_gap, ("address", "feed", "from_ms"), _newer_gap), rows)


def _newer_gap(new: Columns) -> dict[str, ColumnElement[Any]]:
    old = hl_gap.c
    # Not a parameter: the driver of MySQL takes none here when it sends many rows at once.
    unprovable = literal_column(f"'{UNPROVABLE}'", hl_gap.c.state.type)
    stays = and_(old.state == unprovable, new.state == unprovable, old.to_ms > new.to_ms)
    kept = {column: case((stays, old[column]), else_=new[column]) for column in ("to_ms", "reason")}
    return {**kept, "state": new.state, "updated_ms": new.updated_ms}


async def put_statuses(connection: AsyncConnection, rows: Sequence[StatusValues]) -> None:
    """Insert or replace statuses."""
    if rows:
        changes = replacing("status", "orig_sz", "remaining_sz", "status_time_ms", "resolved", "body", "updated_ms")
        await connection.execute(upsert(connection, hl_order_status, ("order_id",), changes), rows)


async def watermarks(connection: AsyncConnection, partition: int) -> list[StoredWatermark]:
    """All watermarks of the partition."""
    table = hl_watermark.c
    query = select(table.address, table.feed, table.watermark_ms).where(table.partition_id == partition)
    return [StoredWatermark(*row) for row in await connection.execute(query)]


async def open_gaps(connection: AsyncConnection, partition: int) -> list[StoredGap]:
    """The partition's gaps that are still open, oldest first."""
    table = hl_gap.c
    query = (
        select(*(table[field] for field in StoredGap._fields))
        .where(table.partition_id == partition, table.state == OPEN)
        .order_by(table.from_ms)
    )
    return [StoredGap(*row) for row in await connection.execute(query)]


async def known_gaps(
    connection: AsyncConnection, *, address: str | None, state: str | None, since_ms: int, most: int
) -> list[KnownGap]:
    """Gaps of one wallet or of all, of one state or any, that changed since a time; the last changed first."""
    table = hl_gap.c
    query = select(*(table[field] for field in KnownGap._fields)).where(table.updated_ms >= since_ms)
    if address is not None:
        query = query.where(table.address == address)
    if state is not None:
        query = query.where(table.state == state)
    newest_first = query.order_by(table.updated_ms.desc(), table.address, table.feed, table.from_ms.desc()).limit(most)
    return [KnownGap(*row) for row in await connection.execute(newest_first)]


async def waiting_statuses(connection: AsyncConnection, partition: int) -> list[StoredStatus]:
    """The partition's statuses whose orders were not emitted yet."""
    table = hl_order_status.c
    query = select(table.order_id, table.body).where(table.partition_id == partition, table.resolved.is_(False))
    return [StoredStatus(*row) for row in await connection.execute(query)]
