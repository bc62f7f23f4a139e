"""Holds the gateway together: from the watch list and the members to running wallets and streams."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.partitions import partition_of
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.gateway.core.assignment import Assignment, GatewayRoom, assign, group_wallets, quotas
from hlmonitor.gateway.core.pool import Pool
from hlmonitor.gateway.core.routing import Routes
from hlmonitor.gateway.core.session import SUBSCRIPTION_TYPES, Catchup, Session, SessionLimits
from hlmonitor.gateway.core.window import Window
from hlmonitor.gateway.io.budgets import Budgets
from hlmonitor.gateway.io.ingest import AggregatorLink, Delivery
from hlmonitor.gateway.io.notifier import Notifier
from hlmonitor.gateway.io.wallet import VenueAccess, Wallet
from hlmonitor.gateway.settings import GatewaySettings
from hlmonitor.runtime.core.membership import Member
from hlmonitor.runtime.health import Component
from hlmonitor.runtime.service import Service
from hlmonitor.v1 import events_pb2 as pb
from hlmonitor.v1 import ingest_pb2

KIND = "gateway"
_TICK_S = 0.5
_DRAIN_MARGIN_S = 2.0


@dataclass(slots=True)
class _Running:
    wallet: Wallet
    task: asyncio.Task[None]
    lingers_until: float | None = None


@dataclass(slots=True)
class _Linked:
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
    pool: Pool
    unique_users: int
    venue: VenueAccess = field(init=False)
    delivery: Delivery = field(init=False)
    _gateways: dict[str, GatewayRoom] | None = None
    _entries: Mapping[Address, WatchEntry] | None = None
    _aggregators: Mapping[str, Member] | None = None
    _assignment: Assignment = field(default_factory=lambda: Assignment({}, ()))
    _wallets: dict[Address, _Running] = field(default_factory=dict)
    _links: dict[str, _Linked] = field(default_factory=dict)
    _user_slots: int = 0
    _released: dict[Address, float] = field(default_factory=dict)
    """Wallets that were let go, and until when the venue still counts them."""
    _draining: bool = False

    @property
    def member(self) -> Member:
        """What this gateway's heartbeat says."""
        settings = self.service.settings
        room = GatewayRoom(
            settings.egress_group,
            group_wallets(self.unique_users, settings.connections, settings.spare_connections),
        )
        return Member(kind=KIND, name=settings.instance, attributes=room.attributes())

    def on_gateways(self, members: Mapping[str, Member]) -> None:
        """A new view of the gateways."""
        self._gateways = {name: GatewayRoom.from_attributes(member.attributes) for name, member in members.items()}
        self.service.log.info("gateways_changed", gateways=sorted(members))
        self._reconcile()

    def on_watch_list(self, entries: Mapping[Address, WatchEntry]) -> None:
        """A new watch list."""
        self._entries = entries
        self._reconcile()

    def on_aggregators(self, members: Mapping[str, Member]) -> None:
        """A new view of the aggregators: route partitions anew, open and close streams."""
        self.service.log.info("aggregators_changed", aggregators=sorted(members))
        self._aggregators = members
        for name, linked in list(self._links.items()):
            if members.get(name) != linked.link.member:
                linked.task.cancel()
                del self._links[name]
        moved = self.routes.update(members)
        for partition in moved:
            self.window.rewind(partition)
        for name, member in members.items():
            if name not in self._links:
                link = AggregatorLink(member, self.delivery)
                self._links[name] = _Linked(link, self.tasks.create_task(link.run(), name=f"aggregator {name}"))
        self._introduce(moved)
        self.added()

    def stream_opened(self, aggregator: str) -> None:
        """An aggregator, perhaps a new process under its name, takes events: it must know whom we serve."""
        self._introduce(self.routes.owned(aggregator))

    def added(self) -> None:
        """There may be events to send."""
        for linked in self._links.values():
            linked.link.wake()

    def learned_users(self, users: int) -> None:
        """The venue tracks fewer wallets for this IP than the settings say."""
        if users < self.unique_users:
            self.service.log.warning("user_limit_learned", users=users, configured=self.unique_users)
            self.unique_users = users

    def resume(self, resume: ingest_pb2.Resume) -> None:
        """An aggregator answers Opened."""
        running = self._wallets.get(Address(resume.address))
        if running is None:
            return
        work = running.wallet.session.resume(resume, _now_ms())
        if work is not None:
            running.wallet.backlog.request(work)
        self.added()

    def backfill(self, backfill: ingest_pb2.Backfill) -> None:
        """An aggregator wants rows or statuses again."""
        running = self._wallets.get(Address(backfill.address))
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
            now, now_ms = time.monotonic(), _now_ms()
            for running in self._wallets.values():
                running.wallet.session.tick(now, now_ms)
            self.added()
            self._judge()
            await asyncio.sleep(_TICK_S)

    async def drain(self, room: Notifier) -> None:
        """Stop reading the venue, say so, and wait until every event is durable or the time is over."""
        self._draining = True
        for running in self._wallets.values():
            running.task.cancel()
            running.wallet.session.stopping(_now_ms())
        self.added()
        deadline = time.monotonic() + max(self.service.settings.drain_timeout_s - _DRAIN_MARGIN_S, 0.0)
        while (held := self.window.statistics().events) and time.monotonic() < deadline:
            await room.wait(0.2)
        self.service.log.info("drained", events_left=held)

    def close(self) -> None:
        """End the streams to the aggregators."""
        for linked in self._links.values():
            linked.task.cancel()

    def _introduce(self, partitions: Iterable[int]) -> None:
        numbers = set(partitions)
        for address, running in self._wallets.items():
            if partition_of(address) in numbers:
                running.wallet.session.reopen(time.monotonic(), _now_ms())

    def _reconcile(self) -> None:
        if self._draining or self._gateways is None or self._entries is None:
            return
        settings = self.service.settings
        mine = self._gateways.get(settings.instance)
        if mine is not None:
            group_size = sum(room.group == mine.group for room in self._gateways.values())
            self.budgets.share(settings, group_size, time.monotonic())
            quota = quotas(self._gateways)[settings.instance]
            self.pool.connections = max(settings.connections // group_size, quota)
            self._user_slots = max(self.unique_users // group_size, quota)
            self.pool.subscriptions = settings.subscriptions // group_size
        watched = {address: entry for address, entry in self._entries.items() if not self._is_over(entry)}
        before = self._assignment.uncovered
        self._assignment = assign(watched.values(), self._gateways)
        if self._assignment.uncovered != before:
            self.service.log.warning("wallets_uncovered", addresses=self._assignment.uncovered)
        wanted = self._assignment.of(settings.instance)
        self._stop_unwanted(wanted, watched)
        for address in sorted(wanted - self._wallets.keys()):
            if not self._has_user_slot(address):
                self._release_one_lingering()
            else:
                self._start(address)

    def _is_over(self, entry: WatchEntry) -> bool:
        grace_ms = self.service.settings.remove_grace * 1000
        return entry.removed_at_ms is not None and entry.removed_at_ms + grace_ms <= _now_ms()

    def _stop_unwanted(self, wanted: set[Address], watched: Mapping[Address, WatchEntry]) -> None:
        now = time.monotonic()
        for address, running in list(self._wallets.items()):
            if address in wanted:
                running.lingers_until = None
            elif address not in watched:
                self._stop(address, "removed")
            elif running.lingers_until is None:
                running.lingers_until = now + self.service.settings.handover_linger_s
            elif now >= running.lingers_until:
                self._stop(address, "handed_over")

    def _has_user_slot(self, address: Address) -> bool:
        now = time.monotonic()
        self._released = {old: until for old, until in self._released.items() if until > now}
        counted = self._wallets.keys() | self._released.keys()
        return address in counted or len(counted) < self._user_slots

    def _start(self, address: Address) -> None:
        number = self.pool.place(address, len(SUBSCRIPTION_TYPES), exclusive=True)
        if number is None:
            self._release_one_lingering()
            return
        settings = self.service.settings
        limits = SessionLimits(settings.ack_timeout_s, settings.resume_timeout_s)
        priority = self._entries[address].priority if self._entries else 0
        wallet = Wallet(Session(address, self.window, limits), self.venue, number, priority=priority)
        self._wallets[address] = _Running(wallet, self.tasks.create_task(wallet.run(), name=f"wallet {address}"))
        self.service.log.info("wallet_started", address=address, connection=number)

    def _release_one_lingering(self) -> None:
        """Make room: what is missing is started by a later tick, when the venue has forgotten the wallet let go."""
        leaving = next((held for held, it in self._wallets.items() if it.lingers_until is not None), None)
        if leaving is not None:
            self._stop(leaving, "room_needed")

    def _stop(self, address: Address, reason: str) -> None:
        self._wallets.pop(address).task.cancel()
        self.pool.release(address)
        self._released[address] = time.monotonic() + self.service.settings.user_release_s
        self.service.log.info("wallet_stopped", address=address, reason=reason)

    def _judge(self) -> None:
        health = self.service.health
        _set(
            health.component("venue"),
            "no connection to the venue stands",
            bad=bool(self._wallets) and not self._connected(),
        )
        lost = [name for name, linked in self._links.items() if not linked.link.connected]
        why = f"not connected: {', '.join(lost)}" if self._links else "there is none"
        _set(health.component("aggregators"), why, bad=bool(lost) or not self._links)

    def _acknowledgement_lag_s(self) -> float:
        oldest_ms = self.window.oldest_received_ms()
        return 0.0 if oldest_ms is None else max(_now_ms() - oldest_ms, 0) / 1000

    def _connected(self) -> int:
        return sum(running.wallet.is_connected for running in self._wallets.values())

    def _subscribed(self) -> int:
        return sum(running.wallet.session.is_acknowledged for running in self._wallets.values())

    def _uncovered(self) -> list[Address]:
        refused = [address for address, running in self._wallets.items() if running.wallet.refusal]
        waiting = self._assignment.of(self.service.settings.instance) - self._wallets.keys()
        return sorted({*self._assignment.uncovered, *refused, *waiting})

    def wallet_status(self) -> list[dict[str, object]]:
        """The wallets of this gateway, for `/status`."""
        return [
            {
                "address": address,
                "state": running.wallet.state(),
                "connection": running.wallet.connection,
                "partition": partition_of(address),
                "unacknowledged_events": self.window.held_of(address),
                "refusal": running.wallet.refusal,
                "lingers": running.lingers_until is not None,
                "backfill": running.wallet.backlog.shown(),
            }
            for address, running in sorted(self._wallets.items())
        ]

    def add_metrics(self) -> None:
        """Feed the gauges, each at the moment when it is read."""
        metrics = self.service.metrics
        metrics.addresses_subscribed.set_function(self._subscribed)
        metrics.pool_manager_connection_count.set_function(self._connected)
        metrics.websocket_connected.set_function(lambda: self._connected() == len(self._wallets))
        metrics.message_queue_size.set_function(lambda: self.window.statistics().events)
        metrics.acknowledgement_lag_seconds.set_function(self._acknowledgement_lag_s)
        metrics.wallets_uncovered.set_function(lambda: len(self._uncovered()))
        metrics.backfills_pending.set_function(
            lambda: sum(len(running.wallet.backlog) for running in self._wallets.values())
        )

    def add_status(self) -> None:
        """Show wallets, connections, windows and streams in `/status`."""
        health = self.service.health
        health.add_status("address_count", lambda: len(self._wallets))
        health.add_status("wallets", self.wallet_status)
        health.add_status("uncovered", self._uncovered)
        health.add_status("connections", self.pool.loads)
        health.add_status("window", self.window.statistics)
        health.add_status("budgets_used", self._budgets_used)
        health.add_status(
            "streams", lambda: {name: it.link.connected or it.link.last_error for name, it in self._links.items()}
        )

    def _budgets_used(self) -> dict[str, float]:
        now = time.monotonic()
        return {
            "new_connections": self.budgets.new_connections.used(now),
            "messages": self.budgets.messages.used(now),
            "rest_weight": self.budgets.rest.used(now),
        }


def _set(component: Component, reason: str, *, bad: bool) -> None:
    if bad:
        component.down(reason)
    else:
        component.up()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
