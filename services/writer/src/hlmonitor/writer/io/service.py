"""The gRPC service: each rejected request says what was wrong, in which field, and whether to ask again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn, TypeAlias, TypeVar

import grpc
from sqlalchemy.ext.asyncio import AsyncConnection

from hlmonitor.domain.partitions import PARTITIONS
from hlmonitor.runtime.clock import wall_ms
from hlmonitor.runtime.logs import Log
from hlmonitor.storage import Database
from hlmonitor.storage.dao import fills, partitions, signals
from hlmonitor.storage.dao.fills import Floor
from hlmonitor.v1 import storage_pb2, storage_pb2_grpc
from hlmonitor.writer.io.committer import Committer
from hlmonitor.writer.io.load import read_partition, stored_fill, stored_signal
from hlmonitor.writer.io.retries import Patience, StoppingError
from hlmonitor.writer.settings import WriterSettings

DETAIL_KEY = "hlmonitor-refused-bin"
"""Trailing metadata of a failed call: a serialized storage.proto Refused."""

SERVICE_NAME = storage_pb2.DESCRIPTOR.services_by_name["Storage"].full_name
Reason = storage_pb2.Refused.Reason


MOST_LOOKUPS = 5_000
"""Fills and orders in one Lookup."""
MOST_SIGNALS = 1_000
"""Signals in one answer of ReadSignals."""

Q = TypeVar("Q")
T = TypeVar("T")
R = TypeVar("R")
Context: TypeAlias = grpc.aio.ServicerContext[Q, R]


class _StaleEpochError(Exception):
    def __init__(self, current: int) -> None:
        super().__init__()
        self.current = current


@dataclass(slots=True)
class StorageService(storage_pb2_grpc.StorageServicer):
    """Storage of storage.proto."""

    database: Database
    committer: Committer
    patience: Patience
    settings: WriterSettings
    log: Log
    loads: asyncio.Semaphore

    async def AcquireEpoch(  # noqa: N802 the name is gRPC's
        self,
        request: storage_pb2.AcquireEpochRequest,
        context: Context[storage_pb2.AcquireEpochRequest, storage_pb2.AcquireEpochResponse],
    ) -> storage_pb2.AcquireEpochResponse:
        """Raise the partition's epoch."""
        if request.partition >= PARTITIONS:
            await _reject_partition(context, request.partition)
        try:
            epoch = await self.patience.until_done("acquire", lambda: self._acquire(request))
        except StoppingError:
            await _reject_stopping(context)
        self.log.info("partition_acquired", partition=request.partition, epoch=epoch, owner=request.owner)
        return storage_pb2.AcquireEpochResponse(epoch=epoch)

    async def LoadPartition(  # noqa: N802 the name is gRPC's
        self,
        request: storage_pb2.LoadPartitionRequest,
        context: Context[storage_pb2.LoadPartitionRequest, storage_pb2.LoadPartitionResponse],
    ) -> AsyncIterator[storage_pb2.LoadPartitionResponse]:
        """Everything of the partition, as one snapshot."""
        if request.partition >= PARTITIONS:
            await _reject_partition(context, request.partition)
        async with self.loads:
            items = await self._read(context, request.partition, "load", lambda: self._load(request))
            for item in items:
                yield item

    async def Lookup(  # noqa: N802 the name is gRPC's
        self,
        request: storage_pb2.LookupRequest,
        context: Context[storage_pb2.LookupRequest, storage_pb2.LookupResponse],
    ) -> storage_pb2.LookupResponse:
        """Which of the fills and orders are stored."""
        if request.partition >= PARTITIONS:
            await _reject_partition(context, request.partition)
        if len(request.digests) + len(request.order_ids) + len(request.resting_orders) > MOST_LOOKUPS:
            detail = f"at most {MOST_LOOKUPS} fills and orders may be asked for at once"
            refused = storage_pb2.Refused(reason=Reason.REASON_INVALID, detail=detail, field="digests")
            await _reject(context, grpc.StatusCode.INVALID_ARGUMENT, refused)
        return await self._read(context, request.partition, "lookup", lambda: self._lookup(request))

    async def ReadSignals(  # noqa: N802 the name is gRPC's
        self,
        request: storage_pb2.ReadSignalsRequest,
        context: Context[storage_pb2.ReadSignalsRequest, storage_pb2.ReadSignalsResponse],
    ) -> storage_pb2.ReadSignalsResponse:
        """A wallet's signals from a number on."""
        if request.partition >= PARTITIONS:
            await _reject_partition(context, request.partition)
        return await self._read(context, request.partition, "read_signals", lambda: self._read_signals(request))

    async def Commit(  # type: ignore[override]  # noqa: N802 replies are written as they come, which the stub has no type for
        self,
        request_iterator: AsyncIterator[storage_pb2.CommitBatch],
        context: Context[storage_pb2.CommitBatch, storage_pb2.CommitReply],
    ) -> None:
        """Answer each batch when its transaction is committed; a full queue means that the stream is not read."""
        # At once, so that a client can tell an open stream from a writer that is away before it has a batch.
        await context.send_initial_metadata(())
        # Only one write of a stream may be under way.
        writing = asyncio.Lock()
        stopping = False
        try:
            async with asyncio.TaskGroup() as tasks:
                async for batch in request_iterator:
                    if problem := _problem(batch):
                        async with writing:
                            await context.write(_invalid(batch, *problem))
                        continue
                    await self.committer.admit()
                    answering = tasks.create_task(self._answer(batch, context, writing))
                    # Not in the task itself: one that is cancelled before its first step runs nothing.
                    answering.add_done_callback(lambda _: self.committer.leave())
        except* StoppingError:
            stopping = True
        # Until Python 3.11.3, what except* raises comes out in a group again, which gRPC would take for a crash.
        if stopping:
            await _reject_stopping(context)

    async def _answer(
        self,
        batch: storage_pb2.CommitBatch,
        context: Context[storage_pb2.CommitBatch, storage_pb2.CommitReply],
        writing: asyncio.Lock,
    ) -> None:
        reply = await self.committer.commit(batch)
        async with writing:
            await context.write(reply)

    async def _read(self, context: Context[Q, R], partition: int, what: str, work: Callable[[], Awaitable[T]]) -> T:
        """What the database says to the partition's owner; the end of the call for anybody else."""
        try:
            return await self.patience.until_done(what, work)
        except StoppingError:
            await _reject_stopping(context)
        except _StaleEpochError as stale:
            await _reject_stale(context, partition, stale)

    async def _acquire(self, request: storage_pb2.AcquireEpochRequest) -> int:
        async with self.database.write() as connection:
            return await partitions.acquire(connection, request.partition, request.owner, wall_ms())

    async def _lookup(self, request: storage_pb2.LookupRequest) -> storage_pb2.LookupResponse:
        async with self.database.read() as connection:
            await _check_epoch(connection, request.partition, request.epoch)
            pairs = await fills.known(connection, request.digests)
            finished = await fills.finished_orders(connection, request.order_ids)
            resting = await fills.of_unfinished(connection, request.resting_orders)
        return storage_pb2.LookupResponse(
            known_fills=b"".join(digest + order_id for digest, order_id in pairs),
            finished_orders=finished,
            resting_fills=[stored_fill(row) for row in resting],
        )

    async def _read_signals(self, request: storage_pb2.ReadSignalsRequest) -> storage_pb2.ReadSignalsResponse:
        most = min(request.most, MOST_SIGNALS)
        async with self.database.read() as connection:
            await _check_epoch(connection, request.partition, request.epoch)
            rows = await signals.numbered(connection, request.address, request.from_number, most)
        return storage_pb2.ReadSignalsResponse(signals=[stored_signal(row) for row in rows])

    async def _load(self, request: storage_pb2.LoadPartitionRequest) -> list[storage_pb2.LoadPartitionResponse]:
        floor = Floor(
            overlap_ms=int(self.settings.known_overlap * 1000),
            without_watermark_ms=wall_ms() - int(self.settings.known_without_watermark * 1000),
        )
        async with self.database.read() as connection:
            await _check_epoch(connection, request.partition, request.epoch)
            return await read_partition(connection, request.partition, floor)


