"""Everything but the venue is killed at the same moment and started again, on disks that were kept or lost."""

import asyncio
import shutil
import signal
from pathlib import Path

import pytest
from world import World, config, running_world

from hlmonitor.local.database_fixtures import backend, database_url, quickly_on
from hlmonitor.local.databases import DatabaseServer
from hlmonitor.runtime.watchlist import WatchList

__all__ = ["backend", "database_url"]

pytestmark = pytest.mark.integration

TRADE_S = 3.0
"""Trading before and after the blow."""
AWAY_S = 2.0


@quickly_on("sqlite", "postgresql")
async def test_everything_killed_at_once_comes_back_without_loss_or_double(
    tmp_path: Path, backend: DatabaseServer | None, database_url: str
) -> None:
    async with running_world(config(tmp_path, database_url=database_url)) as world:
        await world.watch_whales()
        await asyncio.sleep(TRADE_S)
        await kill_all(world, backend)
        await asyncio.sleep(AWAY_S)
        await start_all(world, backend)
        await asyncio.sleep(TRADE_S)
        await world.settled_verdict(crashed=True)


@quickly_on("sqlite")
async def test_everything_killed_at_once_comes_back_when_nats_has_lost_its_disk(
    tmp_path: Path, backend: DatabaseServer | None, database_url: str
) -> None:
    async with running_world(config(tmp_path, database_url=database_url)) as world:
        await world.watch_whales()
        await asyncio.sleep(TRADE_S)
        await kill_all(world, backend)
        shutil.rmtree(world.stack.nats.store)
        await asyncio.sleep(AWAY_S)
        # The original's subject says again what SQL does not know to be published: the last moment's signals. They are
        # forgotten only now, when what was under way to this process has come.
        world.legacy.clear()
        await start_all(world, backend)
        await asyncio.sleep(TRADE_S)
        await world.settled_verdict(crashed=True)
        watched = {address: copy.entry for address, copy in (await WatchList(world.nats).read()).items()}
        assert {address: entry.watch_from_ms for address, entry in watched.items() if entry} == world.watch_from_ms


async def kill_all(world: World, server: DatabaseServer | None) -> None:
    """Nobody has time to notice that another is gone."""
    ours = [service for name, service in world.stack.services.items() if name != "simulator"]
    for process in (*ours, world.stack.nats):
        process.send(signal.SIGKILL)
    if server:
        server.kill()
    for process in (*ours, world.stack.nats):
        process.kill()


async def start_all(world: World, server: DatabaseServer | None) -> None:
    """In no particular order, as supervisors do."""
    ours = [service for name, service in world.stack.services.items() if name != "simulator"]
    for service in ours:
        service.start()
    await asyncio.to_thread(world.stack.nats.start)
    if server:
        server.launch()
    for service in ours:
        await service.ready(90)
