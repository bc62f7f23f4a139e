"""How each wallet is watched, for good: `hl_watch_entry`. The KV bucket that services follow is its copy.

Who changes a row holds it first, so that two programs never decide from the same state.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import Select, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.storage.dialects import KEYS_AT_ONCE, among, insert_if_absent, replacing, upsert
from hlmonitor.storage.tables import hl_watch_entry

_COLUMNS = hl_watch_entry.c


async def read(connection: AsyncConnection) -> dict[Address, WatchEntry]:
    """Every entry."""
    return {entry.address: entry for entry in await _entries(connection, _all())}


async def hold(connection: AsyncConnection, seeds: Sequence[WatchEntry], now_ms: int) -> dict[Address, WatchEntry]:
    """The stored entries of these wallets, until the transaction ends nobody else's to change; a seed where none was.

    Rows are made and held in the order of their addresses, so that two programs cannot wait for each other.
    """
    if not seeds:
        return {}
    seeds = sorted(seeds, key=lambda entry: entry.address)
    rows = [_row(entry, now_ms) for entry in seeds]
    await connection.execute(insert_if_absent(connection, hl_watch_entry, ("address",)), rows)
    held: dict[Address, WatchEntry] = {}
    for some in _in_steps([entry.address for entry in seeds]):
        query = _all().where(among(connection, _COLUMNS.address, some)).order_by(_COLUMNS.address).with_for_update()
        held |= {entry.address: entry for entry in await _entries(connection, query)}
    return held


async def put(connection: AsyncConnection, entries: Sequence[WatchEntry], now_ms: int) -> None:
    """Insert or replace entries."""
    if entries:
        changes = replacing(*(column.name for column in _COLUMNS if not column.primary_key))
        statement = upsert(connection, hl_watch_entry, ("address",), changes)
        await connection.execute(statement, [_row(entry, now_ms) for entry in entries])


async def forget(connection: AsyncConnection, addresses: Collection[Address]) -> None:
    """Delete entries."""
    for some in _in_steps(list(addresses)):
        await connection.execute(delete(hl_watch_entry).where(among(connection, _COLUMNS.address, some)))


def _in_steps(addresses: Sequence[Address]) -> Iterator[Sequence[Address]]:
    return (addresses[start : start + KEYS_AT_ONCE] for start in range(0, len(addresses), KEYS_AT_ONCE))


def _all() -> Select[tuple[Any, ...]]:
    return select(*(_COLUMNS[field] for field in WatchEntry.__struct_fields__))


async def _entries(connection: AsyncConnection, query: Select[tuple[Any, ...]]) -> list[WatchEntry]:
    return [WatchEntry(**row) for row in (await connection.execute(query)).mappings()]


def _row(entry: WatchEntry, now_ms: int) -> dict[str, object]:
    return {field: getattr(entry, field) for field in entry.__struct_fields__} | {"updated_ms": now_ms}
