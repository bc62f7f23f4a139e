"""Everything of ours, and NATS, is broken while trading goes on: nothing may be missing, doubled or wrong then."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from world import World, config, running_world

from hlmonitor.runtime.nats import jetstream_of

pytestmark = pytest.mark.integration

TRADE_S = 3.0
"""Trading before, between and after the blows."""
FROZEN_S = 6.0
"""Long enough for everybody to take it for dead."""
WINDOW_S = 0.5
"""Of the stream: within it, JetStream itself knows a message id again."""


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(config(tmp_path)) as found:
        await found.watch_whales()
        await asyncio.sleep(TRADE_S)
        yield found


async def test_one_blow_after_the_other_loses_and_doubles_nothing(world: World) -> None:
    for name in ("aggregator-1", "gateway-2", "writer"):
        await kill_and_start(world, name)
    world.stack.nats.kill()
    await asyncio.sleep(2)
    await asyncio.to_thread(world.stack.nats.start)
    await asyncio.sleep(TRADE_S)
    await world.settled_verdict(crashed=True)


async def test_one_frozen_after_the_other_loses_and_doubles_nothing(world: World) -> None:
    processes = [*(world.stack[name] for name in ("aggregator-2", "gateway-1", "writer")), world.stack.nats]
    for process in processes:
        process.pause()
        await asyncio.sleep(FROZEN_S)
        process.resume()
        await asyncio.sleep(1)
    await asyncio.sleep(TRADE_S)
    await world.settled_verdict(crashed=True)


async def kill_and_start(world: World, name: str, away_s: float = 2) -> None:
    service = world.stack[name]
    service.kill()
    await asyncio.sleep(away_s)
    service.start()
    await service.ready()
    await asyncio.sleep(1)


@pytest.mark.slow
async def test_a_killed_aggregator_loses_and_doubles_nothing(world: World) -> None:
    await kill_and_start(world, "aggregator-1", away_s=3)
    await asyncio.sleep(TRADE_S)
    await world.settled_verdict(crashed=True)


@pytest.mark.slow
async def test_a_killed_writer_loses_and_doubles_nothing(world: World) -> None:
    await kill_and_start(world, "writer", away_s=3)
    await asyncio.sleep(TRADE_S)
    await world.settled_verdict()


@pytest.mark.slow
async def test_a_killed_nats_server_loses_and_doubles_nothing(world: World) -> None:
    world.stack.nats.kill()
    await asyncio.sleep(3)
    await asyncio.to_thread(world.stack.nats.start)
    await asyncio.sleep(2 * TRADE_S)
    await world.settled_verdict(crashed=True)


async def test_a_nats_server_that_comes_back_with_an_older_disk_has_everything_in_the_end(
    world: World, tmp_path: Path
) -> None:
    nats = world.stack.nats
    store, copy = nats.directory / "nats", tmp_path / "copy"
    await asyncio.to_thread(nats.stop)
    shutil.copytree(store, copy)
    await asyncio.to_thread(nats.start)
    await asyncio.sleep(2 * TRADE_S)
    confirmed = len(await world.signals())
    nats.kill()
    shutil.rmtree(store)
    shutil.copytree(copy, store)
    await asyncio.to_thread(nats.start)
    await asyncio.sleep(TRADE_S)
    await world.settled_verdict(crashed=True)
    again = await world.rows("SELECT count(*) AS signals FROM hl_address_signals WHERE published_seq > 0")
    assert again[0]["signals"] >= confirmed > 0


async def test_what_was_published_unnoted_is_not_published_again_when_the_duplicate_window_is_over(
    world: World,
) -> None:
    jetstream = jetstream_of(world.nats)
    stream = (await jetstream.stream_info("HL_SIGNALS")).config
    stream.duplicate_window = WINDOW_S
    await jetstream.update_stream(stream)
    owners, writer = world.stack.of_kind("aggregator"), world.stack["writer"]
    unnoted = 0
    while not unnoted:
        # What is committed by now is published, and nobody can note it any more.
        writer.pause()
        await asyncio.sleep(1)
        for owner in owners:
            owner.kill()
        writer.resume()
        await asyncio.sleep(2 * WINDOW_S)
        published = {signal["id"] for signal in await world.signals()}
        noted = await world.rows("SELECT signal_id FROM hl_address_signals WHERE published_seq > 0")
        unnoted = len(published - {row["signal_id"] for row in noted})
        for owner in owners:
            owner.start()
        await asyncio.gather(*(owner.ready() for owner in owners))
        await world.until_signals(len(published) + 1)
    await world.settled_verdict(crashed=True)


@pytest.mark.slow
async def test_a_killed_gateway_loses_and_doubles_nothing(world: World) -> None:
    await kill_and_start(world, "gateway-1", away_s=3)
    await asyncio.sleep(TRADE_S)
    await world.settled_verdict()


@pytest.mark.slow
async def test_a_frozen_aggregator_that_wakes_up_as_a_second_owner_does_no_harm(world: World) -> None:
    aggregator = world.stack["aggregator-1"]
    aggregator.pause()
    await asyncio.sleep(FROZEN_S)
    aggregator.resume()
    await asyncio.sleep(TRADE_S)
    await world.settled_verdict(crashed=True)


async def test_connections_cut_all_at_once_and_every_fault_of_the_venue_change_nothing(world: World) -> None:
    await world.market.inject({"duplicate": 0.2, "reorder": 0.2, "split": 0.3, "status_first": True})
    for _ in range(2):
        await asyncio.sleep(TRADE_S)
        await world.stack.control("disconnect", {"all": True})
    await asyncio.sleep(TRADE_S)
    await world.settled_verdict()
