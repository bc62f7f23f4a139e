"""One owned partition at work: acquired, loaded, fed with events, committed, published, let go."""

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import assert_never

import grpc
import msgspec

from hlmonitor.aggregator.core.acks import AckLedger
from hlmonitor.aggregator.core.batch import Outbox
from hlmonitor.aggregator.core.convert import FieldError, Input, input_of
from hlmonitor.aggregator.core.metadata import Markets
from hlmonitor.aggregator.core.now import Now
from hlmonitor.aggregator.core.partition import Partition, StatusInput
from hlmonitor.aggregator.core.publishing import PublishQueue
from hlmonitor.aggregator.core.restore import Restorer
from hlmonitor.aggregator.io.publisher import Published, Publisher
from hlmonitor.aggregator.io.sessions import Session, Sessions
from hlmonitor.aggregator.io.storage import RETRY_S, StaleEpochError, StorageClient
from hlmonitor.aggregator.settings import AggregatorSettings
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.fills import Fill
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.v1 import events_pb2, ingest_pb2, storage_pb2

STRANGER_S = 5.0
"""Events of a wallet that our copy of the watch list does not have yet wait for it this long."""
OVERLOADED_UNITS = 5_000
"""Orders in an uncommitted batch from which on gateways are asked to slow down."""


class ReloadError(Exception):
    """The writer refused our batch as a defect of ours: forget what is in memory and load anew."""


