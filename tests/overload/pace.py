"""How fast the system is, on this machine at this time: the highest rate of the load at which nothing piles up."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from world import World, until

FIRST_RATE = 250
STEP = 1.5
STEP_S = 2.0
DRAINED_WITHIN_S = 1.0
"""What is left when the sending ends is durable after so long, or the rate was too high."""
LEFT = 100
"""Un-acknowledged events of all gateways that are on their way at any moment, and no backlog."""
FAILED_STEPS = 2
"""So many rates one after the other are too high before it is believed: a machine has its moments."""
HIGHEST_RATE = 50_000
PATIENCE_S = 120.0


async def sustained_rate(world: World, say: Callable[[str], None]) -> int:
    """Fills per second."""
    best, rate, failed = 0, FIRST_RATE, 0
    while failed < FAILED_STEPS and rate <= HIGHEST_RATE:
        async with sending(world, rate):
            await asyncio.sleep(STEP_S)
        ended = time.monotonic()
        await until(lambda: _has_drained(world), f"what was sent at {rate} fills/s is durable", PATIENCE_S)
        took_s = time.monotonic() - ended
        say(f"{rate} fills/s: durable {took_s:.1f} s after the last one")
        best, failed = (rate, 0) if took_s <= DRAINED_WITHIN_S else (best, failed + 1)
        rate = round(rate * STEP)
    assert best, f"not even {FIRST_RATE} fills/s are sustained: this machine is too busy for the question"
    return best


@asynccontextmanager
async def sending(world: World, rate: int) -> AsyncIterator[None]:
    """The load at so many fills per second, meanwhile."""
    await world.stack.control("load", {"rate": rate})
    yield
    await world.stack.control("load", {"stop": True})
    await until(lambda: _is_sent(world), "the load is sent", PATIENCE_S)


async def _is_sent(world: World) -> bool:
    report = await world.stack.control("load")
    return bool(report["state"] == "ready")


async def _has_drained(world: World) -> bool:
    return await unacknowledged(world) <= LEFT


async def unacknowledged(world: World) -> float:
    """Events in the gateways' windows."""
    return await world.metric("gateway", "message_queue_size")
