"""Coin categories: `pair_configs`, another service's table."""

from typing import NamedTuple

from sqlalchemy import inspect, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hlmonitor.storage.original import pair_configs


class Categories(NamedTuple):
    """Category by coin. Without the table it is empty, and every coin has the least type."""

    by_symbol: dict[str, int]
    table_exists: bool


async def categories(connection: AsyncConnection) -> Categories:
    """All categories; of several platforms the last row wins, as in the original."""
    if not await connection.run_sync(lambda sync: inspect(sync).has_table(pair_configs.name)):
        return Categories({}, table_exists=False)
    table = pair_configs.c
    query = select(table.symbol, table.category).where(table.category.is_not(None)).order_by(table.id)
    return Categories({row.symbol: row.category for row in await connection.execute(query)}, table_exists=True)
