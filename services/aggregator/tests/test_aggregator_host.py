"""A partition's host against a writer over real gRPC that keeps its answers back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import structlog
from aggregates import START_MS, WHALE, Desk, FixedMarkets, status_message
from model_stream import ModelStream
from stored import Stored

from hlmonitor.aggregator.io.host import PartitionHost, Shared
from hlmonitor.aggregator.io.intake import MAX_WOKEN
from hlmonitor.aggregator.io.publisher import Publisher
from hlmonitor.aggregator.io.sessions import Session, Sessions
from hlmonitor.aggregator.io.storage import StaleEpochError, StorageClient
from hlmonitor.aggregator.settings import AggregatorSettings
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.local.waiting import eventually
from hlmonitor.runtime.grpc import open_channel, serve_grpc
from hlmonitor.runtime.health import Component
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.v1 import events_pb2, storage_pb2, storage_pb2_grpc

if TYPE_CHECKING:
    import grpc

    from hlmonitor.runtime.logs import Log

TO_REST_S = 400
ORDERS = MAX_WOKEN + 20


@dataclass
class Writer(storage_pb2_grpc.StorageServicer):
    """Answers from what is stored, and look-ups only when it may."""

    stored: Stored = field(default_factory=Stored)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[storage_pb2.LookupRequest] = field(default_factory=list)
    refusals: list[storage_pb2.Refused] = field(default_factory=list)
    """What the next batches are answered with."""

    async def AcquireEpoch(  # noqa: N802 the name is gRPC's
        self, _request: storage_pb2.AcquireEpochRequest, _context: "grpc.aio.ServicerContext[object, object]"
    ) -> storage_pb2.AcquireEpochResponse:
        return storage_pb2.AcquireEpochResponse(epoch=self.stored.acquire())

    async def LoadPartition(  # noqa: N802 the name is gRPC's
        self, _request: storage_pb2.LoadPartitionRequest, _context: "grpc.aio.ServicerContext[object, object]"
    ) -> AsyncIterator[storage_pb2.LoadPartitionResponse]:
        for item in self.stored.load():
            yield item

    async def Lookup(  # noqa: N802 the name is gRPC's
        self, request: storage_pb2.LookupRequest, _context: "grpc.aio.ServicerContext[object, object]"
    ) -> storage_pb2.LookupResponse:
        self.asked.append(request)
        await self.may_answer.wait()
        return self.stored.lookup(request)

    async def ReadSignals(  # noqa: N802 the name is gRPC's
        self, request: storage_pb2.ReadSignalsRequest, _context: "grpc.aio.ServicerContext[object, object]"
    ) -> storage_pb2.ReadSignalsResponse:
        return storage_pb2.ReadSignalsResponse(signals=self.stored.read_signals(request))

    async def Commit(  # noqa: N802 the name is gRPC's
        self,
        request_iterator: AsyncIterator[storage_pb2.CommitBatch],
        _context: "grpc.aio.ServicerContext[object, object]",
    ) -> AsyncIterator[storage_pb2.CommitReply]:
        async for batch in request_iterator:
            reply = storage_pb2.CommitReply(partition=batch.partition, epoch=batch.epoch, number=batch.number)
            if self.refusals:
                reply.refused.CopyFrom(self.refusals.pop())
            else:
                self.stored.apply(batch)
                reply.done.SetInParent()
            yield reply


@asynccontextmanager
async def _owning(writer: Writer) -> AsyncIterator[tuple[PartitionHost, asyncio.Task[None]]]:
    log: Log = structlog.stdlib.get_logger("test")
    async with serve_grpc("127.0.0.1:0", ()) as (server, port):
        storage_pb2_grpc.add_StorageServicer_to_server(writer, server)
        await server.start()
        settings, metrics = AggregatorSettings(), Metrics()
        async with open_channel(f"127.0.0.1:{port}") as channel:
            storage = StorageClient(channel, Component("writer"), log, "test")
            publisher = Publisher(ModelStream(), settings, metrics, log)
            shared = Shared(settings, storage, publisher, Sessions(), FixedMarkets(), metrics, log)
            host = PartitionHost(0, shared, {WHALE: WatchEntry(address=WHALE, watch_from_ms=0)})
            running = asyncio.create_task(host.run())
            committing = asyncio.create_task(storage.run())
            try:
                await eventually(lambda: host.state == "ready", "the partition is loaded")
                yield host, running
            finally:
                for task in (running, committing):
                    task.cancel()
                await asyncio.wait({running, committing})


def _resting(count: int) -> Stored:
    """A store with so many orders that rest."""
    desk, stored = Desk(), Stored()
    for oid in range(1, count + 1):
        desk.fill(oid=oid, tid=oid, sz="0.4")
    desk.wait(TO_REST_S)
    desk.commit()
    for batch in desk.batches:
        stored.apply(batch)
    for row in desk.rows:
        stored.published[row.signal_id] = row.number
    return stored


def _end(oid: int) -> events_pb2.Event:
    status = status_message(oid=oid, status="canceled", remaining_sz="0.6", status_time_ms=START_MS + 1)
    return events_pb2.Event(seq=oid, received_at_ms=START_MS + 1, order_status=status)


async def test_partition_is_let_go_while_storage_does_not_answer() -> None:
    writer = Writer(_resting(1))
    async with _owning(writer) as (host, running):
        host.take(Session(), _end(1))
        await eventually(lambda: bool(writer.asked), "storage is asked")
        host.release()
        async with asyncio.timeout(5):
            await running


async def test_mass_cancel_of_resting_orders_is_asked_in_parts_and_ends_them_all() -> None:
    writer = Writer(_resting(ORDERS))
    async with _owning(writer) as (host, _):
        session = Session()
        for oid in range(1, ORDERS + 1):
            host.take(session, _end(oid))
        await eventually(lambda: bool(writer.asked), "storage is asked")
        writer.may_answer.set()
        await eventually(lambda: all(row.finished for row in writer.stored.rows.values()), "all orders ended")
        sizes = [len(asked.resting_orders) for asked in writer.asked]
        assert (sum(sizes), max(sizes)) == (ORDERS, MAX_WOKEN)
        assert host.open_orders == 0


async def test_owner_whose_batch_is_refused_for_its_epoch_says_that_it_lost_the_partition() -> None:
    stale = storage_pb2.Refused(reason=storage_pb2.Refused.REASON_STALE_EPOCH)
    writer = Writer(_resting(1), refusals=[stale])
    writer.may_answer.set()
    async with _owning(writer) as (host, running):
        host.take(Session(), _end(1))
        with pytest.raises(StaleEpochError):
            await running


async def test_partition_whose_batch_is_refused_as_a_defect_is_loaded_anew() -> None:
    defect = storage_pb2.Refused(reason=storage_pb2.Refused.REASON_INVALID, field="number")
    writer = Writer(_resting(1), refusals=[defect])
    writer.may_answer.set()
    async with _owning(writer) as (host, _):
        epoch = host.epoch
        host.take(Session(), _end(1))
        await eventually(lambda: host.epoch > epoch and host.state == "ready", "the partition is loaded anew")
