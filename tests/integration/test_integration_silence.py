"""The venue falls silent without a word, or loses a part of what it says: nothing may be missing in the end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from world import World, config, quick, running_world, until

pytestmark = pytest.mark.integration

TRADE_S = 5.0
OFTEN_S, SELDOM_S = 2, 40
"""How often each wallet is read again: before its positions are told twice, or so late that they are noticed."""
PATIENCE_S = 90.0


@pytest.fixture
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Wallets that are read again every so often, within a budget that allows it."""
    settings = quick(
        simulator={"limit_weight": 60_000},
        gateway={"rest_weight_per_minute": 60_000, "routine_share": 1, "rest_lag_s": 0.5},
        aggregator={"reconcile_every": request.param},
    )
    async with running_world(config(tmp_path, settings=settings, whales=10)) as found:
        await found.watch_whales()
        yield found


@pytest.mark.parametrize("world", [OFTEN_S], indirect=True)
async def test_frames_that_are_lost_one_in_five_are_made_up_for(world: World) -> None:
    await world.market.inject({"drop": 0.2})
    await asyncio.sleep(2 * TRADE_S)
    await world.settled_verdict(patience_s=PATIENCE_S)


@pytest.mark.parametrize("world", [SELDOM_S], indirect=True)
async def test_fills_that_fall_silent_while_the_socket_lives_are_read_over_rest(world: World) -> None:
    await asyncio.sleep(TRADE_S)
    for feed in ("userFills", "userTwapSliceFills", "orderUpdates"):
        await world.stack.control("stall", {"feed": feed, "later": True})

    async def positions_differ() -> bool:
        gaps = await world.rows("SELECT state FROM hl_gap WHERE reason LIKE 'positions_differ: %'")
        is_counted = await world.metric("aggregator", "position_differences_total") > 0
        return is_counted and "covered" in {row["state"] for row in gaps}

    await until(positions_differ, "a position that no fill led to was noticed, and read up on", PATIENCE_S)
    await world.settled_verdict(patience_s=PATIENCE_S)