def clock() -> Now:
    """The time now."""
    return Now(time.monotonic(), time.time_ns() // 1_000_000)


@dataclass(slots=True)
class Shared:
    """What all partitions of the process use."""

    settings: AggregatorSettings
    storage: StorageClient
    publisher: Publisher
    sessions: Sessions
    markets: Markets
    metrics: Metrics
    log: Log


@dataclass(slots=True)
class _Parked:
    session: Session
    event: events_pb2.Event
    address: Address
    value: Input
    since_s: float


@dataclass(slots=True)
class PartitionHost:
    """A partition that this process owns or is about to own."""

    number: int
    shared: Shared
    entries: Mapping[Address, WatchEntry]
    state: str = "acquiring"
    partition: Partition | None = None
    epoch: int = 0
    releasing: bool = False
    _ledgers: dict[Session, AckLedger] = field(default_factory=dict)
    _parked: deque[_Parked] = field(default_factory=deque)
    _queues: dict[Address, PublishQueue] = field(default_factory=dict)
    _publishing: dict[Address, asyncio.Task[None]] = field(default_factory=dict)
    _kick: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_overloaded(self) -> bool:
        """More is decided than the writer commits."""
        return self.partition is not None and self.partition.outbox.size > OVERLOADED_UNITS

    @property
    def unpublished(self) -> int:
        """Signals that are committed and not confirmed by the stream."""
        return sum(len(queue) for queue in self._queues.values())

    @property
    def open_orders(self) -> int:
        """Orders that are not finished."""
        return sum(len(wallet.orders) for wallet in self.partition.wallets.values()) if self.partition else 0

    @property
    def open_gaps(self) -> int:
        """Stretches of feeds that nobody has vouched for yet."""
        return sum(len(wallet.gaps) for wallet in self.partition.wallets.values()) if self.partition else 0

    @property
    def parked(self) -> int:
        """Events that wait for the load, or for the watch list."""
        return len(self._parked)

    async def run(self) -> None:
        """Own the partition until it is released or another owner has it.

        Raises:
            StaleEpochError: somebody else has acquired it.
        """
        while not self.releasing:
            try:
                await self._own()
            except ReloadError as error:
                self.shared.log.error("partition_reload", partition=self.number, reason=str(error))  # noqa: TRY400
                await asyncio.sleep(RETRY_S)

    def release(self) -> None:
        """Take nothing more in; `run` returns when what is decided is committed and published."""
        self.releasing = True
        self._kick.set()

    def disown(self) -> None:
        """Tell the gateways that what they sent here and was not acknowledged has to be sent again."""
        for session in {*self._ledgers, *(parked.session for parked in self._parked)}:
            session.say(ingest_pb2.BatchReply(not_owner=ingest_pb2.NotOwner(partition=self.number)))
        self._ledgers.clear()
        self._parked.clear()

    def watch(self, entries: Mapping[Address, WatchEntry]) -> None:
        """The watch list has changed."""
        self.entries = entries
        if self.partition:
            self.partition.watch(entries, clock())
            self._kick.set()

    def take(self, session: Session, event: events_pb2.Event) -> None:
        """Take an event in, or keep it until the partition is loaded and its wallet known."""
        try:
            address, value = input_of(event)
        except FieldError as error:
            self.shared.log.warning("event_rejected", field=error.field, reason=str(error))
            return
        # Bounded by the gateways' windows: what is parked is not acknowledged.
        self._parked.append(_Parked(session, event, address, value, time.monotonic()))
        if self.partition:
            self._take_parked(self.partition)
        self._kick.set()

    def closed(self, session: Session) -> None:
        """A gateway's stream has ended: what it sent stays, acknowledgements have nowhere to go."""
        self._ledgers.pop(session, None)

    def tick(self, now: Now) -> None:
        """Run timers out."""
        if self.partition:
            self.partition.tick(now)
            self._forward_requests(self.partition)
            self._kick.set()

    def sweep(self, now: Now) -> None:
        """Look at every wallet: removals and position caches."""
        if self.partition:
            self.partition.sweep(now)
            self._kick.set()

    async def _own(self) -> None:
        self.state = "acquiring"
        self.partition = None
        self.epoch = await self.shared.storage.acquire(self.number)
        self.state = "loading"
        partition, self._queues = await self._load()
        self.partition = partition
        self.state = "ready"
        self.shared.log.debug("partition_ready", partition=self.number, epoch=self.epoch)
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._commit_loop(tasks, partition)
                for task in self._publishing.values():
                    task.cancel()
        except* StaleEpochError as errors:
            raise StaleEpochError from errors
        except* ReloadError as errors:
            raise ReloadError(str(errors.exceptions[0])) from errors
        finally:
            self.partition = None
            self.disown()
            self._publishing.clear()

    async def _load(self) -> tuple[Partition, dict[Address, PublishQueue]]:
        while True:
            settings = self.shared.settings
            partition = Partition(
                self.number,
                Outbox(self.number, self.epoch),
                self.shared.markets,
                settings.patience,
                settings.remove_grace,
            )
            now = clock()
            partition.watch(self.entries, now)
            restorer = Restorer(partition, now)
            try:
                async for item in self.shared.storage.load(self.number, self.epoch):
                    restorer.take(item)
            except grpc.aio.AioRpcError:
                await asyncio.sleep(RETRY_S)
                continue
            partition.watch(self.entries, clock())
            restorer.finish()
            return partition, restorer.queues

    async def _commit_loop(self, tasks: asyncio.TaskGroup, partition: Partition) -> None:
        self._kick.set()
        while True:
            await self._kick.wait()
            self._kick.clear()
            self._take_parked(partition)
            self._forward_requests(partition)
            while batch := partition.outbox.freeze(time.monotonic(), force=self.releasing):
                reply = await self.shared.storage.commit(batch.message)
                self._committed(partition, reply)
                self._publish_all(tasks, partition)
                self._acknowledge(partition)
                self._take_parked(partition)
            self._acknowledge(partition)
            if self.releasing and self.state != "draining":
                self.state = "draining"
                await self._wait_published()
                # What was confirmed meanwhile goes out with a last batch.
                self._kick.set()
            elif self.releasing and partition.outbox.is_idle:
                return

    def _committed(self, partition: Partition, reply: storage_pb2.CommitReply) -> None:
        if reply.HasField("refused"):
            refused = reply.refused
            if refused.reason == storage_pb2.Refused.REASON_STALE_EPOCH:
                raise StaleEpochError
            raise ReloadError(f"batch {reply.number} was refused: {refused.field} {refused.detail}")
        for letter in reply.done.dead_letters:
            self.shared.log.error("order_dead_lettered", order_id=letter.order_id.hex(), reason=letter.reason)
        for row in partition.outbox.done(reply.number, list(reply.done.dead_letters)):
            self._queues.setdefault(Address(row.address), PublishQueue()).add(row)

    async def _wait_published(self) -> None:
        """Give the publishes of a partition that is let go a little time; its next owner sends the rest."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.shared.settings.stop_flush):
                while self.unpublished:
                    self._kick.clear()
                    await self._kick.wait()

    def _publish_all(self, tasks: asyncio.TaskGroup, partition: Partition) -> None:
        for address, queue in self._queues.items():
            if address not in self._publishing and queue.head():
                self._publishing[address] = tasks.create_task(self._publish(partition, address, queue))

    async def _publish(self, partition: Partition, address: Address, queue: PublishQueue) -> None:
        try:
            while published := await self.shared.publisher.publish_next(address, queue):
                mark = storage_pb2.PublishedMark(signal_id=published.row.signal_id, published_seq=published.seq)
                partition.outbox.published(mark, time.monotonic())
                self._observe(published)
                await self.shared.publisher.publish_legacy(published)
                self._kick.set()
        finally:
            self._publishing.pop(address, None)

    def _observe(self, published: Published) -> None:
        metrics = self.shared.metrics
        metrics.signals_published_total.labels(published.row.side, published.row.symbol).inc()
        stamps = msgspec.json.decode(published.row.payload, type=_Stamps)
        if published.by_us and stamps.received_at_ms:
            metrics.signal_latency_seconds.observe(max(0, clock().wall_ms - stamps.received_at_ms) / 1000)

    def _take_parked(self, partition: Partition) -> None:
        now = clock()
        while self._parked:
            parked = self._parked[0]
            if not partition.is_watched(parked.address) and now.mono_s - parked.since_s < STRANGER_S:
                return
            self._parked.popleft()
            self._apply(partition, parked, now)
            ledger = self._ledgers.setdefault(parked.session, AckLedger())
            ledger.receive(parked.event.seq, partition.outbox.needs_batch)

    def _apply(self, partition: Partition, parked: _Parked, now: Now) -> None:
        received_at_ms = parked.event.received_at_ms
        match parked.value:
            case Fill() as fill:
                partition.fill(fill, parked.event.fill, received_at_ms, now)
            case StatusInput() as status:
                partition.status(status, received_at_ms, now)
            case events_pb2.AccountSnapshot() as snapshot:
                partition.snapshot(snapshot, received_at_ms)
            case events_pb2.Gap() as gap:
                partition.gap(gap, now)
            case events_pb2.CaughtUp() as caught_up:
                partition.caught_up(caught_up)
            case events_pb2.Opened():
                self.shared.sessions.serves(parked.address, parked.session)
                partition.opened(parked.address)
            case unreachable:
                assert_never(unreachable)

    def _forward_requests(self, partition: Partition) -> None:
        for request in partition.take_requests():
            if not self.shared.sessions.ask(request):
                self.shared.log.debug("request_without_gateway", address=request.address)

    def _acknowledge(self, partition: Partition) -> None:
        for session, ledger in self._ledgers.items():
            through = ledger.committed(partition.outbox.committed)
            if through is not None:
                session.ack(self.number, self.epoch, through)


class _Stamps(msgspec.Struct):
    received_at_ms: int = 0
