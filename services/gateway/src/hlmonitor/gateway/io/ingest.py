"""The stream to one aggregator: batches out, acknowledgements and requests in."""

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import grpc

from hlmonitor.gateway.core.routing import Routes
from hlmonitor.gateway.core.window import Window
from hlmonitor.runtime.core.membership import Member
from hlmonitor.runtime.grpc import open_channel
from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.v1 import ingest_pb2
from hlmonitor.v1.ingest_pb2_grpc import IngestStub
from hlmonitor.venue.core.backoff import Backoff

_IDLE_S = 0.2

Call = grpc.aio.StreamStreamCall[ingest_pb2.EventBatch, ingest_pb2.BatchReply]


@dataclass(slots=True)
class Delivery:
    """What the streams to all aggregators share."""

    incarnation: str
    gateway: str
    egress_group: str
    window: Window
    routes: Routes
    metrics: Metrics
    log: Log
    batch_events: int
    received_timeout_s: float
    on_resume: Callable[[ingest_pb2.Resume], None]
    on_backfill: Callable[[ingest_pb2.Backfill], None]
    on_acknowledged: Callable[[], None]
    introduce: Callable[[Iterable[int]], None]
    """An aggregator takes these partitions in anew, and does not know whom we serve."""


@dataclass(slots=True)
class AggregatorLink:
    """One aggregator: connected as long as it is a member, whatever happens to the stream."""

    member: Member
    delivery: Delivery
    connected: bool = False
    last_error: str = "connecting"
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _batch: int = 0
    _awaiting: int | None = None
    _pause_until: float = 0.0
    _muted: dict[int, int | None] = field(default_factory=dict)
    """Partitions that were refused, and the first batch that had their events again: until it is received, an
    acknowledgement may speak of events that came after the refused ones, and would forget those with them."""

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    async def run(self) -> None:
        """Keep the stream up until cancelled."""
        backoff = Backoff(initial_s=0.2, most_s=2.0)
        while True:
            try:
                await self._stream()
            except (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError, TimeoutError) as error:
                self._lost(error)
            else:
                self._lost("the aggregator ended the stream")
            if self._batch:
                backoff.succeeded()
            await asyncio.sleep(backoff.next_delay(random.random()))  # noqa: S311 jitter

    def _lost(self, why: object) -> None:
        text = f"{why.code().name}: {why.details()}" if isinstance(why, grpc.aio.AioRpcError) else repr(why)
        if self.connected:
            self.delivery.log.warning("aggregator_lost", aggregator=self.member.name, error=text)
        self.connected, self.last_error = False, text

    async def _stream(self) -> None:
        self._batch, self._awaiting, self._pause_until = 0, None, 0.0
        self._muted.clear()
        async with open_channel(self.member.address) as channel:
            async with asyncio.timeout(self.delivery.received_timeout_s):
                await channel.channel_ready()
            call: Call = IngestStub(channel).Push()
            self._rewind()
            self.connected = True
            self.delivery.log.info("aggregator_connected", aggregator=self.member.name, address=self.member.address)
            self.delivery.introduce(self.delivery.routes.owned(self.member.name))
            try:
                await self._converse(call)
            finally:
                call.cancel()

    def _rewind(self) -> None:
        for partition in self.delivery.routes.owned(self.member.name):
            self.delivery.window.rewind(partition)

    async def _converse(self, call: Call) -> None:
        tasks = [asyncio.create_task(self._write(call)), asyncio.create_task(self._read(call))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _write(self, call: Call) -> None:
        sent_at = 0.0
        while True:
            self._wake.clear()
            now = time.monotonic()
            if self._awaiting is not None and now - sent_at > self.delivery.received_timeout_s:
                raise TimeoutError(f"batch {self._awaiting} was not received")
            batch = self._next_batch(now) if self._awaiting is None and now >= self._pause_until else None
            if batch is None:
                await self._idle(now)
                continue
            sent_at, self._awaiting = now, batch.batch
            async with asyncio.timeout(self.delivery.received_timeout_s):
                await call.write(batch)
            self.delivery.metrics.events_sent_total.inc(len(batch.events))

    async def _idle(self, now: float) -> None:
        release = self.delivery.routes.next_release
        until = min(now + _IDLE_S, *(at for at in (release, self._pause_until) if at is not None and at > now), now + 1)
        try:
            async with asyncio.timeout(max(until - now, 0.001)):
                await self._wake.wait()
        except TimeoutError:
            return

    def _next_batch(self, now: float) -> ingest_pb2.EventBatch | None:
        ready = self.delivery.routes.ready(self.member.name, now)
        events = self.delivery.window.take(ready, self.delivery.batch_events)
        if not events:
            return None
        self._batch += 1
        for partition in {event.partition for event in events} & self._muted.keys():
            self._muted[partition] = self._muted[partition] or self._batch
        delivery = self.delivery
        return ingest_pb2.EventBatch(
            incarnation=delivery.incarnation,
            batch=self._batch,
            events=events,
            gateway=delivery.gateway,
            egress_group=delivery.egress_group,
        )

    async def _read(self, call: Call) -> None:
        while True:
            reply = await call.read()
            if not isinstance(reply, ingest_pb2.BatchReply):
                return
            self._take(reply)

    def _take(self, reply: ingest_pb2.BatchReply) -> None:
        match reply.WhichOneof("reply"):
            case "received":
                self._received(reply.received.batch)
            case "ack":
                self._acknowledged(reply.ack)
            case "not_owner":
                self._refused(reply.not_owner.partition)
            case "slow_down":
                self._pause_until = time.monotonic() + reply.slow_down.pause_ms / 1000
            case "resume":
                self.delivery.on_resume(reply.resume)
            case "backfill":
                self.delivery.on_backfill(reply.backfill)
            case None:
                # A newer aggregator may say what this version does not know.
                return

    def _received(self, batch: int) -> None:
        for partition, resent in list(self._muted.items()):
            if resent is not None and resent <= batch:
                del self._muted[partition]
        if self._awaiting is not None and batch >= self._awaiting:
            self._awaiting = None
            self._wake.set()

    def _acknowledged(self, ack: ingest_pb2.Ack) -> None:
        if ack.partition in self._muted:
            return
        if self.delivery.window.acknowledge(ack.partition, ack.through_seq):
            self.delivery.on_acknowledged()

    def _refused(self, partition: int) -> None:
        # While it stays refused, whom we serve waits in the window.
        is_news = partition not in self._muted
        self._muted[partition] = None
        if self.delivery.routes.is_owner(self.member.name, partition):
            self.delivery.window.rewind(partition)
            self.delivery.routes.refused(partition, time.monotonic())
            if is_news:
                self.delivery.introduce([partition])
