"""One owned partition at work: acquired, loaded, fed with events, committed, published, let go."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import TypeVar

import grpc

from hlmonitor.aggregator.core.batch import Outbox
from hlmonitor.aggregator.core.convert import FieldError
from hlmonitor.aggregator.core.memory import Budget, Memory
from hlmonitor.aggregator.core.metadata import Markets
from hlmonitor.aggregator.core.news import Reporter, Sources
from hlmonitor.aggregator.core.now import Now
from hlmonitor.aggregator.core.partition import Partition
from hlmonitor.aggregator.core.publishing import PublishQueue, Room
from hlmonitor.aggregator.core.restore import Restorer
from hlmonitor.aggregator.io.announcer import Announcer
from hlmonitor.aggregator.io.intake import Intake
from hlmonitor.aggregator.io.outgoing import Outgoing
from hlmonitor.aggregator.io.publisher import Publisher
from hlmonitor.aggregator.io.sessions import Session, Sessions
from hlmonitor.aggregator.io.storage import RETRY_S, StaleEpochError, StorageClient
from hlmonitor.aggregator.settings import AggregatorSettings
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.runtime.clock import wall_ms
from hlmonitor.runtime.kv import Freshness
from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.v1 import events_pb2, storage_pb2

T = TypeVar("T")


class ReloadError(Exception):
    """The writer refused our batch as a defect of ours: forget what is in memory and load anew."""


def clock() -> Now:
    """The time now."""
    return Now(time.monotonic(), wall_ms())


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
    clock: Callable[[], Now] = clock
    memory: Budget = field(default_factory=Budget)
    watch_list: Freshness = field(default_factory=Freshness)
    """How new our copy of it is."""
    room: Room = field(init=False)
    announcer: Announcer = field(init=False)

    def __post_init__(self) -> None:
        self.room = Room(self.settings.unpublished_signals)
        self.announcer = Announcer(self.publisher.stream, self.metrics)


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
    intake: Intake = field(init=False)
    _reporter: Reporter = field(init=False)
    _sources: Sources = field(default_factory=Sources)
    _tasks: asyncio.TaskGroup | None = None
    _asking: asyncio.Task[None] | None = None
    _outgoing: Outgoing | None = None
    _kick: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        shared = self.shared
        self.intake = Intake(self.number, shared.sessions, shared.log, shared.clock, shared.watch_list)
        self._reporter = Reporter(self.shared.settings.instance, self.number)

    @property
    def is_overloaded(self) -> bool:
        """More is decided than the writer commits."""
        return self.partition is not None and self.partition.outbox.is_full

    @property
    def unpublished(self) -> int:
        """Signals that are committed and not confirmed by the stream."""
        return self._outgoing.unpublished if self._outgoing else 0

    @property
    def unpublished_in_sql(self) -> int:
        """Those of them that memory has no room for."""
        return self._outgoing.unpublished_in_sql if self._outgoing else 0

    @property
    def open_orders(self) -> int:
        """Orders that are not finished."""
        return sum(len(wallet.orders) for wallet in self.partition.wallets.values()) if self.partition else 0

    @property
    def open_gaps(self) -> int:
        """Stretches of feeds that nobody has vouched for yet."""
        return sum(len(wallet.gaps) for wallet in self.partition.wallets.values()) if self.partition else 0

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

    def watch(self, entries: Mapping[Address, WatchEntry]) -> None:
        """The watch list has changed."""
        self.entries = entries
        if self.partition:
            self.partition.watch(entries, self.shared.clock())
            self._kick.set()

    def lost_gateway(self, address: Address) -> None:
        """No gateway's stream brings the wallet's events any more."""
        if self.partition:
            self.partition.lost_gateway(address, self.shared.clock())

    def take(self, session: Session, event: events_pb2.Event) -> None:
        """Take an event in, or keep it until it may be."""
        self.intake.take(session, event)
        self._flow()
        self._kick.set()

    def tick(self, now: Now) -> None:
        """Run timers out, unless what they wait for may be here and not taken in: SQL is slow to answer, or away."""
        if self.partition:
            if not self.intake.is_behind(now):
                self.partition.tick(now)
            self._forward_requests(self.partition)
            self._kick.set()

    def sweep(self, now: Now) -> None:
        """Look at every wallet: removals, position caches and who serves it."""
        if self.partition:
            self.partition.sweep(now)
            watched = [address for address, wallet in self.partition.wallets.items() if wallet.entry]
            serving = {address: self.shared.sessions.source_of(address) for address in watched}
            changes = self._sources.changes(serving, now.mono_s)
            self.shared.announcer.tell(self._reporter.of_sources(changes, now))
            self._kick.set()

    async def _own(self) -> None:
        self.state = "acquiring"
        self.partition = None
        self.epoch = await self.shared.storage.acquire(self.number)
        self.state = "loading"
        partition, queues = await self._load()
        self.partition = partition
        self.state = "ready"
        self._sources = Sources()
        self.shared.announcer.tell(self._reporter.of_owner(partition, self.shared.clock()))
        self.shared.log.debug("partition_ready", partition=self.number, epoch=self.epoch)
        told: Exception | None = None
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._outgoing = self._out(partition, queues, self._tasks)
                await self._commit_loop(partition, self._outgoing)
                self._outgoing.stop()
                if self._asking:
                    # What SQL is asked for was not taken in: it is the next owner's.
                    self._asking.cancel()
        except ExceptionGroup as errors:
            # Until Python 3.11.3, what except* raises comes out in a group again, which nobody above knows.
            told = _told(errors)
            if told is None:
                raise
            # The group is kept by its own traceback, and so is all that the partition knew.
            errors.__traceback__ = None
        finally:
            self.partition, self._tasks, self._asking, self._outgoing = None, None, None, None
            partition.memory.close()
            for queue in queues.values():
                queue.close()
            self.intake.disown()
        if told:
            try:
                raise told
            finally:
                # Its traceback holds this frame, and with it all that the partition knew.
                del told

    def _out(self, partition: Partition, queues: dict[Address, PublishQueue], tasks: asyncio.TaskGroup) -> Outgoing:
        shared = self.shared
        return Outgoing(
            partition.outbox, queues, shared.room, shared.publisher, shared.storage, tasks, shared.clock, self._kick.set
        )

    async def _load(self) -> tuple[Partition, dict[Address, PublishQueue]]:
        while True:
            settings = self.shared.settings
            partition = Partition(
                self.number,
                Outbox(self.number, self.epoch),
                self.shared.markets,
                settings.patience,
                settings.remove_grace,
                settings.dedup_horizon,
                settings.reconcile_every,
                Memory(self.shared.memory),
                sizes=settings.size_bounds,
            )
            now = self.shared.clock()
            partition.watch(self.entries, now)
            restorer = Restorer(partition, now, self.shared.room)
            try:
                async for item in self.shared.storage.load(self.number, self.epoch):
                    self._take_stored(restorer.take, item)
            except BaseException as error:
                # What was loaded so far is dropped, and its share of the memory with it.
                partition.memory.close()
                for queue in restorer.queues.values():
                    queue.close()
                if not isinstance(error, grpc.aio.AioRpcError):
                    raise
                await asyncio.sleep(RETRY_S)
                continue
            partition.watch(self.entries, self.shared.clock())
            restorer.finish()
            return partition, restorer.queues

    def _take_stored(self, take: Callable[[T], None], row: T) -> None:
        try:
            take(row)
        except FieldError as error:
            # Somebody changed the row by hand: the rest of the partition must go on.
            self.shared.log.error("stored_row_unreadable", partition=self.number, reason=str(error))  # noqa: TRY400

    async def _commit_loop(self, partition: Partition, outgoing: Outgoing) -> None:
        self._kick.set()
        while True:
            await self._kick.wait()
            self._kick.clear()
            self._flow()
            self._forward_requests(partition)
            while batch := partition.outbox.freeze(self.shared.clock().mono_s, force=self.releasing):
                reply = await self.shared.storage.commit(batch.message)
                outgoing.add(self._committed(partition, reply))
                self.shared.announcer.tell(self._reporter.of_batch(batch.message, self.shared.clock()))
                outgoing.flow()
                self.intake.acknowledge(partition)
                self._flow()
            self.intake.acknowledge(partition)
            outgoing.flow()
            if self.releasing and self.state != "draining":
                self.state = "draining"
                await self._wait_published()
                # What was confirmed meanwhile goes out with a last batch.
                self._kick.set()
            elif self.releasing and partition.outbox.is_idle:
                return

    def _committed(self, partition: Partition, reply: storage_pb2.CommitReply) -> list[storage_pb2.SignalRow]:
        if reply.HasField("refused"):
            refused = reply.refused
            if refused.reason == storage_pb2.Refused.REASON_STALE_EPOCH:
                raise StaleEpochError
            raise ReloadError(f"batch {reply.number} was refused: {refused.field} {refused.detail}")
        for letter in reply.done.dead_letters:
            self.shared.log.error("order_dead_lettered", order_id=letter.order_id.hex(), reason=letter.reason)
        return partition.outbox.done(reply.number, list(reply.done.dead_letters))

    async def _wait_published(self) -> None:
        """Give the publishes of a partition that is let go a little time; its next owner sends the rest."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.shared.settings.stop_flush):
                while self.unpublished:
                    self._kick.clear()
                    await self._kick.wait()

    def _forward_requests(self, partition: Partition) -> None:
        for request in partition.take_requests():
            if not self.shared.sessions.ask(request):
                self.shared.log.debug("request_without_gateway", address=request.address)

    def _flow(self) -> None:
        """Let events in; ask SQL when the next one needs that, one question at a time."""
        if self.partition is None or self._tasks is None or self._asking:
            return
        question = self.intake.flow(self.partition, self.shared.clock())
        if question is not None:
            self._asking = self._tasks.create_task(self._ask(self.partition, question))

    async def _ask(self, partition: Partition, question: storage_pb2.LookupRequest) -> None:
        answer = await self.shared.storage.lookup(question)
        partition.recall.learn(question, answer)
        for _, rows in groupby(sorted(answer.resting_fills, key=_order_of), _order_of):
            # An order comes back as a whole; between two of them others may run.
            for row in rows:
                self._take_stored(partial(partition.wake, now=self.shared.clock()), row)
            await asyncio.sleep(0)
        self._asking = None
        self._flow()
        self._kick.set()


def _order_of(row: storage_pb2.FillRow) -> bytes:
    return row.order_id


def _told(errors: ExceptionGroup[Exception]) -> Exception | None:
    """What the partition's tasks have to say: that its epoch is lost, or that it must be loaded anew; None: neither."""
    known, others = errors.split((StaleEpochError, ReloadError))
    if known is None or others is not None:
        return None
    told: Exception = known.split(StaleEpochError)[0] or known
    while isinstance(told, ExceptionGroup):
        told = told.exceptions[0]
    return told
