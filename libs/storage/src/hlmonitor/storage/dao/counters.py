"""Signal numbers of wallets: `hl_address_counter`. Never deleted: a number is used once, whatever is cleaned."""

from collections.abc import Collection, Sequence
from typing import NamedTuple, TypedDict

from sqlalchemy import bindparam, case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hlmonitor.storage.dialects import among, upsert
from hlmonitor.storage.tables import hl_address_counter

FIRST_NUMBER = 1


class CounterValues(TypedDict):
    """A wallet's next number."""

    address: str
    partition_id: int
    next_number: int
    published_seq: int
    published_number: int


class Confirmed(TypedDict):
    """The highest number of a wallet that the stream confirmed, and its sequence."""

    wallet: str
    seq: int
    number: int


class Counter(NamedTuple):
    """A wallet's numbers; 0 where nothing was published."""

    address: str
    next_number: int
    published_seq: int
    published_number: int


async def of_addresses(connection: AsyncConnection, addresses: Collection[str]) -> dict[str, int]:
    """The next numbers of these wallets; wallets without a counter are absent and begin at 1."""
    table = hl_address_counter.c
    query = select(table.address, table.next_number).where(among(connection, table.address, addresses))
    return {row.address: row.next_number for row in await connection.execute(query)}


async def of_partition(connection: AsyncConnection, partition: int) -> list[Counter]:
    """The counters of all wallets of the partition that ever had a signal."""
    table = hl_address_counter.c
    query = select(table.address, table.next_number, table.published_seq, table.published_number).where(
        table.partition_id == partition
    )
    return [Counter(*row) for row in await connection.execute(query)]


async def raise_to(connection: AsyncConnection, next_numbers: dict[str, tuple[int, int]]) -> None:
    """Raise the wallets' next numbers: address to (partition, next number)."""
    rows: list[CounterValues] = [
        {
            "address": address,
            "partition_id": partition,
            "next_number": number,
            "published_seq": 0,
            "published_number": 0,
        }
        for address, (partition, number) in next_numbers.items()
    ]
    if not rows:
        return
    old = hl_address_counter.c.next_number
    statement = upsert(
        connection,
        hl_address_counter,
        ("address",),
        lambda new: {"next_number": case((new.next_number > old, new.next_number), else_=old)},
    )
    await connection.execute(statement, rows)


async def confirm(connection: AsyncConnection, rows: Sequence[Confirmed]) -> None:
    """Note how far the wallets' signals were confirmed; never back."""
    if not rows:
        return
    table = hl_address_counter.c
    statement = (
        update(hl_address_counter)
        .where(table.address == bindparam("wallet"), table.published_number < bindparam("number"))
        .values(published_seq=bindparam("seq"), published_number=bindparam("number"))
    )
    await connection.execute(statement, rows)


async def rewind(connection: AsyncConnection, confirmed: Confirmed) -> None:
    """Take back what was noted of a wallet: the stream has lost what came after this number."""
    statement = (
        update(hl_address_counter)
        .where(hl_address_counter.c.address == confirmed["wallet"])
        .values(published_seq=confirmed["seq"], published_number=confirmed["number"])
    )
    await connection.execute(statement)
