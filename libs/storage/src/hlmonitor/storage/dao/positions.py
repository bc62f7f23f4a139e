"""The latest account state per wallet: `hl_position_cache`, in the original's form."""

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from hlmonitor.storage.dialects import replacing, upsert
from hlmonitor.storage.original import hl_position_cache


class PositionValues(TypedDict):
    """A row of `hl_position_cache`; `updated_at` in milliseconds."""

    address: str
    spot_balances: str
    spot_total_usd: str
    futures_positions: str
    account_value: str
    total_margin_used: str
    total_ntl_pos: str
    withdrawable: str
    updated_at: int
    partition_id: int


class StoredPositions(NamedTuple):
    """A wallet's account state as it is loaded again."""

    address: str
    spot_balances: str | None
    spot_total_usd: str
    futures_positions: str | None
    account_value: str
    total_margin_used: str
    total_ntl_pos: str
    withdrawable: str
    updated_at: int


async def put(connection: AsyncConnection, rows: Sequence[PositionValues]) -> None:
    """Insert or replace; of several rows of a wallet the last wins."""
    newest = {row["address"]: row for row in rows}
    if not newest:
        return
    changes = replacing(*(column for column in PositionValues.__annotations__ if column != "address"))
    await connection.execute(upsert(connection, hl_position_cache, ("address",), changes), list(newest.values()))


async def of_partition(connection: AsyncConnection, partition: int) -> list[StoredPositions]:
    """The partition's wallets."""
    table = hl_position_cache.c
    query = select(*(table[field] for field in StoredPositions._fields)).where(table.partition_id == partition)
    return [StoredPositions(*row) for row in await connection.execute(query)]
