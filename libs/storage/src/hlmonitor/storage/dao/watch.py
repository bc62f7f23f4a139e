"""The watch list in SQL: `hl_active_addresses` (another service's) or `hl_watch_addresses` (ours, as the original's).

Both are read and changed through one face, so that the loader and the command line agree on which table counts.
"""

from enum import StrEnum

from sqlalchemy import delete, func, insert, inspect, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hlmonitor.domain.watch import ListedAddress
from hlmonitor.storage.errors import WatchListError
from hlmonitor.storage.original import hl_active_addresses, hl_watch_addresses


class AddressSource(StrEnum):
    """Where the watch list is. `auto`: `hl_active_addresses` if it exists, else `hl_watch_addresses`."""

    AUTO = "auto"
    ACTIVE = "hl_active_addresses"
    WATCH = "hl_watch_addresses"


async def resolve(connection: AsyncConnection, source: AddressSource) -> AddressSource:
    """The table that counts: never AUTO.

    Raises:
        WatchListError: that table does not exist.
    """
    tables = set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))
    if source is AddressSource.AUTO:
        source = AddressSource.ACTIVE if AddressSource.ACTIVE in tables else AddressSource.WATCH
    if source not in tables:
        raise WatchListError(f"the table {source.value} does not exist: migrate the database, or set another source")
    return source


async def rows(connection: AsyncConnection, source: AddressSource) -> list[ListedAddress]:
    """The active rows by row id, of all servers and players: bad and repeated addresses included.

    Raises:
        WatchListError: the table does not exist.
    """
    if await resolve(connection, source) is AddressSource.ACTIVE:
        active = hl_active_addresses.c
        query = select(active.id, active.address).order_by(active.id)
        return [ListedAddress(AddressSource.ACTIVE, *row, "") for row in await connection.execute(query)]
    watch = hl_watch_addresses.c
    labelled = (
        select(watch.id, watch.address, func.coalesce(watch.nickname, ""))
        .where(watch.deleted_at.is_(None))
        .order_by(watch.id)
    )
    return [ListedAddress(AddressSource.WATCH, *row) for row in await connection.execute(labelled)]


async def add(
    connection: AsyncConnection, source: AddressSource, address: str, *, now_ms: int, owner: int, label: str = ""
) -> bool:
    """Put a wallet on the list; False when it was on it.

    `owner` is the `server_id` of hl_active_addresses or the `player_id` of hl_watch_addresses. A row that was removed
    softly becomes active again, with its new label if there is one.

    Raises:
        WatchListError: the table does not exist.
    """
    table = await resolve(connection, source)
    if any(row.address.strip().lower() == address for row in await rows(connection, table)):
        return False
    if table is AddressSource.ACTIVE:
        row = {"server_id": owner, "address": address, "created_at": now_ms, "updated_at": now_ms}
        await connection.execute(insert(hl_active_addresses), [row])
    else:
        await _revive_or_insert(connection, address, now_ms, owner, label)
    return True


async def remove(connection: AsyncConnection, source: AddressSource, address: str, *, now_ms: int) -> int:
    """Take a wallet off the list, for every server and player; returns how many rows that were.

    Rows of hl_watch_addresses are removed softly (`deleted_at`); hl_active_addresses knows no such thing.

    Raises:
        WatchListError: the table does not exist.
    """
    if await resolve(connection, source) is AddressSource.ACTIVE:
        active = hl_active_addresses.c.address
        result = await connection.execute(delete(hl_active_addresses).where(func.lower(func.trim(active)) == address))
        return int(result.rowcount)
    watch = hl_watch_addresses.c
    statement = (
        update(hl_watch_addresses)
        .where(func.lower(func.trim(watch.address)) == address, watch.deleted_at.is_(None))
        .values(deleted_at=now_ms, updated_at=now_ms)
    )
    result = await connection.execute(statement)
    return int(result.rowcount)


async def _revive_or_insert(connection: AsyncConnection, address: str, now_ms: int, owner: int, label: str) -> None:
    watch = hl_watch_addresses.c
    changes = {"deleted_at": None, "updated_at": now_ms} | ({"nickname": label} if label else {})
    revived = await connection.execute(
        update(hl_watch_addresses).where(watch.address == address, watch.player_id == owner).values(changes)
    )
    if revived.rowcount:
        return
    row = {
        "player_id": owner,
        "address": address,
        "nickname": label,
        "is_system": False,
        "created_at": now_ms,
        "updated_at": now_ms,
    }
    await connection.execute(insert(hl_watch_addresses), [row])
