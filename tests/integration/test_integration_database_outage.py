"""The database goes away under the whole system: nothing is published, nobody is restarted, nothing is missing then."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url
from world import World, config, quick, running_world, until

from hlmonitor.local.database_fixtures import SERVERS, backend, database_url, quickly_on, server
from hlmonitor.local.databases import DatabaseServer

__all__ = ["backend", "database_url", "server"]

pytestmark = pytest.mark.integration

TRADE_S = 3.0
"""Trading before and after the outages."""
AWAY_S = 5.0
EXPORTED_S = 4.5
"""Within it, each aggregator exports its metrics again, as it does each second when it is not delayed."""


@quickly_on("mariadb", of=SERVERS)
async def test_a_database_server_that_is_killed_and_one_that_is_frozen_cost_nothing_but_time(
    tmp_path: Path, server: DatabaseServer, database_url: str
) -> None:
    async with running_world(config(tmp_path, database_url=database_url)) as world:
        await world.watch_whales()
        await asyncio.sleep(TRADE_S)
        processes = pids(world)
        server.kill()
        await nothing_is_published(world)
        server.launch()
        await asyncio.sleep(TRADE_S)
        server.pause()
        try:
            await nothing_is_published(world)
        finally:
            server.resume()
        await asyncio.sleep(TRADE_S)
        await world.settled_verdict()
        assert pids(world) == processes


async def test_gateways_whose_windows_overflow_in_an_outage_read_again_what_they_dropped(tmp_path: Path) -> None:
    settings = quick(gateway={"window_events": 500, "window_events_per_address": 25}, simulator={"rate": 30})
    async with running_world(config(tmp_path, settings=settings)) as world:
        await world.watch_whales()
        await asyncio.sleep(TRADE_S)
        processes = pids(world)
        async with locked(world.stack.database_url):
            await nothing_is_published(world)
            await until(lambda: has_gap(world), "a window overflowed", 60)
        await asyncio.sleep(TRADE_S)
        await world.settled_verdict()
        assert pids(world) == processes
        assert {row["state"] for row in await world.rows("SELECT state FROM hl_gap")} == {"covered"}


async def has_gap(world: World) -> bool:
    return await world.metric("gateway", "venue_gaps_total") > 0


def pids(world: World) -> dict[str, int | None]:
    return {name: service.pid for name, service in world.stack.services.items()}


async def unpublished(world: World) -> float:
    """Signals that are committed, as the aggregators last exported them."""
    in_memory = await world.metric("aggregator", "signals_unpublished")
    return in_memory + await world.metric("aggregator", "signals_unpublished_in_sql")


async def nothing_is_published(world: World) -> None:
    """What was committed goes out, then nothing for as long as the database is away."""
    published = -1

    async def all_is_out() -> bool:
        nonlocal published
        published = len(await world.stream())
        if await unpublished(world):
            return False
        await asyncio.sleep(EXPORTED_S)
        return await unpublished(world) == 0 and published == len(await world.stream())

    await until(all_is_out, "what was committed is published")
    await asyncio.sleep(AWAY_S)
    assert len(await world.stream()) == published


@asynccontextmanager
async def locked(url: str) -> AsyncIterator[None]:
    """Nobody else can write this SQLite file."""
    holder = sqlite3.connect(str(make_url(url).database), isolation_level=None, timeout=30, check_same_thread=False)
    await asyncio.to_thread(holder.execute, "BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.execute("ROLLBACK")
        holder.close()
