"""One run: the services, what lies between them, what happens to them, and what must be true in the end."""

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import msgspec

import hlmonitor.aggregator.__main__ as aggregator
import hlmonitor.gateway.__main__ as gateway
import hlmonitor.writer.__main__ as writer
from dst.clocks import EPOCH_MS, virtual_clocks
from dst.database import SqlServer
from dst.loop import Scope, VirtualLoop, scope_of
from dst.members import Members
from dst.nats_server import Bucket, NatsServer
from dst.network import KEEPALIVE_S, Network
from dst.patches import models_in_place
from dst.process import Launcher, Process
from dst.settings import WALLETS, Conditions, settings_of
from dst.trader import Trader
from dst.venue import Venue
from dst.witness import Witness
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.v1 import storage_pb2
from hlmonitor.writer.io.transaction import GroupCommit, Outcome

SERVES: dict[str, Callable[[Any], Any]] = {
    "gateway": gateway.serve,
    "aggregator": aggregator.serve,
    "writer": writer.serve,
}


@dataclass
class World:
    """Everything of one run."""

    conditions: Conditions
    loop: VirtualLoop
    lines: list[str] | None = None
    """The trace, when somebody wants it."""
    defects: list[str] = field(default_factory=list)
    """What must never happen and did."""
    processes: dict[str, Process] = field(default_factory=dict)
    venue: Venue = field(init=False)
    network: Network = field(init=False)
    nats: NatsServer = field(init=False)
    sql: SqlServer = field(init=False)
    members: Members = field(init=False)
    launcher: Launcher = field(init=False)
    witness: Witness = field(init=False)

    def __post_init__(self) -> None:
        seed, loop = self.conditions.seed, self.loop

        def chance(part: str) -> random.Random:
            # Each part draws from a well of its own, so that a change in one does not turn over the others.
            return random.Random(f"{part} {seed}")

        self.venue = Venue(loop, chance("venue"), self.conditions.snapshot_rows, self.conditions.kept_rows)
        self.network = Network(loop, chance("network"), self.trace if self.lines is not None else None)
        self.nats = NatsServer(loop, chance("nats"), self.trace)
        self.sql = SqlServer(chance("sql"))
        self.members = Members(loop, chance("members"))
        self.launcher = Launcher(loop, self.trace, self.defects)
        self.witness = Witness(self.sql.rows, self.defects)
        self.sql.on_begin, self.sql.on_commit = self.witness.begun, self.witness.committed
        self.loop.set_exception_handler(self.note_failure)
        self.nats.on_stored, self.network.on_message = self.witness.published, self.witness.message

    def note_failure(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A callback or a task of which nobody took notice has failed; the dead may."""
        scope = scope_of(context)
        if scope is None or scope.is_alive:
            self.defects.append(
                f"{scope.name if scope else 'nobody'}: {context['message']}: {context.get('exception')!r}"
            )

    def trace(self, who: str, what: str) -> None:
        """One line of the trace."""
        if self.lines is not None:
            self.lines.append(f"{self.loop.now_s:12.6f} {who:<14} {what}")

    def begin(self) -> None:
        """Watch the wallets and start every service."""
        bucket = self.nats.buckets.setdefault("hl_watch", Bucket())
        assert not bucket.entries
        for wallet in WALLETS:
            entry = WatchEntry(address=wallet, watch_from_ms=EPOCH_MS)
            self.nats.write_key("hl_watch", wallet, msgspec.json.encode(entry), 0)
        self.start("writer")
        for number in range(self.conditions.aggregators):
            self.start(f"aggregator-{number}")
        for number in range(self.conditions.gateways):
            self.start(f"gateway-{number}")

    def start(self, name: str) -> None:
        """A new incarnation of a service."""
        kind = name.partition("-")[0]
        self.trace(name, "starts")
        process = self.launcher.start(kind, name, settings_of(name, self.conditions), SERVES[kind])
        self.processes[name] = process
        process.main.add_done_callback(lambda _: self._ended(process))

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self.trace(name, "is killed")
        self.launcher.kill(self.processes.pop(name), self._sever)

    def stop(self, name: str) -> None:
        """SIGTERM."""
        self.trace(name, "is told to stop")
        self.processes[name].stop()

    def pause(self, name: str) -> None:
        """SIGSTOP."""
        process = self.processes[name]
        self.trace(name, "is paused")
        process.scope.is_paused = True
        self.loop.call_later(2.0, self._note_silence, process.scope)
        self.loop.call_later(KEEPALIVE_S, self._note_dead_peer, process.scope)

    def resume(self, name: str) -> None:
        """SIGCONT."""
        process = self.processes.get(name)
        if process is not None and process.scope.is_paused:
            self.trace(name, "goes on")
            self.loop.resume(process.scope)
            self.members.heard_again(process.scope)

    def unacknowledged(self) -> int:
        """Events that gateways hold."""
        gateways = [process for process in self.processes.values() if process.kind == "gateway"]
        windows: list[Any] = [process.service.health.status()["window"] for process in gateways]
        return sum(window.events for window in windows)

    async def trade(self, seconds: float) -> None:
        """Let the venue's users trade for so long, then end every order."""
        trader = Trader(self.venue.market, random.Random(f"trader {self.conditions.seed}"), WALLETS)
        end_s = self.loop.now_s + seconds
        while self.loop.now_s < end_s:
            await asyncio.sleep(trader.chance.expovariate(self.conditions.orders_per_s))
            self.venue.catch_up_clock()
            trader.act()
            self.venue.announce()
        await asyncio.sleep(0.5)
        self.venue.catch_up_clock()
        trader.end_all()
        self.venue.announce()

    def _sever(self, scope: Scope) -> None:
        self.members.died(scope)
        self.network.died(scope)
        for socket in [socket for socket in self.venue.sockets if socket.scope is scope]:
            socket.end()

    def _ended(self, process: Process) -> None:
        if process.scope.is_alive and self.processes.get(process.name) is process:
            self.trace(process.name, "has ended")
            del self.processes[process.name]
            self.launcher.kill(process, self._sever)

    def _note_silence(self, scope: Scope) -> None:
        if scope.is_paused:
            self.members.silent(scope)

    def _note_dead_peer(self, scope: Scope) -> None:
        if scope.is_paused:
            self.network.died_silently(scope)


@contextmanager
def running(world: World) -> Iterator[None]:
    """The models and clocks in place, and an eye on the epochs."""
    run = GroupCommit.run

    async def observed(self: GroupCommit, connection: Any, group: list[storage_pb2.CommitBatch]) -> Outcome:  # noqa: ANN401
        before = world.witness.standings()
        outcome = await run(self, connection, group)
        after = world.witness.standings()
        for batch, reply in zip(group, outcome.replies, strict=True):
            name = f"batch {batch.partition}.{batch.epoch}.{batch.number}"
            world.trace("writer", f"{name} {reply.WhichOneof('result')}")
            if before[batch.partition] != after[batch.partition]:
                world.witness.applied(batch, name, before[batch.partition][0])
        return outcome

    with (
        virtual_clocks(world.loop, world.conditions.seed),
        models_in_place(world.venue, world.network, world.nats, world.sql, world.members),
        patch.object(GroupCommit, "run", observed),
    ):
        yield
