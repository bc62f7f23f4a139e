"""The running simulator: market, listeners, client budgets, and the commands that wait for the next block."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Final, TypeVar

from hlmonitor.simulator.core.faults import FaultBoard
from hlmonitor.simulator.core.limits import IpBudget
from hlmonitor.simulator.core.load import make_plan
from hlmonitor.simulator.core.market import Market
from hlmonitor.simulator.wire.info import Answerer

from .clock import BlockClock
from .config import ServerConfig, Stats
from .hub import Hub
from .load import Load
from .node_files import NodeFiles
from .scenario import Player, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from hlmonitor.simulator.core.events import Block
    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.market import MarketConfig

    from .connection import Connection

_DRAIN_S: Final = 5.0
_KNOWN_IPS: Final = 10_000
_DRAIN_POLL_S: Final = 0.005

T = TypeVar("T")


def now_ms() -> int:
    """Return wall-clock milliseconds."""
    return time.time_ns() // 1_000_000


def seeded(name: str) -> random.Random:
    """Return dice that fall the same for the same name."""
    return random.Random(name)  # noqa: S311 repeatable is what it must be


class Simulator:
    """Everything that the handlers share. `step` makes one block and sends it out."""

    def __init__(
        self,
        market: MarketConfig,
        server: ServerConfig,
        *,
        seed: int,
        warmup_blocks: int = 0,
        clock_ms: Callable[[], int] = now_ms,
    ) -> None:
        self.config = server
        self.faults = FaultBoard(server.faults)
        self.clock_ms = clock_ms
        self.stats = Stats()
        self.clock = BlockClock(server.time, market.exchange.block_ms, clock_ms, warmup_blocks)
        self.market = Market(market, lambda name: seeded(f"{seed}:{name}"), self.clock.genesis_ms)
        self._node: NodeFiles | None = None
        if server.node_dir is not None:
            share = market.exchange.fees.deployer_share
            self._node = NodeFiles(server.node_dir, share, server.node_buffer_bytes)
            self._record(self.market.exchange.state.block)
        for _ in range(warmup_blocks):
            self._record(self.market.step(self.clock.warmup_ms()))
        self.hub = Hub(self.market, server)
        self.load: Load | None = None
        if server.load is not None:
            self.load = Load(self, make_plan(server.load, seeded(f"{seed}:load")), server.load)
            self._record(self.market.step(self.clock.warmup_ms(), [self.load.enter]))
        self.answerer = Answerer(self.market.exchange)
        self.connections: dict[Connection, None] = {}
        self.dice = seeded(f"{seed}:faults")
        self.player: Player | None = None
        """The scenario that is played, if any."""
        self._given_ms = 0
        self._budgets: dict[str, IpBudget] = {}
        self._commands: list[Callable[[Exchange], None]] = []
        self._after: list[Callable[[], None]] = []

    @property
    def now_ms(self) -> int:
        """The venue time of the latest block, or of the one that is being made."""
        return max(self._given_ms, self.market.exchange.state.now_ms)

    def wallets(self) -> dict[str, dict[str, str]]:
        """Return address and style of the wallets that have names: the population's and the load's."""
        population = self.market.population
        whales = () if population is None else population.whales
        loaded = () if self.load is None else self.load.plan.addresses
        named = {
            f"{whale.style}-{n}": {"address": whale.address, "style": whale.style} for n, whale in enumerate(whales)
        }
        return named | {f"load-{n}": {"address": address, "style": "load"} for n, address in enumerate(loaded)}

    def play(self, text: str) -> Player:
        """Play a scenario from the next block on, in place of one that is played; raise ScenarioError."""
        names = {name: wallet["address"] for name, wallet in self.wallets().items()}
        self.player = Player(parse(text, names, self.market.exchange))
        return self.player

    def budget(self, ip: str) -> IpBudget:
        """Return what a client IP has used. Past a bound those that use nothing are forgotten."""
        if len(self._budgets) >= _KNOWN_IPS:
            now = self.clock_ms()
            self._budgets = {known: used for known, used in self._budgets.items() if not used.is_idle(now)}
        return self._budgets.setdefault(ip, IpBudget(self.config.limits))

    def step(self, time_ms: int) -> Block:
        """Make one block and queue its frames; cut silent connections."""
        self._given_ms = time_ms
        self.faults.expire(time_ms)
        commands, self._commands = self._commands, []
        if self.player is not None:
            commands = self.player.step(self, time_ms) + commands
        after, self._after = self._after, []
        block = self.market.step(time_ms, commands)
        self._record(block)
        self.stats.blocks += 1
        self.hub.publish(block, self.faults)
        for action in after:
            action()
        for connection in list(self.connections):
            connection.release(block.time_ms)
        return block

    def _record(self, block: Block) -> None:
        if self._node is not None:
            self._node.write(block, self.clock_ms() * 1_000_000)

    def close(self) -> None:
        """Let go of the files that blocks were written to."""
        if self._node is not None:
            self._node.close()

    def cut_silent(self, loop_ms: int) -> None:
        """Cut connections to which nothing was sent for too long; close those that are too old."""
        for connection in [connection for connection in self.connections if not connection.is_mute]:
            if loop_ms - connection.last_sent_ms >= self.config.idle_ms:
                connection.abort("idle")
            elif loop_ms - connection.opened_ms >= self.config.expire_ms:
                connection.expire()

    def is_crowded(self) -> bool:
        """Tell whether a block should wait because a client would be cut off for reading too slowly.

        Only while venue time runs by itself: the wall clock waits for nobody.
        """
        most = self.config.outbox_frames // 2
        return self.clock.is_virtual and any(connection.waiting > most for connection in self.connections)

    def at_block_end(self, action: Callable[[], None]) -> None:
        """Run something after the next block was queued."""
        self._after.append(action)

    async def until(self, time_ms: int) -> None:
        """Wait until a block of this venue time was made."""
        while self.now_ms < time_ms:
            made = asyncio.Event()
            self._after.append(made.set)
            await made.wait()

    async def command(self, action: Callable[[Exchange], T]) -> T:
        """Run something inside the next block; return its result once the block was queued."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        outcome: list[T | Exception] = []

        def run(exchange: Exchange) -> None:
            try:
                outcome.append(action(exchange))
            except Exception as error:  # noqa: BLE001 it belongs to whoever gave the command
                outcome.append(error)

        def finish() -> None:
            if done.cancelled():
                return
            if isinstance(outcome[0], Exception):
                done.set_exception(outcome[0])
            else:
                done.set_result(outcome[0])

        self._commands.append(run)
        self._after.append(finish)
        return await done

    async def drain(self) -> bool:
        """Send everything held back or queued; tell whether it all left in time."""
        for connection in list(self.connections):
            connection.flush()
        deadline = asyncio.get_running_loop().time() + _DRAIN_S
        while not all(connection.is_drained for connection in self.connections):
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(_DRAIN_POLL_S)
        return True


async def run_blocks(simulator: Simulator) -> None:
    """Make blocks on the venue's clock until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        if simulator.is_crowded():
            await asyncio.sleep(_DRAIN_POLL_S)
            continue
        simulator.step(simulator.clock.next_ms())
        simulator.cut_silent(int(loop.time() * 1000))
        wait_s, late = simulator.clock.wait_s(loop.time())
        simulator.stats.late_blocks += late
        await asyncio.sleep(wait_s)
