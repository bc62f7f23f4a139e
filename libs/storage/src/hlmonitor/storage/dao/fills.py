"""Fills and which signals took them: `hl_fill`."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypedDict, cast

from sqlalchemy import Column, Select, and_, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hlmonitor.storage.dao.orders import open_orders
from hlmonitor.storage.dialects import KEYS_AT_ONCE, among, insert_if_absent
from hlmonitor.storage.original import hl_order_aggregation
from hlmonitor.storage.tables import hl_fill, hl_order_status, hl_watermark

LegName = Literal["close", "open"]


class FillValues(TypedDict):
    """A row of `hl_fill`."""

    digest: bytes
    partition_id: int
    order_id: bytes
    address: str
    coin: str
    oid: int | None
    twap_id: int | None
    tid: int
    time_ms: int
    side: str
    px: Decimal
    sz: Decimal
    start_position: Decimal | None
    end_position: Decimal | None
    dir: str
    closed_pnl: Decimal
    fee: Decimal
    fee_token: str
    hash: str
    cloid: str | None
    feed: str
    uncounted: bool
    close_number: int | None
    open_number: int | None
    body: bytes
    created_ms: int


class Mark(TypedDict):
    """A fill whose part of one leg was taken by the signal of this number."""

    key: bytes
    number: int


class StoredFill(NamedTuple):
    """A fill with its marks."""

    digest: bytes
    body: bytes
    order_id: bytes
    close_number: int | None
    open_number: int | None
    uncounted: bool


class Floor(NamedTuple):
    """Which fills are recent: those later than their wallet's least watermark less `overlap_ms`.

    A wallet without a watermark: later than `without_watermark_ms` (venue time).
    """

    overlap_ms: int
    without_watermark_ms: int


class EndPosition(NamedTuple):
    """What a fill left of a position, and what it found."""

    address: str
    coin: str
    time_ms: int
    tid: int
    start: Decimal
    end: Decimal


_ENRICHED = (
    "oid", "twap_id", "start_position", "end_position", "dir", "closed_pnl", "fee", "fee_token", "hash", "cloid",
    "body",
)  # fmt: skip
_STORED = [hl_fill.c[field] for field in StoredFill._fields]


async def add(connection: AsyncConnection, rows: Sequence[FillValues]) -> int:
    """Store the fills that are not stored; returns how many were there already.

    A stored fill keeps its content. The caller holds the fills' partitions, so nobody else adds the same ones.
    """
    stored = {digest for digest, _ in await known(connection, [row["digest"] for row in rows])}
    fresh = {row["digest"]: row for row in rows if row["digest"] not in stored}
    if fresh:
        await connection.execute(insert_if_absent(connection, hl_fill, ("digest",)), list(fresh.values()))
    return len(rows) - len(fresh)


async def enrich(connection: AsyncConnection, rows: Sequence[FillValues]) -> None:
    """Add to stored trades what another feed told of them; a fill that has its order id has everything."""
    if not rows:
        return
    statement = (
        update(hl_fill)
        .where(hl_fill.c.digest == bindparam("key"), hl_fill.c.oid.is_(None))
        .values({name: bindparam(f"new_{name}") for name in _ENRICHED})
    )
    values = [cast("dict[str, Any]", row) for row in rows]
    changes = [{"key": row["digest"]} | {f"new_{name}": row[name] for name in _ENRICHED} for row in values]
    await connection.execute(statement, changes)


async def known(connection: AsyncConnection, digests: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """Digest and order id of those of these fills that are stored."""
    found: list[tuple[bytes, bytes]] = []
    for start in range(0, len(digests), KEYS_AT_ONCE):
        keys = digests[start : start + KEYS_AT_ONCE]
        query = select(hl_fill.c.digest, hl_fill.c.order_id).where(among(connection, hl_fill.c.digest, keys))
        found.extend((digest, order_id) for digest, order_id in await connection.execute(query))
    return found


async def finished_orders(connection: AsyncConnection, order_ids: Sequence[bytes]) -> list[bytes]:
    """Those of these orders that have fills and no row that is not finished."""
    rows = hl_order_aggregation.c
    unfinished = select(rows.id).where(rows.order_id == hl_fill.c.order_id, rows.finished.is_(False)).exists()
    found: list[bytes] = []
    for start in range(0, len(order_ids), KEYS_AT_ONCE):
        keys = order_ids[start : start + KEYS_AT_ONCE]
        query = select(hl_fill.c.order_id).where(among(connection, hl_fill.c.order_id, keys), ~unfinished).distinct()
        found.extend((await connection.scalars(query)).all())
    return found


async def mark(connection: AsyncConnection, leg: LegName, marks: Sequence[Mark]) -> None:
    """Note which signal took the leg's part of each fill. A mark that is there stays: no fill is taken twice."""
    if not marks:
        return
    column = hl_fill.c.close_number if leg == "close" else hl_fill.c.open_number
    statement = (
        update(hl_fill)
        .where(hl_fill.c.digest == bindparam("key"), column.is_(None))
        .values({column: bindparam("number")})
    )
    await connection.execute(statement, marks)


