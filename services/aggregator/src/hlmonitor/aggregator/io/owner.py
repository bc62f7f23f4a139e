"""Which partitions this process owns: those that rendezvous hashing over the live aggregators gives it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hlmonitor.aggregator.core.holding import Claims, held_by
from hlmonitor.aggregator.io.host import PartitionHost, Shared
from hlmonitor.aggregator.io.sessions import Session
from hlmonitor.aggregator.io.storage import StaleEpochError
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.partitions import PARTITIONS, partition_of
from hlmonitor.domain.rendezvous import partition_owner
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.runtime.core.membership import HEARTBEAT_S, Member, staying

TICK_S = 0.1
SWEEP_S = 1.0
MAX_WAIT_S = 30.0
"""The longest wait before an owner that was refused again and again tries once more."""


@dataclass(slots=True)
class Owner:
    """The partitions of this process, each with a task of its own."""

    name: str
    shared: Shared
    on_held: Callable[[frozenset[int]], None]
    """Told which partitions this process holds, again and again."""
    hosts: dict[int, PartitionHost] = field(default_factory=dict)
    _claims: Claims = field(default_factory=Claims)
    _members: frozenset[str] = frozenset()
    _not_before: dict[int, float] = field(default_factory=dict)
    _entries: dict[int, dict[Address, WatchEntry]] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    _losses: dict[int, int] = field(default_factory=dict)
    _stopping: bool = False
    _empty: asyncio.Event = field(default_factory=asyncio.Event)

    def on_view(self, members: Mapping[str, Member]) -> None:
        """The live aggregators, this one included once its heartbeat was heard."""
        owners = staying(members)
        mine = [number for number in range(PARTITIONS) if partition_owner(owners, number) == self.name]
        held = [held_by(member.attributes) for name, member in members.items() if name != self.name]
        self._claims.view(mine, frozenset().union(*held), self.shared.clock().mono_s)
        if self._members != owners.keys():
            self._members = frozenset(owners)
            # A refused owner may try again now: it has seen a view that is newer than its refusal.
            self._not_before.clear()
            self._losses.clear()
        self._changed.set()

    def on_watch_list(self, entries: Mapping[Address, WatchEntry]) -> None:
        """The whole watch list, whenever it has changed."""
        self._entries = {}
        for address, entry in entries.items():
            self._entries.setdefault(partition_of(address), {})[address] = entry
        for host in self.hosts.values():
            host.watch(self._entries.get(host.number, {}))

    def host(self, partition: int) -> PartitionHost | None:
        """The partition, if this process takes events for it."""
        host = self.hosts.get(partition)
        return None if host is None or host.releasing else host

    def closed(self, session: Session) -> None:
        """A gateway's stream has ended."""
        for address in self.shared.sessions.closed(session):
            if host := self.hosts.get(partition_of(address)):
                host.lost_gateway(address)
        for host in self.hosts.values():
            host.intake.closed(session)

    def introduced(self, session: Session) -> None:
        """A stream has said whose it is."""
        for host in self.hosts.values():
            host.intake.superseded_by(session)

    @property
    def is_overloaded(self) -> bool:
        """Gateways should slow down."""
        return any(host.is_overloaded for host in self.hosts.values())

    async def run(self) -> None:
        """Start and release partitions as the view says, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tick())
            while True:
                await self._changed.wait()
                self._changed.clear()
                self._reconcile(tasks)

    async def drain(self) -> None:
        """Let every partition go, flushed."""
        self._stopping = True
        self._changed.set()
        if self.hosts:
            self._empty.clear()
            await self._empty.wait()

    def _reconcile(self, tasks: asyncio.TaskGroup) -> None:
        wanted = frozenset() if self._stopping else self._claims.wanted
        now_s = self.shared.clock().mono_s
        for number in wanted - self.hosts.keys():
            if now_s >= self._not_before.get(number, 0.0) and self._claims.is_free(number, now_s):
                host = PartitionHost(number, self.shared, self._entries.get(number, {}))
                self.hosts[number] = host
                self._tasks[number] = tasks.create_task(self._run(host), name=f"partition-{number}")
        for number, host in self.hosts.items():
            if number not in wanted:
                host.release()
                if host.partition is None:
                    # It has decided nothing yet, and to acquire it now would only take it from its owner.
                    self._tasks[number].cancel()
        self.on_held(frozenset(number for number, host in self.hosts.items() if host.partition is not None))

    async def _run(self, host: PartitionHost) -> None:
        try:
            await host.run()
        except StaleEpochError:
            # Both of us think that we own it: wait for a fresh view before trying again, longer each time, or we
            # would take turns for ever.
            losses = self._losses[host.number] = self._losses.get(host.number, 0) + 1
            self._not_before[host.number] = self.shared.clock().mono_s + min(
                2 * HEARTBEAT_S * 2 ** (losses - 1), MAX_WAIT_S
            )
            self.shared.log.warning("partition_lost", partition=host.number, epoch=host.epoch)
        finally:
            host.intake.disown()
            del self.hosts[host.number], self._tasks[host.number]
            self._changed.set()
            if not self.hosts:
                self._empty.set()

    async def _tick(self) -> None:
        swept_s = 0.0
        while True:
            now = self.shared.clock()
            for host in self.hosts.values():
                host.tick(now)
            # Time frees partitions that another owner had, or that we were refused; and what is held must be told.
            self._changed.set()
            if now.mono_s - swept_s >= SWEEP_S:
                swept_s = now.mono_s
                self._sweep()
            await asyncio.sleep(TICK_S)

    def _sweep(self) -> None:
        now = self.shared.clock()
        for host in self.hosts.values():
            host.sweep(now)
