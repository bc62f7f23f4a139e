"""Epochs and batch numbers: `hl_partition`."""

from collections.abc import Collection, Sequence
from typing import NamedTuple, TypedDict

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hlmonitor.storage.dialects import upsert
from hlmonitor.storage.tables import hl_partition


class PartitionState(NamedTuple):
    """Who may commit what next."""

    epoch: int
    last_batch: int


class Advance(TypedDict):
    """A partition whose batch is part of the transaction."""

    id: int
    batch: int
    now_ms: int


async def acquire(connection: AsyncConnection, partition: int, owner: str, now_ms: int) -> int:
    """Raise the epoch, begin batches anew, and return the epoch."""
    statement = upsert(
        connection,
        hl_partition,
        ("partition_id",),
        lambda new: {
            "epoch": hl_partition.c.epoch + new.epoch,
            "last_batch": new.last_batch,
            "owner": new.owner,
            "updated_ms": new.updated_ms,
        },
    )
    row = {"partition_id": partition, "epoch": 1, "last_batch": 0, "owner": owner[:128], "updated_ms": now_ms}
    await connection.execute(statement, [row])
    epoch = await connection.scalar(select(hl_partition.c.epoch).where(hl_partition.c.partition_id == partition))
    return int(epoch or 0)


async def lock(connection: AsyncConnection, partitions: Collection[int]) -> dict[int, PartitionState]:
    """The states of these partitions, held until the transaction ends; without those that were never acquired.

    Rows are locked in the order of their numbers, so that two writers cannot wait for each other.
    """
    table = hl_partition
    query = (
        select(table.c.partition_id, table.c.epoch, table.c.last_batch)
        .where(table.c.partition_id.in_(sorted(partitions)))
        .order_by(table.c.partition_id)
        .with_for_update()
    )
    rows = await connection.execute(query)
    return {row.partition_id: PartitionState(row.epoch, row.last_batch) for row in rows}


async def current_epoch(connection: AsyncConnection, partition: int) -> int:
    """The epoch that may commit, 0 when the partition was never acquired."""
    epoch = await connection.scalar(select(hl_partition.c.epoch).where(hl_partition.c.partition_id == partition))
    return int(epoch or 0)


async def advance(connection: AsyncConnection, rows: Sequence[Advance]) -> None:
    """Note that these batches are applied; part of the same transaction as their rows."""
    statement = (
        update(hl_partition)
        .where(hl_partition.c.partition_id == bindparam("id"))
        .values(last_batch=bindparam("batch"), updated_ms=bindparam("now_ms"))
    )
    await connection.execute(statement, rows)
