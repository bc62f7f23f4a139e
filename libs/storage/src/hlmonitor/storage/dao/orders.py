"""Rows of orders' legs: `hl_order_aggregation`. Only rows with an `order_key` are ours."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, TypedDict

from sqlalchemy import Select, bindparam, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hlmonitor.storage.dialects import KEYS_AT_ONCE, among, replacing, upsert
from hlmonitor.storage.errors import DataRejectedError
from hlmonitor.storage.original import hl_order_aggregation
from hlmonitor.storage.tables import hl_order_status

_EMPTY_LIST = "[]"
_KEPT = {"order_key", "order_id", "partition_id", "created_at"}


class OrderValues(TypedDict):
    """A row of `hl_order_aggregation`. `fills` is None until a signal of the leg is emitted."""

    order_key: bytes
    order_id: bytes
    partition_id: int
    oid: int
    address: str
    direction: str
    symbol: str
    coin: str
    leg: str
    fills: str | None
    total_size: float
    weighted_avg_px: float
    total_sz: Decimal
    avg_px: Decimal
    order_status: str
    last_fill_time: int
    signal_sent: bool
    finished: bool
    created_at: int
    updated_at: int


class StoredOrder(NamedTuple):
    """A leg's row as it is loaded again."""

    order_key: bytes
    order_id: bytes
    address: str
    oid: int
    leg: str
    direction: str
    symbol: str
    coin: str
    total_sz: Decimal
    avg_px: Decimal
    order_status: str
    last_fill_time: int
    signal_sent: bool
    finished: bool


async def put(connection: AsyncConnection, rows: Sequence[OrderValues]) -> None:
    """Insert or replace the legs' rows. A row of the original for the same order and direction becomes ours.

    Raises:
        DataRejectedError: another order of ours has that order id, wallet and direction.
    """
    newest = {row["order_key"]: row for row in rows}
    await _take_over(connection, newest)
    with_fills = [row for row in newest.values() if row["fills"] is not None]
    without = [{**row, "fills": _EMPTY_LIST} for row in newest.values() if row["fills"] is None]
    await _upsert(connection, with_fills, keep_fills=False)
    await _upsert(connection, without, keep_fills=True)


async def finish_all(connection: AsyncConnection, wallets: Sequence[tuple[int, str]], now_ms: int) -> None:
    """Finish every order of these wallets (partition, address) that is not: its end will not be heard of."""
    table = hl_order_aggregation.c
    if wallets:
        statement = (
            update(hl_order_aggregation)
            .where(
                table.partition_id == bindparam("partition"),
                table.finished.is_(False),
                table.address == bindparam("wallet"),
            )
            .values(finished=True, updated_at=now_ms)
        )
        await connection.execute(statement, [{"partition": number, "wallet": wallet} for number, wallet in wallets])


async def of_open_orders(connection: AsyncConnection, partition: int) -> list[StoredOrder]:
    """All rows of the partition's orders that are open."""
    table = hl_order_aggregation.c
    query = select(*(table[field] for field in StoredOrder._fields)).where(
        table.partition_id == partition, table.order_id.in_(open_orders(partition))
    )
    return [StoredOrder(*row) for row in await connection.execute(query)]


async def resting(connection: AsyncConnection, partition: int) -> list[bytes]:
    """The ids of the partition's orders that are not finished and not open: nothing of them is to be done now."""
    table = hl_order_aggregation.c
    query = (
        select(table.order_id)
        .where(
            table.partition_id == partition,
            table.finished.is_(False),
            table.order_id.is_not(None),
            table.order_id.not_in(open_orders(partition)),
        )
        .distinct()
    )
    return [order_id for order_id in await connection.scalars(query) if order_id is not None]


def open_orders(partition: int) -> Select[tuple[bytes | None]]:
    """Ids of orders that are not finished and of which a leg was not sent, or whose end waits for fills."""
    table = hl_order_aggregation.c
    waiting = select(hl_order_status.c.order_id).where(
        hl_order_status.c.partition_id == partition, hl_order_status.c.resolved.is_(False)
    )
    return select(table.order_id).where(
        table.partition_id == partition,
        table.finished.is_(False),
        table.order_id.is_not(None),
        or_(table.signal_sent.is_(False), table.order_id.in_(waiting)),
    )


async def _upsert(connection: AsyncConnection, rows: Sequence[Mapping[str, object]], *, keep_fills: bool) -> None:
    if not rows:
        return
    kept = _KEPT | {"fills"} if keep_fills else _KEPT
    changed = [column for column in rows[0] if column not in kept]
    statement = upsert(connection, hl_order_aggregation, ("order_key",), replacing(*changed))
    await connection.execute(statement, rows)


async def _take_over(connection: AsyncConnection, rows: Mapping[bytes, OrderValues]) -> None:
    """Give rows of the original our key, so that its unique key over (oid, address, direction) is not broken.

    Looked up by hand because MySQL's upsert would silently update whichever row any unique key names.
    """
    keys = list(rows)
    for start in range(0, len(keys), KEYS_AT_ONCE):
        some = keys[start : start + KEYS_AT_ONCE]
        column = hl_order_aggregation.c.order_key
        stored = set((await connection.scalars(select(column).where(among(connection, column, some)))).all())
        await _claim(connection, {_place(rows[key]): key for key in some if key not in stored})


async def _claim(connection: AsyncConnection, wanted: Mapping[tuple[int, str, str], bytes]) -> None:
    if not wanted:
        return
    table = hl_order_aggregation.c
    place = tuple_(table.oid, table.address, table.direction)
    query = select(table.id, table.oid, table.address, table.direction, table.order_key).where(
        table.oid.in_({oid for oid, _, _ in wanted}), place.in_(list(wanted))
    )
    claims = []
    for row in await connection.execute(query):
        key = wanted.get((row.oid, row.address, row.direction))
        if key is None:
            continue
        if row.order_key is not None:
            raise DataRejectedError(
                f"order {row.oid} of {row.address} has a row for {row.direction!r} under another order key"
            )
        claims.append({"row": row.id, "key": key})
    if claims:
        statement = update(hl_order_aggregation).where(table.id == bindparam("row")).values(order_key=bindparam("key"))
        await connection.execute(statement, claims)


def _place(row: OrderValues) -> tuple[int, str, str]:
    return row["oid"], row["address"], row["direction"]
