"""What the database refused for its data: `hl_dead_letter`."""

import json
from collections.abc import Sequence
from typing import NamedTuple, TypedDict

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hlmonitor.storage.tables import hl_dead_letter


class DeadLetterValues(TypedDict):
    """A row of `hl_dead_letter`; `signal_ids` is a JSON list."""

    partition_id: int
    epoch: int
    batch: int
    kind: str
    order_id: bytes
    reason: str
    signal_ids: str
    body: bytes
    created_ms: int


class StoredDeadLetter(NamedTuple):
    """One refused unit."""

    order_id: bytes
    reason: str
    signal_ids: list[str]
    body: bytes
    """The refused message, serialized."""


async def add(connection: AsyncConnection, rows: Sequence[DeadLetterValues]) -> None:
    """Keep what was refused."""
    if rows:
        await connection.execute(insert(hl_dead_letter), rows)


async def of_batch(connection: AsyncConnection, partition: int, epoch: int, batch: int) -> list[StoredDeadLetter]:
    """What was refused of a batch, in its order."""
    table = hl_dead_letter.c
    query = (
        select(table.order_id, table.reason, table.signal_ids, table.body)
        .where(table.partition_id == partition, table.epoch == epoch, table.batch == batch)
        .order_by(table.id)
    )
    return [StoredDeadLetter(row[0], row[1], json.loads(row[2]), row[3]) for row in await connection.execute(query)]
