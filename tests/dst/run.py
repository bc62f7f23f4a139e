"""One seed from beginning to end."""

import asyncio
import gc
import hashlib
import random
from dataclasses import dataclass, replace

from dst.checks import Findings
from dst.database import prepare_schema
from dst.loop import VirtualLoop
from dst.nemesis import Nemesis
from dst.process import quiet
from dst.settings import Conditions, draw
from dst.world import World, running

SETTLE_S = 240.0
"""What is not right so long after the last fault never will be."""
LOOK_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended."""

    conditions: Conditions
    problems: tuple[str, ...]
    fills: int
    signals: int
    strikes: int
    steps: int
    virtual_s: float
    lines: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Of the trace."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()


def run(seed: int, *, traced: bool = False, conditions: Conditions | None = None) -> Result:
    """Run a seed; its conditions may be others than those that it draws."""
    prepare_schema()
    quiet()
    conditions = replace(conditions, seed=seed) if conditions else draw(seed)
    loop = VirtualLoop()
    world = World(conditions, loop, [] if traced else None)
    nemesis = Nemesis(world, random.Random(f"nemesis {seed}"))
    with running(world):
        try:
            problems = loop.run_until_complete(_live(world, nemesis))
        finally:
            _dismantle(world)
            loop.close()
    gc.collect(0)
    return Result(
        conditions=conditions,
        problems=tuple(problems),
        fills=sum(len(order.executions) for order in world.venue.market.orders),
        signals=len(world.witness.signals),
        strikes=nemesis.strikes,
        steps=loop.steps,
        virtual_s=loop.now_s,
        lines=tuple(world.lines or ()),
    )


async def _live(world: World, nemesis: Nemesis) -> list[str]:
    beating = world.loop.create_task(world.venue.beat())
    world.begin()
    await asyncio.sleep(2.0)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(world.trade(world.conditions.trouble_s))
        tasks.create_task(nemesis.strike(world.conditions.trouble_s))
    world.trace("world", "no more faults")
    problems = await _settle(world)
    beating.cancel()
    return world.defects + problems


async def _settle(world: World) -> list[str]:
    """Wait until all is right, and say what is not when that takes too long."""
    findings = Findings(world)
    end_s = world.loop.now_s + SETTLE_S
    while world.loop.now_s < end_s and not world.defects:
        await asyncio.sleep(LOOK_EVERY_S)
        if findings.look_at_rest() and not findings.all():
            return []
    return findings.all()


def _dismantle(world: World) -> None:
    """Take apart what still runs, so that nothing of it outlives the run."""
    for name in list(world.processes):
        world.kill(name)
    for task in asyncio.all_tasks(world.loop):
        task.cancel()
    world.loop.run_until_complete(asyncio.sleep(0))
    world.loop.run_until_complete(asyncio.sleep(1.0))
