"""What goes wrong in a run: who is struck, by what, when and for how long, as the seed says."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

from dst.world import World

Fault = Callable[["Nemesis"], Coroutine[None, None, None]]


@dataclass(slots=True)
class Nemesis:
    """Strikes for a while, then sets everything right again."""

    world: World
    chance: random.Random
    strikes: int = 0
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)

    async def strike(self, seconds: float) -> None:
        """Let faults happen, overlapping each other, and return when the last is over."""
        loop = self.world.loop
        end_s = loop.now_s + seconds
        async with asyncio.TaskGroup() as tasks:
            while True:
                await asyncio.sleep(self.chance.expovariate(self.world.conditions.faults_per_s))
                if loop.now_s >= end_s:
                    return
                fault = self.chance.choice(FAULTS)
                self.strikes += 1
                tasks.create_task(fault(self))

    async def pause_s(self, most_s: float) -> None:
        """Wait for a part of that."""
        await asyncio.sleep(self.chance.uniform(0.05, most_s))

    def victim(self) -> str | None:
        """A process that runs."""
        names = sorted(name for name, one in self.world.processes.items() if not one.scope.is_paused)
        return self.chance.choice(names) if names else None

    def pair(self) -> tuple[str, str] | None:
        """Two processes that talk to each other."""
        pairs = sorted({(call.client.name, call.server.name) for call in self.world.network.calls.values()})
        return self.chance.choice(pairs) if pairs else None

    def note(self, what: str) -> None:
        """A line of the trace."""
        self.world.trace("nemesis", what)


async def _kill(nemesis: Nemesis) -> None:
    world, name = nemesis.world, nemesis.victim()
    if name is not None:
        world.kill(name)
        await nemesis.pause_s(5.0)
        world.start(name)


async def _kill_all(nemesis: Nemesis) -> None:
    world = nemesis.world
    names = sorted(world.processes)
    for name in names:
        world.kill(name)
    await nemesis.pause_s(2.0)
    for name in names:
        world.start(name)


async def _stop(nemesis: Nemesis) -> None:
    world, name = nemesis.world, nemesis.victim()
    if name is not None:
        process = world.processes[name]
        world.stop(name)
        await asyncio.wait({process.main})
        await nemesis.pause_s(3.0)
        if name not in world.processes:
            world.start(name)


async def _pause(nemesis: Nemesis) -> None:
    name = nemesis.victim()
    if name is not None:
        nemesis.world.pause(name)
        await nemesis.pause_s(nemesis.chance.choice((1.0, 4.0, 15.0)))
        nemesis.world.resume(name)


async def _cut(nemesis: Nemesis) -> None:
    for _ in range(nemesis.chance.choice((1, 1, 4))):
        if pair := nemesis.pair():
            nemesis.note(f"cuts {nemesis.world.network.cut(*pair)} calls of {pair}")
        await nemesis.pause_s(0.5)


async def _stall(nemesis: Nemesis) -> None:
    if pair := nemesis.pair():
        seconds = nemesis.chance.uniform(0.1, nemesis.chance.choice((1.0, 7.0)))
        nemesis.note(f"stalls {pair} for {seconds:.1f} s")
        nemesis.world.network.stall(*pair, seconds)
        await asyncio.sleep(seconds)


async def _half_open(nemesis: Nemesis) -> None:
    if pair := nemesis.pair():
        seconds = nemesis.chance.uniform(0.1, 3.0)
        nemesis.note(f"holds up {pair} for {seconds:.1f} s, then loses what is held")
        nemesis.world.network.stall(*pair, seconds + 1.0)
        await asyncio.sleep(seconds)
        nemesis.world.network.cut(*pair)


async def _nats_away(nemesis: Nemesis) -> None:
    nats = nemesis.world.nats
    if not nats.is_away:
        nemesis.note("takes NATS away")
        nats.go_away()
        await nemesis.pause_s(6.0)
        nats.come_back()
        nemesis.note("brings NATS back")


async def _nats_restored(nemesis: Nemesis) -> None:
    nats = nemesis.world.nats
    if not nats.is_away:
        nats.go_away()
        nemesis.note(f"restores NATS from an older disk: {nats.lose_tail()}")
        await nemesis.pause_s(2.0)
        nats.come_back()


async def _nats_mute(nemesis: Nemesis) -> None:
    nats = nemesis.world.nats
    nemesis.note("loses answers of NATS")
    nats.lose_answers = 0.5
    await nemesis.pause_s(3.0)
    nats.lose_answers = 0.0


async def _sql_away(nemesis: Nemesis) -> None:
    sql = nemesis.world.sql
    nemesis.note("takes SQL away")
    sql.is_away = True
    await nemesis.pause_s(nemesis.chance.choice((1.0, 12.0)))
    sql.is_away = False
    nemesis.note("brings SQL back")


async def _sql_slow(nemesis: Nemesis) -> None:
    sql = nemesis.world.sql
    nemesis.note("slows SQL")
    sql.slow_s = nemesis.chance.choice((0.3, 1.5))
    await nemesis.pause_s(6.0)
    sql.slow_s = 0.0


async def _sql_doubt(nemesis: Nemesis) -> None:
    nemesis.note("loses the answer to a commit")
    nemesis.world.sql.lost_commits += nemesis.chance.choice((1, 1, 3))


async def _venue_ends(nemesis: Nemesis) -> None:
    sockets = nemesis.world.venue.sockets
    if sockets:
        socket = nemesis.chance.choice(sockets)
        nemesis.note(f"ends a connection of {socket.scope.name}")
        socket.end()


async def _venue_away(nemesis: Nemesis) -> None:
    venue = nemesis.world.venue
    nemesis.note("takes the venue away")
    venue.go_away()
    await nemesis.pause_s(5.0)
    venue.is_away = False


async def _venue_busy(nemesis: Nemesis) -> None:
    venue = nemesis.world.venue
    nemesis.note("lets REST refuse")
    venue.refusing = 0.6
    await nemesis.pause_s(8.0)
    venue.refusing = 0.0


async def _venue_slow(nemesis: Nemesis) -> None:
    venue = nemesis.world.venue
    nemesis.note("slows feeds")
    venue.slow_feeds_s = nemesis.chance.uniform(0.2, 3.0)
    await nemesis.pause_s(6.0)
    venue.slow_feeds_s = 0.0


async def _mislead(nemesis: Nemesis) -> None:
    nemesis.note(f"misleads {nemesis.world.members.mislead()}")


FAULTS: tuple[Fault, ...] = (
    _kill, _kill, _kill, _kill, _kill_all, _stop, _stop, _pause, _pause, _cut, _cut, _stall, _half_open, _half_open,
    _nats_away, _nats_restored, _nats_mute, _sql_away, _sql_slow, _sql_slow, _sql_doubt, _venue_ends, _venue_ends,
    _venue_away, _venue_busy, _venue_slow, _mislead, _mislead,
)  # fmt: skip
