"""The wallets that this gateway reads: started, given to other gateways, taken from them, let go."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.gateway.core.assignment import Assignment
from hlmonitor.gateway.core.connection import SUBSCRIPTION_TYPES
from hlmonitor.gateway.core.handover import Handover, Notice, Word
from hlmonitor.gateway.core.pool import Pool
from hlmonitor.gateway.core.session import Session, SessionLimits
from hlmonitor.gateway.core.shares import Allowance
from hlmonitor.gateway.core.window import Window
from hlmonitor.gateway.io.access import VenueAccess
from hlmonitor.gateway.io.wallet import Wallet
from hlmonitor.gateway.settings import GatewaySettings
from hlmonitor.runtime.clock import wall_ms
from hlmonitor.runtime.logs import Log

STOPPING = "gateway_stopping"
REMOVED = "removed"


@dataclass(slots=True)
class Running:
    """A wallet at work."""

    wallet: Wallet
    task: asyncio.Task[None]
    leaves: bool = False
    """It is another gateway's now, and read until that one has it."""


@dataclass(slots=True)
class Wallets:
    """All methods are called on the event loop and return at once."""

    settings: GatewaySettings
    tasks: asyncio.TaskGroup
    window: Window
    pool: Pool
    log: Log
    changed: Callable[[], None] = field(init=False)
    """Called when a place at the venue is free again."""
    venue: VenueAccess = field(init=False)
    running: dict[Address, Running] = field(default_factory=dict)
    handover: Handover = field(init=False)
    users: int = 0
    """How many wallets the venue may count for us."""
    _group: Collection[str] = ()
    _closing: set[Address] = field(default_factory=set)
    _released: dict[Address, float] = field(default_factory=dict)
    """Wallets whose connection closed, and until when the venue still counts them."""

    def __post_init__(self) -> None:
        """Speak in this gateway's name."""
        settings = self.settings
        self.handover = Handover(settings.instance, settings.handover_linger_s, settings.slot_patience_s)

    def allow(self, allowance: Allowance, group: Collection[str]) -> None:
        """Take no more than this from now on, in a group of these gateways."""
        self._group = group
        self.pool.connections = allowance.connections
        self.pool.subscriptions = self.settings.subscriptions // max(allowance.group_size, 1)
        self.users = allowance.users

    @property
    def held(self) -> tuple[int, int]:
        """Connections and users of ours at the venue."""
        return self.pool.held, len(self._counted())

    @property
    def connected(self) -> int:
        """Wallets with a connection that stands."""
        return sum(running.wallet.is_connected for running in self.running.values())

    def reconcile(self, watched: Mapping[Address, WatchEntry], assignment: Assignment, *, stopping: bool) -> None:
        """Bring what runs in line with what is ours."""
        now = time.monotonic()
        wanted = assignment.of(self.settings.instance)
        for address in list(self.running):
            self._judge(address, wanted, watched, assignment.owners, now, STOPPING if stopping else None)
        missing = sorted(wanted - self.running.keys())
        crowded_out = [address for address in missing if not self._start(watched[address], now)]
        self._make_room([address for address in crowded_out if self.handover.wait(address, now)])
        for address in wanted & self.running.keys():
            self.handover.started(address)
            if self.running[address].wallet.is_live:
                self.handover.live(address, now)
        self.handover.forget(wanted, self.running.keys(), now)

    def heard(self, address: Address, notice: Notice) -> None:
        """A gateway, perhaps this one, says something of a wallet."""
        now = time.monotonic()
        begins = self.handover.heard(address, notice, now)
        running = self.running.get(address)
        if begins and running and not running.leaves:
            # Both read it, and the other one may have introduced itself last: requests must come here from now on.
            running.wallet.session.reopen(now, wall_ms())

    def stop_all(self) -> None:
        """Let go of everything; what nobody has taken is told."""
        for address in list(self.running):
            self._stop(address, STOPPING)

    def _judge(
        self,
        address: Address,
        wanted: set[Address],
        watched: Mapping[Address, WatchEntry],
        owners: Mapping[Address, str],
        now: float,
        why: str | None,
    ) -> None:
        running = self.running[address]
        running.leaves = address not in wanted
        if not running.leaves:
            self.handover.keep(address)
        elif address not in watched:
            self._stop(address, REMOVED)
        elif address not in owners:
            self._stop(address, why or "uncovered")
        elif not running.wallet.is_connected:
            self._stop(address, why or "connection_lost")
        elif answer := self.handover.leave(address, now):
            self._stop(address, answer if answer == Word.CAUGHT_UP else why or answer)

    def _start(self, entry: WatchEntry, now: float) -> bool:
        address = entry.address
        if address in self._closing or not self._has_user_slot(address, now):
            return False
        if self.pool.place(address, len(SUBSCRIPTION_TYPES), exclusive=True) is None:
            return False
        limits = SessionLimits(self.settings.ack_timeout_s, self.settings.resume_timeout_s)
        wallet = Wallet(Session(address, self.window, limits), self.venue, priority=entry.priority)
        self.running[address] = Running(wallet, self.tasks.create_task(wallet.run(), name=f"wallet {address}"))
        self.log.info("wallet_started", address=address)
        return True

    def _counted(self) -> set[Address]:
        now = time.monotonic()
        self._released = {old: until for old, until in self._released.items() if until > now}
        return self.running.keys() | self._closing | self._released.keys()

    def _has_user_slot(self, address: Address, now: float) -> bool:
        # A wallet that a gateway of our IP still reads is counted already.
        if self.handover.giver(address, now) in self._group:
            return True
        counted = self._counted()
        return address in counted or len(counted) < self.users

    def _make_room(self, crowded_out: list[Address]) -> None:
        leaving = [address for address, running in self.running.items() if running.leaves]
        for address in leaving[: max(len(crowded_out) - len(self._closing), 0)]:
            self._stop(address, "room_needed")

    def _stop(self, address: Address, reason: str) -> None:
        """Let go. Unless another gateway reads the wallet, or nobody is to, it is told that nobody does."""
        running = self.running.pop(address)
        running.task.cancel()
        if reason != REMOVED:
            running.wallet.session.stopping(wall_ms(), gap=None if reason == Word.CAUGHT_UP else reason)
        self._closing.add(address)
        running.task.add_done_callback(partial(self._closed, address))
        self.log.info("wallet_stopped", address=address, reason=reason)

    def _closed(self, address: Address, _: asyncio.Task[None]) -> None:
        self._closing.discard(address)
        self.pool.release(address)
        self._released[address] = time.monotonic() + self.settings.user_release_s
        self.changed()