async def _check_epoch(connection: AsyncConnection, partition: int, epoch: int) -> None:
    current = await partitions.current_epoch(connection, partition)
    if current != epoch:
        raise _StaleEpochError(current)


async def _reject_stale(context: Context[Q, R], partition: int, stale: _StaleEpochError) -> NoReturn:
    refused = storage_pb2.Refused(
        reason=Reason.REASON_STALE_EPOCH,
        detail=f"partition {partition} is at epoch {stale.current}",
        field="epoch",
        current_epoch=stale.current,
    )
    await _reject(context, grpc.StatusCode.FAILED_PRECONDITION, refused)


def _problem(batch: storage_pb2.CommitBatch) -> tuple[str, str] | None:
    """What makes a batch unreadable as a whole: the field and a sentence."""
    if batch.partition >= PARTITIONS:
        return "partition", f"there is no partition {batch.partition}, the last one is {PARTITIONS - 1}"
    if batch.epoch == 0:
        return "epoch", "the epoch is missing: acquire the partition first"
    if batch.number == 0:
        return "number", "the number is missing: batches count from 1"
    return None


def _invalid(batch: storage_pb2.CommitBatch, field: str, detail: str) -> storage_pb2.CommitReply:
    refused = storage_pb2.Refused(reason=Reason.REASON_INVALID, detail=detail, field=field, retryable=False)
    return storage_pb2.CommitReply(partition=batch.partition, epoch=batch.epoch, number=batch.number, refused=refused)


async def _reject_partition(context: Context[Q, R], partition: int) -> NoReturn:
    detail = f"there is no partition {partition}, the last one is {PARTITIONS - 1}"
    refused = storage_pb2.Refused(reason=Reason.REASON_INVALID, detail=detail, field="partition")
    await _reject(context, grpc.StatusCode.INVALID_ARGUMENT, refused)


async def _reject_stopping(context: Context[Q, R]) -> NoReturn:
    refused = storage_pb2.Refused(detail="the writer is stopping", retryable=True)
    await _reject(context, grpc.StatusCode.UNAVAILABLE, refused)


async def _reject(context: Context[Q, R], code: grpc.StatusCode, refused: storage_pb2.Refused) -> NoReturn:
    await context.abort(code, refused.detail, ((DETAIL_KEY, refused.SerializeToString()),))
