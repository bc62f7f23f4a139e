"""The writer's service in this process, over real gRPC and a real database."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from patient import patient_database
from sqlalchemy import text

from hlmonitor.runtime.grpc import open_channel, serve_grpc
from hlmonitor.runtime.health import Health
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.storage import Database
from hlmonitor.storage.migrate import migrate
from hlmonitor.v1 import storage_pb2, storage_pb2_grpc
from hlmonitor.writer.core.groups import GroupPlanner
from hlmonitor.writer.io.committer import Committer
from hlmonitor.writer.io.retries import Patience
from hlmonitor.writer.io.service import SERVICE_NAME, StorageService
from hlmonitor.writer.io.transaction import GroupCommit
from hlmonitor.writer.settings import WriterSettings

REPLY_TIMEOUT_S = 60


@dataclass(slots=True)
class Writer:
    """What tests do with a writer."""

    beside: Database
    """The database as the test has it, in sessions of its own."""
    stub: "storage_pb2_grpc.StorageAsyncStub"
    metrics: Metrics
    service: StorageService

    @property
    def committer(self) -> Committer:
        return self.service.committer

    async def acquire(self, partition: int) -> int:
        return (await self.stub.AcquireEpoch(storage_pb2.AcquireEpochRequest(partition=partition, owner="test"))).epoch

    async def commit(self, *batches: storage_pb2.CommitBatch) -> list[storage_pb2.CommitReply]:
        """Send all, then return the replies in the order of the batches."""
        call = self.stub.Commit(iter(batches))
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                replies = {reply_key(reply): reply async for reply in call}
        finally:
            # Whoever is cancelled before the call has begun leaves it to the garbage collector otherwise.
            call.cancel()
        return [replies[batch.partition, batch.epoch, batch.number] for batch in batches]

    async def load(self, partition: int, epoch: int) -> list[storage_pb2.LoadPartitionResponse]:
        call = self.stub.LoadPartition(storage_pb2.LoadPartitionRequest(partition=partition, epoch=epoch))
        return [item async for item in call]

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with self.beside.read() as connection:
            return [tuple(row) for row in await connection.execute(text(query))]

    async def run(self, *statements: str) -> None:
        async with self.beside.write() as connection:
            for statement in statements:
                await connection.execute(text(statement))

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"hl_monitor_{name}", labels) or 0


def reply_key(reply: storage_pb2.CommitReply) -> tuple[int, int, int]:
    return reply.partition, reply.epoch, reply.number


def only(items: Sequence[storage_pb2.LoadPartitionResponse], kind: str) -> list[Any]:
    return [getattr(item, kind) for item in items if item.WhichOneof("item") == kind]


@asynccontextmanager
async def running_writer(database_url: str, **changes: object) -> AsyncIterator[Writer]:
    await migrate(database_url)
    settings = WriterSettings.model_validate({"database_url": database_url, "instance": "test"} | changes)
    database, beside = Database(database_url), patient_database(database_url)
    metrics, log, stopping = Metrics(), structlog.stdlib.get_logger("test"), asyncio.Event()
    patience = Patience(Health().component("database"), log, settings.transaction_timeout, stopping)
    committer = Committer(
        database=database,
        patience=patience,
        group_commit=GroupCommit(int(settings.signal_expiry * 1000)),
        planner=GroupPlanner(settings.group_rows),
        metrics=metrics,
        log=log,
        room=asyncio.Semaphore(settings.queue_batches),
    )
    storage = StorageService(database, committer, patience, settings, log, asyncio.Semaphore(2))
    async with serve_grpc("127.0.0.1:0", [SERVICE_NAME], grace_s=0.1) as (server, port), asyncio.TaskGroup() as tasks:
        storage_pb2_grpc.add_StorageServicer_to_server(storage, server)
        await server.start()
        committing = tasks.create_task(committer.run())
        async with open_channel(f"127.0.0.1:{port}") as channel:
            yield Writer(beside, storage_pb2_grpc.StorageStub(channel), metrics, storage)
        stopping.set()
        committer.stop()
        await committing
    await beside.close()
    await database.close()
