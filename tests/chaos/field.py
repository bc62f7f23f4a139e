"""Carries out the blows of a plan, and supervises: what was killed, or ended by itself, is started again."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol, assert_never

import aiohttp
from sqlalchemy.exc import SQLAlchemyError
from world import World

from chaos.lines import Lines
from chaos.plan import Blow, Freeze, Hurt, Join, Kill, Leave, List, Unlist
from chaos.recovery import Restart
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.partitions import partition_of
from hlmonitor.local.databases import DatabaseServer
from hlmonitor.local.processes import LocalError
from hlmonitor.local.services import ServiceProcess
from hlmonitor.local.stack import Stack
from hlmonitor.runtime.clock import wall_ms
from hlmonitor.storage.errors import StorageError

LOOK_S = 0.2
"""How often the supervisor looks for what ended by itself."""
READY_S = 60.0
"""A process that is not ready after this has not recovered."""
SQL_S = 5.0
CONNECTED_S = 3.0
"""A line to be hurt is waited for so long, as one of its ends may just be starting."""
_POLL_S = 0.02


class Victim(Protocol):
    """What can be killed and frozen."""

    @property
    def running(self) -> bool: ...
    def kill(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


@dataclass(slots=True)
class Field:
    """A stack that is up, with everything that the blows need. `say` is told a line per blow."""

    world: World
    lines: Lines
    database: DatabaseServer | None
    wallets: Iterable[str]
    say: Callable[[str], None]
    struck: Counter[str] = field(default_factory=Counter)
    """Blows that happened, by the name of their kind; `cuts` are connections that were hurt."""
    restarts: list[Restart] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    """Processes that ended by themselves, and those that left with another status than 0."""
    removed_ms: dict[str, int] = field(default_factory=dict)
    """When wallets were taken off the watch list, wall clock."""
    _wanted: set[str] = field(default_factory=set)
    _away: set[str] = field(default_factory=set)
    _shares: dict[str, frozenset[str]] = field(default_factory=dict)
    _moving: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    """Who joins, is killed and leaves does so in the order of the plan, however late."""
    _began: float = 0.0

    @property
    def stack(self) -> Stack:
        """Everything that runs."""
        return self.world.stack

    async def fight(self, blows: Iterable[Blow]) -> None:
        """All blows, each at its time from now; afterwards everything that should run does, unhurt."""
        self._began = time.monotonic()
        self._wanted = {name for name, service in self.stack.services.items() if service.running} | {"nats"}
        self._wanted |= {"database"} if self.database else set()
        helpers = [asyncio.create_task(self._supervise()), asyncio.create_task(self._note_shares())]
        try:
            async with asyncio.TaskGroup() as tasks:
                for blow in blows:
                    tasks.create_task(self._strike_in_time(blow))
            for name in self._wanted:
                await self._until_ready(name)
        finally:
            for task in helpers:
                task.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    async def _strike_in_time(self, blow: Blow) -> None:
        await asyncio.sleep(self._began + blow.at_s - time.monotonic())
        await self._strike(blow)
        self.struck[type(blow).__name__] += 1

    async def _strike(self, blow: Blow) -> None:
        match blow:
            case Kill():
                await self._kill(blow)
            case Freeze():
                victim = await self._running(blow.target)
                self._tell(blow, f"freeze {blow.target} for {blow.for_s:.1f} s")
                victim.pause()
                await asyncio.sleep(blow.for_s)
                victim.resume()
            case Hurt():
                await self._hurt(blow)
            case Join():
                async with self._moving[blow.target]:
                    self._tell(blow, f"{blow.target} joins")
                    self._start(blow.target)
            case Leave():
                async with self._moving[blow.target]:
                    await self._leave(blow)
            case List():
                self._tell(blow, f"watch {blow.wallet}")
                await self._list(blow.wallet)
            case Unlist():
                self._tell(blow, f"do not watch {blow.wallet} for {blow.for_s:.1f} s")
                self.removed_ms[blow.wallet] = wall_ms()
                await self._in_sql(lambda: self.world.unlist_in_sql(blow.wallet))
                await asyncio.sleep(blow.for_s)
                await self._list(blow.wallet)
            case _:
                assert_never(blow)

    async def _list(self, wallet: str) -> None:
        await self._in_sql(lambda: self.world.list_in_sql([wallet]))

    @staticmethod
    async def _in_sql(write: Callable[[], Awaitable[None]]) -> None:
        """A user's application tries again while the database is away."""
        while True:
            try:
                async with asyncio.timeout(SQL_S):
                    return await write()
            except (StorageError, SQLAlchemyError, OSError, TimeoutError):
                await asyncio.sleep(_POLL_S)

    async def _kill(self, blow: Kill) -> None:
        async with self._moving[blow.target]:
            victim = await self._running(blow.target)
            share = self._shares.get(blow.target)
            self._away.add(blow.target)
            victim.kill()
            self._tell(blow, f"kill {blow.target}, back in {blow.away_s:.1f} s")
            await asyncio.sleep(blow.away_s)
            started_ms = wall_ms()
            self._start(blow.target)
        ready_ms = await self._until_ready(blow.target)
        self.restarts.append(Restart(blow.target, started_ms, ready_ms, share, blow.alone))
        if ready_ms is None:
            self._tell(blow, f"{blow.target} did not become ready")

    async def _hurt(self, blow: Hurt) -> None:
        deadline = time.monotonic() + CONNECTED_S
        while not await self.lines.connections(blow.line) and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_S)
        hurt = await self.lines.hurt(blow.line, blow.fault)
        self.struck["cuts"] += hurt
        self._tell(blow, f"{blow.fault} {blow.line}, {hurt} connections, {blow.for_s:.1f} s")
        await asyncio.sleep(blow.for_s)
        await self.lines.calm(blow.line)

    async def _leave(self, blow: Leave) -> None:
        self._tell(blow, f"{blow.target} leaves")
        self._wanted.discard(blow.target)
        try:
            status = await self.stack[blow.target].terminate()
        except LocalError:
            status = None
        if status != 0:
            self.ended.append(f"{blow.target} left with status {status}")

    def _start(self, name: str) -> None:
        self._wanted.add(name)
        self._away.discard(name)
        match self._victim(name):
            case ServiceProcess() as service:
                service.start()
            case server:
                server.launch()  # type: ignore[attr-defined]

    async def _until_ready(self, name: str) -> int | None:
        """When it was, wall clock; None when it was not in time, is away again, or left."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and name in self._wanted - self._away:
            if self._victim(name).running and await self._is_ready(name):
                return wall_ms()
            await asyncio.sleep(_POLL_S)
        return None

    async def _is_ready(self, name: str) -> bool:
        match name:
            case "nats":
                return await asyncio.to_thread(self.stack.nats.answers)
            case "database":
                return self.database is None or await asyncio.to_thread(self.database.answers)
            case _:
                with suppress(aiohttp.ClientError, TimeoutError):
                    return (await self.stack[name].get("/health/ready"))[0] == 200
                return False

    async def _running(self, name: str) -> Victim:
        """What is to be struck; it may only just be about to start."""
        deadline = time.monotonic() + READY_S
        while name not in self._wanted or not self._victim(name).running:
            assert time.monotonic() < deadline, f"{name} is to be struck, and does not run"
            await asyncio.sleep(_POLL_S)
        return self._victim(name)

    def _victim(self, name: str) -> Victim:
        match name:
            case "nats":
                return self.stack.nats
            case "database":
                assert self.database is not None
                return self.database
            case _:
                return self.stack[name]

    async def _supervise(self) -> None:
        while True:
            for name in self._wanted - self._away:
                if not self._victim(name).running:
                    self.ended.append(f"{name} ended by itself")
                    self.say(f"{'':>8} {name} ended by itself; it is started again")
                    self._start(name)
            await asyncio.sleep(LOOK_S)

    async def _note_shares(self) -> None:
        """Which wallets each gateway and aggregator serves, as it says itself."""
        while True:
            for kind, wallets_of in (("gateway", self._of_gateway), ("aggregator", self._of_aggregator)):
                for service in self.stack.of_kind(kind):
                    with suppress(aiohttp.ClientError, TimeoutError):
                        async with asyncio.timeout(1):
                            if service.running and (share := wallets_of(await service.status())):
                                self._shares[service.name] = share
            await asyncio.sleep(1)

    @staticmethod
    def _of_gateway(status: Mapping[str, list[dict[str, str]]]) -> frozenset[str]:
        return frozenset(wallet["address"] for wallet in status["wallets"])

    def _of_aggregator(self, status: Mapping[str, Mapping[str, str]]) -> frozenset[str]:
        owned = {int(number) for number, state in status["partitions"].items() if state == "ready"}
        return frozenset(wallet for wallet in self.wallets if partition_of(Address(wallet)) in owned)

    def _tell(self, blow: Blow, text: str) -> None:
        late_s = time.monotonic() - self._began - blow.at_s
        self.say(f"{blow.at_s:7.1f}s {text}" + (f" ({late_s:.1f} s late)" if late_s > 1 else ""))
