"""Holds the gateway together: from the watch list and the members to running wallets and streams."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.partitions import partition_of
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.gateway.core.assignment import Assignment, assign, group_wallets
from hlmonitor.gateway.core.feeds import Catchup
from hlmonitor.gateway.core.handover import Notice
from hlmonitor.gateway.core.routing import Routes
from hlmonitor.gateway.core.shares import GatewayRoom, allowance
from hlmonitor.gateway.core.window import Window
from hlmonitor.gateway.io.budgets import Budgets
from hlmonitor.gateway.io.ingest import AggregatorLink, Delivery
from hlmonitor.gateway.io.notifier import Notifier
from hlmonitor.gateway.io.wallets import Wallets
from hlmonitor.gateway.settings import GatewaySettings
from hlmonitor.runtime.clock import wall_ms
from hlmonitor.runtime.core.membership import Member, staying
from hlmonitor.runtime.health import Component
from hlmonitor.runtime.membership import Presence
from hlmonitor.runtime.service import Service
from hlmonitor.v1 import events_pb2 as pb
from hlmonitor.v1 import ingest_pb2

KIND = "gateway"
_TICK_S = 0.5
_DRAIN_MARGIN_S = 2.0
_DRAIN_POLL_S = 0.2
_HANDOVER_SHARE = 0.5
"""Part of the time to drain in which others may take the wallets; the rest is for what is not durable yet."""


@dataclass(slots=True)
class Linked:
    """A stream to an aggregator at work."""

    link: AggregatorLink
    task: asyncio.Task[None]


@dataclass(slots=True)
class Supervisor:
    """Runs what the latest views ask for. All methods are called on the event loop and return at once."""

    service: Service[GatewaySettings]
    tasks: asyncio.TaskGroup
    window: Window
    routes: Routes
    budgets: Budgets
    wallets: Wallets
    unique_users: int
    delivery: Delivery = field(init=False)
    _gateways: dict[str, GatewayRoom] | None = None
    _entries: Mapping[Address, WatchEntry] | None = None
    _aggregators: frozenset[str] = frozenset()
    _assignment: Assignment = field(default_factory=lambda: Assignment({}, ()))
    _group_size: int = 0
    links: dict[str, Linked] = field(default_factory=dict)
    """By aggregator."""
    _presence: Presence | None = None
    _draining: bool = False
    has_words: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there is something to say to the other gateways."""

    @property
    def member(self) -> Member:
        """What this gateway's heartbeat says."""
        settings = self.service.settings
        wallets = group_wallets(self.unique_users, settings.connections, settings.spare_connections)
        room = GatewayRoom(settings.egress_group, wallets, self._group_size, *self.wallets.held, self.budgets.overspent)
        return Member(kind=KIND, name=settings.instance, attributes=room.attributes(), draining=self._draining)

    def joined(self, presence: Presence) -> None:
        """Heartbeats are sent: what is said of this gateway can change."""
        self._presence = presence

    def on_gateways(self, members: Mapping[str, Member]) -> None:
        """A new view of the gateways."""
        if self._gateways is None or self._gateways.keys() != members.keys():
            self.service.log.info("gateways_changed", gateways=sorted(members))
        self._gateways = {
            name: GatewayRoom.from_attributes(member.attributes, draining=member.draining)
            for name, member in members.items()
        }
        self._reconcile()

    def on_notice(self, address: Address, notice: Notice) -> None:
        """A gateway says that it gives a wallet away, has it, or has no room for it."""
        self.wallets.heard(address, notice)
        self._reconcile()

    def take_words(self) -> dict[Address, Notice]:
        """What is to be said to the other gateways."""
        words, self.wallets.handover.to_say = self.wallets.handover.to_say, {}
        return words

    def on_watch_list(self, entries: Mapping[Address, WatchEntry]) -> None:
        """A new watch list."""
        self._entries = entries
        self._reconcile()

    def on_aggregators(self, members: Mapping[str, Member]) -> None:
        """A new view of the aggregators: route partitions anew, open and close streams.

        One that drains gets nothing new, but says what became of that which it has.
        """
        owners = staying(members)
        if self._aggregators != owners.keys():
            self._aggregators = frozenset(owners)
            self.service.log.info("aggregators_changed", aggregators=sorted(owners))
        for name, linked in list(self.links.items()):
            if name not in members or members[name].address != linked.link.member.address:
                linked.task.cancel()
                del self.links[name]
        moved = self.routes.update(owners)
        for partition in moved:
            self.window.rewind(partition)
        for name, member in members.items():
            if name not in self.links:
                link = AggregatorLink(member, self.delivery)
                self.links[name] = Linked(link, self.tasks.create_task(link.run(), name=f"aggregator {name}"))
        self.introduce(moved)

    def introduce(self, partitions: Iterable[int]) -> None:
        """Tell whoever takes the partitions' events now which wallets of them we serve."""
        numbers = set(partitions)
        for address, running in self.wallets.running.items():
            # Whoever gives a wallet away must not become the one whom the aggregator asks for its rows.
            if partition_of(address) in numbers and not running.leaves:
                running.wallet.session.reopen(time.monotonic(), wall_ms())
        self.added()

    def added(self) -> None:
        """There may be events to send."""
        for linked in self.links.values():
            linked.link.wake()

    def learned_users(self, users: int) -> None:
        """The venue tracks fewer wallets for this IP than the settings say."""
        if users < self.unique_users:
            self.service.log.warning("user_limit_learned", users=users, configured=self.unique_users)
            # With none nothing would ever be tried again.
            self.unique_users = max(users, 1)

    def resume(self, resume: ingest_pb2.Resume) -> None:
        """An aggregator answers Opened."""
        running = self.wallets.running.get(Address(resume.address))
        if running is None:
            return
        work = running.wallet.session.resume(resume, wall_ms())
        if work is not None:
            running.wallet.backlog.request(work)
        self.added()

    def backfill(self, backfill: ingest_pb2.Backfill) -> None:
        """An aggregator wants rows or statuses again."""
        running = self.wallets.running.get(Address(backfill.address))
        if running is None:
            return
        to_ms = backfill.to_ms if backfill.HasField("to_ms") else None
        reads_rows = backfill.feed != pb.FEED_UNSPECIFIED
        feed = backfill.feed if reads_rows else pb.FEED_USER_FILLS
        work = Catchup(
            feed, backfill.from_ms, to_ms, tuple(backfill.oids), reads_rows, 0, None, routine=backfill.routine
        )
        running.wallet.backlog.request(work)

    async def tick_for_ever(self) -> None:
        """Do what only time makes due."""
        while True:
            self._reconcile()
            now, now_ms = time.monotonic(), wall_ms()
            for running in self.wallets.running.values():
                running.wallet.session.tick(now, now_ms)
            self.added()
            self._judge()
            await asyncio.sleep(_TICK_S)

    async def drain(self, room: Notifier) -> None:
        """Have others take the wallets, and wait until every event is durable, each until its time is over."""
        began, self._draining = time.monotonic(), True
        drain_s = max(self.service.settings.drain_timeout_s - _DRAIN_MARGIN_S, 0.0)
        self._reconcile()
        while self.wallets.running and time.monotonic() < began + drain_s * _HANDOVER_SHARE:
            await room.wait(_DRAIN_POLL_S)
        self.wallets.stop_all()
        self.added()
        while (held := self.window.statistics().events) and time.monotonic() < began + drain_s:
            await room.wait(_DRAIN_POLL_S)
        self.service.log.info("drained", events_left=held)

    def close(self) -> None:
        """End the streams to the aggregators."""
        for linked in self.links.values():
            linked.task.cancel()

    def _reconcile(self) -> None:
        if self._gateways is None:
            return
        settings = self.service.settings
        me = self._gateways.get(settings.instance)
        if me is not None and self._draining:
            self._gateways[settings.instance] = msgspec.structs.replace(me, draining=True)
        allowed = allowance(self._gateways, settings.instance, settings.connections, self.unique_users)
        group = {name: room for name, room in self._gateways.items() if me and room.group == me.group}
        self._group_size = allowed.group_size
        # Who joins takes nothing before the others know of it; who gets less takes less at once.
        if me and (allowed.is_agreed or self.budgets.group_size):
            others = [room.overspent for name, room in group.items() if name != settings.instance]
            self.budgets.share(settings, allowed.group_size, others, time.monotonic())
        self.wallets.allow(allowed, group.keys())
        if self._entries is not None:
            self._assign(self._gateways, self._entries)
        self.changed()

    def _assign(self, gateways: Mapping[str, GatewayRoom], entries: Mapping[Address, WatchEntry]) -> None:
        watched = {address: entry for address, entry in entries.items() if not self._is_over(entry)}
        before = self._assignment.uncovered
        self._assignment = assign(watched.values(), gateways)
        if self._assignment.uncovered != before:
            self.service.log.warning("wallets_uncovered", addresses=self._assignment.uncovered)
        self.wallets.reconcile(watched, self._assignment, stopping=self._draining)

    def changed(self) -> None:
        """Say at once what is news to the other gateways."""
        if self._presence:
            self._presence.say(self.member)
        if self.wallets.handover.to_say:
            self.has_words.set()
        self.added()

    def _is_over(self, entry: WatchEntry) -> bool:
        grace_ms = self.service.settings.remove_grace * 1000
        return entry.removed_at_ms is not None and entry.removed_at_ms + grace_ms <= wall_ms()

    def _judge(self) -> None:
        health = self.service.health
        _set(
            health.component("venue"),
            "no connection to the venue stands",
            bad=bool(self.wallets.running) and not self.wallets.connected,
        )
        lost = [name for name, linked in self.links.items() if not linked.link.connected]
        why = f"not connected: {', '.join(lost)}" if self.links else "there is none"
        _set(health.component("aggregators"), why, bad=bool(lost) or not self.links)

    def uncovered(self) -> list[Address]:
        """Watched wallets that no gateway has room for, and those of ours that wait or are refused."""
        refused = [address for address, running in self.wallets.running.items() if running.wallet.refusal]
        waiting = self._assignment.of(self.service.settings.instance) - self.wallets.running.keys()
        return sorted({*self._assignment.uncovered, *refused, *waiting})


def _set(component: Component, reason: str, *, bad: bool) -> None:
    if bad:
        component.down(reason)
    else:
        component.up()