async def of_open_orders(connection: AsyncConnection, partition: int) -> list[StoredFill]:
    """All fills of the partition's open orders."""
    query = select(*_STORED).where(hl_fill.c.order_id.in_(open_orders(partition)))
    return [StoredFill(*row) for row in await connection.execute(query)]


async def of_unfinished(connection: AsyncConnection, order_ids: Sequence[bytes]) -> list[StoredFill]:
    """All fills of those of these orders that have a row that is not finished."""
    rows = hl_order_aggregation.c
    unfinished = select(rows.id).where(rows.order_id == hl_fill.c.order_id, rows.finished.is_(False)).exists()
    found: list[StoredFill] = []
    for start in range(0, len(order_ids), KEYS_AT_ONCE):
        keys = order_ids[start : start + KEYS_AT_ONCE]
        query = select(*_STORED).where(among(connection, hl_fill.c.order_id, keys), unfinished)
        found.extend(StoredFill(*row) for row in await connection.execute(query))
    return found


async def without_order(connection: AsyncConnection, partition: int, floor: Floor) -> list[StoredFill]:
    """Fills that no signal took and whose order has no row: so far all of the order is older than `watch_from`.

    Those that are recent, and, however old, those of an order whose end is known and that waits for more fills.
    """
    rows, status = hl_order_aggregation.c, hl_order_status.c
    waiting = (
        select(*_STORED)
        .join(hl_order_status, status.order_id == hl_fill.c.order_id)
        .where(status.partition_id == partition, status.resolved.is_(False))
    )
    has_row = select(rows.id).where(rows.order_id == hl_fill.c.order_id).exists()
    found: dict[bytes, StoredFill] = {}
    for query in (await _recent(connection, partition, floor, _STORED), waiting):
        untaken = query.where(hl_fill.c.close_number.is_(None), hl_fill.c.open_number.is_(None), ~has_row)
        found |= {row[0]: StoredFill(*row) for row in await connection.execute(untaken)}
    return list(found.values())


async def recent(connection: AsyncConnection, partition: int, floor: Floor) -> list[tuple[bytes, bytes]]:
    """Digests and order ids of the fills above the floor."""
    query = await _recent(connection, partition, floor, (hl_fill.c.digest, hl_fill.c.order_id))
    return [(digest, order_id) for digest, order_id in await connection.execute(query)]


async def _recent(
    connection: AsyncConnection, partition: int, floor: Floor, columns: Sequence[Column[Any]]
) -> Select[*tuple[Any, ...]]:
    least = (
        select(hl_watermark.c.address, (func.min(hl_watermark.c.watermark_ms) - floor.overlap_ms).label("floor"))
        .where(hl_watermark.c.partition_id == partition)
        .group_by(hl_watermark.c.address)
        .subquery()
    )
    lowest = await connection.scalar(select(func.min(least.c.floor)))
    # The bound over all wallets lets the database read a range of one index.
    start = floor.without_watermark_ms if lowest is None else min(int(lowest), floor.without_watermark_ms)
    return (
        select(*columns)
        .join(least, least.c.address == hl_fill.c.address, isouter=True)
        .where(
            hl_fill.c.partition_id == partition,
            hl_fill.c.time_ms > start,
            hl_fill.c.time_ms > func.coalesce(least.c.floor, floor.without_watermark_ms),
        )
    )


async def last_positions(connection: AsyncConnection, partition: int) -> list[EndPosition]:
    """Of each wallet and coin, the fills with a position at the latest time: more than one when they share it.

    Where the latest have none (trades of a wallet whose position was not known), older ones would mislead.
    """
    table = hl_fill.c
    latest = (
        select(table.address, table.coin, func.max(table.time_ms).label("time_ms"))
        .where(table.partition_id == partition)
        .group_by(table.address, table.coin)
        .subquery()
    )
    query = (
        select(table.address, table.coin, table.time_ms, table.tid, table.start_position, table.end_position)
        .join(
            latest,
            and_(table.address == latest.c.address, table.coin == latest.c.coin, table.time_ms == latest.c.time_ms),
        )
        .where(table.partition_id == partition, table.end_position.is_not(None))
        .order_by(table.address, table.coin, table.tid)
    )
    return [EndPosition(*row) for row in await connection.execute(query)]
