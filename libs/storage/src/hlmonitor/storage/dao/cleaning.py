"""What may be deleted, and its deletion in steps. Each function deletes one step and returns how many rows that were.

Rows without `order_key` or `signal_id` are the original's and follow its rule: by age alone. Of ours, nothing of an
order goes before its rows, and neither an unfinished order nor an unpublished signal ever goes.
"""

from typing import Any

from sqlalchemy import ColumnElement, Delete, Select, Table, and_, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hlmonitor.storage.dao.signals import LOST
from hlmonitor.storage.dialects import KEYS_AT_ONCE, among
from hlmonitor.storage.original import hl_address_signals, hl_order_aggregation
from hlmonitor.storage.tables import hl_fill, hl_order_status, hl_void_signal

_ORDERS = hl_order_aggregation.c
_SIGNALS = hl_address_signals.c


async def delete_orders(connection: AsyncConnection, before_ms: int, most: int) -> int:
    """Rows of orders of which every leg is finished and unchanged since then; rows of the original by age alone."""
    legs = hl_order_aggregation.alias("legs")
    still_needed = (
        select(legs.c.id)
        .where(legs.c.order_id == _ORDERS.order_id, or_(legs.c.finished.is_not(True), legs.c.updated_at >= before_ms))
        .exists()
    )
    ours = and_(_ORDERS.order_key.is_not(None), _ORDERS.finished.is_(True), ~still_needed)
    query = select(_ORDERS.id).where(_ORDERS.updated_at < before_ms, or_(_ORDERS.order_key.is_(None), ours))
    return await _delete_step(connection, hl_order_aggregation, _ORDERS.id, query, most)


async def delete_fills(connection: AsyncConnection, before_ms: int, most: int) -> int:
    """Fills stored before then whose order has no row any more."""
    fill = hl_fill.c
    query = select(fill.digest).where(fill.created_ms < before_ms, ~_has_order(fill.order_id))
    return await _delete_step(connection, hl_fill, fill.digest, query, most)


async def delete_statuses(connection: AsyncConnection, before_ms: int, most: int) -> int:
    """Statuses unchanged since then whose order has no row any more; one that waits for fills stays."""
    status = hl_order_status.c
    query = select(status.order_id).where(
        status.updated_ms < before_ms, status.resolved.is_(True), ~_has_order(status.order_id)
    )
    return await _delete_step(connection, hl_order_status, status.order_id, query, most)


async def delete_signals(connection: AsyncConnection, before_ms: int, most: int) -> int:
    """Signals decided before then, confirmed published, whose order has no row any more; the original's by age."""
    query = select(_SIGNALS.id).where(_SIGNALS.created_at < before_ms, _deletable_signal())
    return await _delete_step(connection, hl_address_signals, _SIGNALS.id, query, most)


async def delete_voids(connection: AsyncConnection, before_ms: int, most: int) -> int:
    """Void signals stored before then and confirmed published."""
    void = hl_void_signal.c
    query = select(void.signal_id).where(void.created_ms < before_ms, void.published_seq > LOST)
    return await _delete_step(connection, hl_void_signal, void.signal_id, query, most)


async def delete_excess_signals(connection: AsyncConnection, before_ms: int, limit: int, most: int) -> int:
    """The oldest signals above the limit, as far as they were decided before then and may go."""
    excess = await count_signals(connection) - limit
    if excess <= 0:
        return 0
    query = select(_SIGNALS.id).where(_SIGNALS.created_at < before_ms, _deletable_signal()).order_by(_SIGNALS.id)
    return await _delete_step(connection, hl_address_signals, _SIGNALS.id, query, min(most, excess))


async def count_signals(connection: AsyncConnection) -> int:
    """All rows of `hl_address_signals`."""
    return int(await connection.scalar(select(func.count()).select_from(hl_address_signals)) or 0)


def _deletable_signal() -> ColumnElement[bool]:
    published = and_(_SIGNALS.published_seq > LOST, ~_has_order(_SIGNALS.order_id))
    return or_(_SIGNALS.signal_id.is_(None), published)


def _has_order(order_id: ColumnElement[bytes]) -> ColumnElement[bool]:
    rows = hl_order_aggregation.alias("rows_of_order")
    return select(rows.c.id).where(rows.c.order_id == order_id).exists()


async def _delete_step(
    connection: AsyncConnection, table: Table, key: ColumnElement[Any], query: Select[Any], most: int
) -> int:
    """Look first, then delete by key: MySQL cannot delete from a table that a subquery of the same statement reads."""
    keys = list((await connection.scalars(query.limit(most))).all())
    for start in range(0, len(keys), KEYS_AT_ONCE):
        statement: Delete = delete(table).where(among(connection, key, keys[start : start + KEYS_AT_ONCE]))
        await connection.execute(statement)
    return len(keys)
