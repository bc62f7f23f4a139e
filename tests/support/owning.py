"""A partition's host as an aggregator runs it, with a writer over real gRPC that answers from memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
from aggregates import WHALE, FixedMarkets
from model_stream import ModelStream
from stored import Stored

from hlmonitor.aggregator.core.now import Now
from hlmonitor.aggregator.io.host import PartitionHost, Shared, clock
from hlmonitor.aggregator.io.publisher import Publisher
from hlmonitor.aggregator.io.sessions import Sessions
from hlmonitor.aggregator.io.signal_stream import SignalStream
from hlmonitor.aggregator.io.storage import StorageClient
from hlmonitor.aggregator.settings import AggregatorSettings
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.local.waiting import eventually
from hlmonitor.runtime.grpc import open_channel, serve_grpc
from hlmonitor.runtime.health import Component
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.v1 import storage_pb2, storage_pb2_grpc

if TYPE_CHECKING:
    import grpc

    from hlmonitor.runtime.logs import Log

    Context = grpc.aio.ServicerContext[object, object]


@dataclass
class StoredWriter(storage_pb2_grpc.StorageServicer):
    """Answers from what is stored, look-ups and reads only when it may."""

    stored: Stored = field(default_factory=Stored)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    may_read: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[storage_pb2.LookupRequest] = field(default_factory=list)
    reads: list[storage_pb2.ReadSignalsRequest] = field(default_factory=list)
    refusals: list[storage_pb2.Refused] = field(default_factory=list)
    """What the next batches are answered with."""
    on_commit: Callable[[storage_pb2.CommitBatch], None] = lambda _: None
    """Called when a batch is durable, before it is answered."""

    def __post_init__(self) -> None:
        """Reads are answered at first."""
        self.may_read.set()

    async def AcquireEpoch(  # noqa: N802 the name is gRPC's
        self, _request: storage_pb2.AcquireEpochRequest, _context: "Context"
    ) -> storage_pb2.AcquireEpochResponse:
        return storage_pb2.AcquireEpochResponse(epoch=self.stored.acquire())

    async def LoadPartition(  # noqa: N802 the name is gRPC's
        self, _request: storage_pb2.LoadPartitionRequest, _context: "Context"
    ) -> AsyncIterator[storage_pb2.LoadPartitionResponse]:
        for item in self.stored.load():
            yield item

    async def Lookup(  # noqa: N802 the name is gRPC's
        self, request: storage_pb2.LookupRequest, _context: "Context"
    ) -> storage_pb2.LookupResponse:
        self.asked.append(request)
        await self.may_answer.wait()
        return self.stored.lookup(request)

    async def ReadSignals(  # noqa: N802 the name is gRPC's
        self, request: storage_pb2.ReadSignalsRequest, _context: "Context"
    ) -> storage_pb2.ReadSignalsResponse:
        self.reads.append(request)
        await self.may_read.wait()
        return storage_pb2.ReadSignalsResponse(signals=self.stored.read_signals(request))

    async def Commit(  # noqa: N802 the name is gRPC's
        self, request_iterator: AsyncIterator[storage_pb2.CommitBatch], _context: "Context"
    ) -> AsyncIterator[storage_pb2.CommitReply]:
        async for batch in request_iterator:
            reply = storage_pb2.CommitReply(partition=batch.partition, epoch=batch.epoch, number=batch.number)
            if self.refusals:
                reply.refused.CopyFrom(self.refusals.pop())
            else:
                self.stored.apply(batch)
                self.on_commit(batch)
                reply.done.SetInParent()
            yield reply


@dataclass
class Owning:
    """A host at work."""

    host: PartitionHost
    running: asyncio.Task[None]
    metrics: Metrics
    late_s: float = 0.0
    """How far its monotonic clock is ahead: it believes that so much time has passed."""
    stands_at: Now | None = None
    """For it no time passes, while set."""

    def now(self) -> Now:
        now = self.stands_at or clock()
        return Now(now.mono_s + self.late_s, now.wall_ms)

    def metric(self, name: str) -> float:
        return self.metrics.registry.get_sample_value(f"hl_monitor_{name}") or 0


@asynccontextmanager
async def owning(writer: StoredWriter, stream: SignalStream | None = None, **settings: object) -> AsyncIterator[Owning]:
    """A host that has loaded its partition and ticks; at the end it is cut off as by a kill."""
    log: Log = structlog.stdlib.get_logger("test")
    async with serve_grpc("127.0.0.1:0", (), grace_s=0.1) as (server, port):
        storage_pb2_grpc.add_StorageServicer_to_server(writer, server)
        await server.start()
        given, metrics = AggregatorSettings.model_validate(settings), Metrics()
        async with open_channel(f"127.0.0.1:{port}") as channel:
            storage = StorageClient(channel, Component("writer"), log, "test")
            publisher = Publisher(stream or ModelStream(), given, metrics, log)
            shared = Shared(given, storage, publisher, Sessions(), FixedMarkets(), metrics, log)
            host = PartitionHost(0, shared, {WHALE: WatchEntry(address=WHALE, watch_from_ms=0)})
            owned = Owning(host, asyncio.create_task(host.run()), metrics)
            shared.clock = owned.now
            tasks = [owned.running, asyncio.create_task(storage.run()), asyncio.create_task(_tick(owned))]
            tasks.append(asyncio.create_task(shared.announcer.run()))
            try:
                await eventually(lambda: host.state == "ready", "the partition is loaded")
                yield owned
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)


async def _tick(owned: Owning) -> None:
    while True:
        owned.host.tick(owned.now())
        owned.host.sweep(owned.now())
        await asyncio.sleep(0.05)
