"""The way of one partition's committed signals into the stream, and what is done when the stream has lost them."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from hlmonitor.aggregator.core.batch import Outbox
from hlmonitor.aggregator.core.now import Now
from hlmonitor.aggregator.core.publishing import PublishQueue, Room
from hlmonitor.aggregator.core.tail import (
    Bounds,
    Look,
    TailGuard,
    TailSearch,
    TailWatch,
    is_lost,
    looks_of,
    must_be_there,
)
from hlmonitor.aggregator.io.publisher import MAX_RETRY_S, RETRY_S, LostTailError, Published, Publisher
from hlmonitor.aggregator.io.signal_stream import NoStreamError, StreamError
from hlmonitor.aggregator.io.storage import StorageClient
from hlmonitor.domain.addresses import Address
from hlmonitor.v1 import storage_pb2

SEARCHES = 16
"""Wallets that are searched for what the stream has lost at the same time."""


@dataclass(slots=True)
class Outgoing:
    """Publishes what a partition's commits release, each wallet for itself, while the stream has its tail."""

    outbox: Outbox
    queues: dict[Address, PublishQueue]
    room: Room
    publisher: Publisher
    storage: StorageClient
    tasks: asyncio.TaskGroup
    clock: Callable[[], Now]
    on_progress: Callable[[], None]
    """Something was confirmed, or is to be committed."""
    _guard: TailGuard = field(default_factory=TailGuard)
    _watch: TailWatch = field(default_factory=TailWatch)
    _publishing: dict[Address, asyncio.Task[None]] = field(default_factory=dict)
    _looking: asyncio.Task[None] | None = None
    _idle: dict[Address, None] = field(default_factory=dict)
    """Wallets that have something to publish, and nobody at it."""

    def __post_init__(self) -> None:
        """Begin with what the partition was loaded with."""
        self._idle.update((address, None) for address, queue in self.queues.items() if len(queue))

    def add(self, rows: Iterable[storage_pb2.SignalRow]) -> None:
        """These signals are committed."""
        for row in rows:
            queue = self.queues.get(Address(row.address))
            if queue is None:
                queue = self.queues[Address(row.address)] = PublishQueue(self.room)
            queue.add(row)
            self._idle[Address(row.address)] = None

    def flow(self) -> None:
        """Let go out what may; called after each commit and now and then."""
        for address, search in self._guard.committed(self.outbox.committed):
            self.queues[address].goes_on(search.kept, search.seq, search.signal_id)
            self._idle[address] = None
        if self._may_publish():
            for address in self._idle:
                if address not in self._publishing:
                    self._publishing[address] = self.tasks.create_task(self._publish(address, self.queues[address]))
            self._idle.clear()
            is_due = self.clock().mono_s >= self._watch.due_s
        else:
            is_due = not self._guard.is_rewinding
        if is_due and self._looking is None:
            self._looking = self.tasks.create_task(self._look())

    @property
    def unpublished(self) -> int:
        """Signals that are committed and not confirmed by the stream."""
        return sum(len(queue) for queue in self.queues.values())

    @property
    def unpublished_in_sql(self) -> int:
        """Those of them that memory has no room for."""
        return sum(queue.rows_in_sql for queue in self.queues.values())

    def stop(self) -> None:
        """The partition is let go: its next owner publishes the rest."""
        for task in (*self._publishing.values(), *((self._looking,) if self._looking else ())):
            task.cancel()

    def _may_publish(self) -> bool:
        return self._guard.may_publish(self.publisher.stream.connection)

    async def _publish(self, address: Address, queue: PublishQueue) -> None:
        try:
            while len(queue) and self._may_publish():
                await self._read(address, queue)
                published = await self.publisher.publish_next(address, queue, self._may_publish)
                if published is None:
                    continue
                confirmed = storage_pb2.PublishedMark(signal_id=published.row.signal_id, published_seq=published.seq)
                self.outbox.published(confirmed, self.clock().mono_s)
                self._observe(published)
                await self.publisher.publish_legacy(published)
                self.on_progress()
        except LostTailError:
            self._guard.doubted()
            await asyncio.sleep(RETRY_S)
        finally:
            self._publishing.pop(address, None)
            if len(queue):
                self._idle[address] = None
            self.on_progress()

    async def _read(self, address: Address, queue: PublishQueue) -> None:
        """Get from SQL what memory had no room for."""
        if (most := queue.must_read) is None:
            return
        rows = await self._stored(address, queue.next_number, most)
        if lacking := queue.read(rows):
            # Somebody deleted them by hand: what follows must go on.
            self.publisher.log.error("signals_not_in_sql", address=address, first=lacking[0], last=lacking[-1])

    async def _stored(self, address: Address, number: int, most: int) -> list[storage_pb2.SignalRow]:
        request = storage_pb2.ReadSignalsRequest(
            partition=self.outbox.partition, epoch=self.outbox.epoch, address=address, from_number=number, most=most
        )
        return await self.storage.read_signals(request)

    def _observe(self, published: Published) -> None:
        metrics = self.publisher.metrics
        metrics.signals_published_total.labels(published.row.side, published.row.symbol).inc()
        if published.is_repeat:
            metrics.signals_republished_total.inc()
            return
        stamps = msgspec.json.decode(published.row.payload, type=_Stamps)
        if published.by_us and stamps.received_at_ms:
            latency_ms = max(0, self.clock().wall_ms - stamps.received_at_ms)
            metrics.signal_latency_seconds.observe(latency_ms / 1000)

    async def _look(self) -> None:
        """Look whether the stream has its tail, however long NATS takes to say."""
        wait_s = RETRY_S
        try:
            while True:
                try:
                    await self._look_once()
                except NoStreamError:
                    await self.publisher.stream.ensure()
                    self._guard.doubted()
                except StreamError as error:
                    self.publisher.log.debug("tail_not_seen", kind=error.kind, error=str(error))
                    await asyncio.sleep(wait_s)
                    wait_s = min(wait_s * 2, MAX_RETRY_S)
                else:
                    return
        finally:
            self._looking = None
            self.on_progress()

    async def _look_once(self) -> None:
        connection = self.publisher.stream.connection
        chosen = self._watch.looks(self.queues, self.clock().mono_s)
        if await self._lost_of(looks_of(self.queues) if self._guard.in_doubt else chosen):
            self._guard.doubted()
            if self._publishing:
                await asyncio.wait(self._publishing.values())
            await self._rewind(connection)
        else:
            self._guard.looked(connection)

    async def _lost_of(self, looks: Iterable[Look]) -> list[Address]:
        bounds = await self.publisher.stream.bounds()
        return [look.address for look in looks if await self._is_lost(bounds, look.seq, look.signal_id)]

    async def _is_lost(self, bounds: Bounds, seq: int, signal_id: str) -> bool:
        within = bounds.first_seq <= seq <= bounds.last_seq
        there = await self.publisher.stream.read(seq) if within else None
        return is_lost(bounds, seq, signal_id, there.signal_id if there else None)

    async def _rewind(self, connection: int) -> None:
        """Find what is lost of each wallet and have SQL know it, all at once, before anything is published again."""
        bounds = await self.publisher.stream.bounds()
        lost = await self._lost_of(looks_of(self.queues))
        slots = asyncio.Semaphore(SEARCHES)
        searches = [self._search(address, bounds, slots) for address in lost]
        found: dict[Address, TailSearch] = {}
        for address, search in zip(lost, await asyncio.gather(*searches, return_exceptions=True), strict=True):
            if isinstance(search, BaseException):
                raise search
            found[address] = search
        rows = [
            storage_pb2.Rewind(address=address, published_number=search.kept, published_seq=search.seq)
            for address, search in found.items()
        ]
        self._guard.rewinds(found, self.outbox.rewound(rows), connection)
        signals = sum(self.queues[address].next_number - 1 - search.kept for address, search in found.items())
        self.publisher.log.error(
            "stream_lost_its_tail", partition=self.outbox.partition, wallets=len(found), signals=signals
        )

    async def _search(self, address: Address, bounds: Bounds, slots: asyncio.Semaphore) -> TailSearch:
        search = TailSearch(lost=self.queues[address].next_number)
        while (number := search.number) is not None:
            async with slots:
                rows = await self._stored(address, number, 1)
                row = rows[0] if rows and rows[0].number == number else None
                if row is None:
                    # The cleaner took it: it is older than what the stream keeps.
                    search.told(number, None, is_lost=False)
                elif not row.published_seq:
                    # SQL was not told yet where it is. Should the stream have it, the publish finds it there.
                    search.told(number, None, is_lost=True)
                elif await self._is_lost(bounds, row.published_seq, row.signal_id):
                    search.told(number, None, is_lost=must_be_there(row, bounds, self.clock().wall_ms))
                else:
                    search.told(number, row, is_lost=False)
        return search


class _Stamps(msgspec.Struct):
    received_at_ms: int = 0
