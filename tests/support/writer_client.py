"""The writer as a real process, and what an aggregator says to one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from patient import patient_database
from sqlalchemy import text
from writer_builders import PARTITION, batch, fill, order, signal, unit

from hlmonitor.local.services import ServiceProcess
from hlmonitor.runtime.grpc import open_channel
from hlmonitor.v1 import storage_pb2, storage_pb2_grpc

TIMEOUT_S = 120

Connect = Callable[[str], grpc.aio.Channel]


def writer_process(
    directory: Path, database_url: str, listen: str, *, name: str = "writer", **settings: object
) -> ServiceProcess:
    """A writer that is not started yet; a warning ends it."""
    given = {"database_url": database_url, "listen": listen} | settings
    return ServiceProcess(name, ["-W", "error", "-m", "hlmonitor.writer"], directory, given)


@asynccontextmanager
async def connected(listen: str, connect: Connect = open_channel) -> AsyncIterator["storage_pb2_grpc.StorageAsyncStub"]:
    """A stub on a channel of its own; one that `grpc.aio.insecure_channel` makes waits for a silent writer."""
    async with connect(listen) as channel:
        yield storage_pb2_grpc.StorageStub(channel)


async def acquire(listen: str, partition: int = PARTITION) -> int:
    """The new epoch."""
    async with connected(listen) as stub:
        request = storage_pb2.AcquireEpochRequest(partition=partition, owner="test")
        return (await stub.AcquireEpoch(request, timeout=TIMEOUT_S, wait_for_ready=True)).epoch


async def commit(
    listen: str, message: storage_pb2.CommitBatch, connect: Connect = open_channel
) -> storage_pb2.CommitReply:
    """The reply to a batch that is sent once, on a stream of its own."""
    async with connected(listen, connect) as stub, asyncio.timeout(TIMEOUT_S):
        async for reply in stub.Commit(iter([message]), wait_for_ready=True):
            return reply
    raise AssertionError("the stream ended without a reply")


async def scalar(database_url: str, query: str) -> int:
    """The one number that a query finds; 0 for none."""
    database = patient_database(database_url)
    try:
        async with database.read() as connection:
            return int(await connection.scalar(text(query)) or 0)
    finally:
        await database.close()


def numbered(number: int, epoch: int) -> storage_pb2.CommitBatch:
    """A batch of one whole order with the signal of that number."""
    part = unit(
        f"order-{number}",
        fills=[fill(number, order=f"order-{number}", open_number=number)],
        rows=[order(f"order-{number}", oid=number)],
        signals=[signal(number)],
    )
    return batch(number, part, epoch=epoch)
