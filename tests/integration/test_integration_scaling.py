"""Gateways and aggregators that come and go while trading goes on: nothing missing, doubled or wrong, and few moves."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
import nats
import pytest
import structlog
from gateway_world import live
from world import World, config, listening, quick, running_world, until

from hlmonitor.domain.partitions import PARTITIONS
from hlmonitor.domain.rendezvous import partition_owner
from hlmonitor.local.nats import NatsServer
from hlmonitor.local.proxy import Fault, TcpProxy
from hlmonitor.local.services import ServiceProcess
from hlmonitor.local.stack import Stack
from hlmonitor.runtime.core.membership import Member
from hlmonitor.runtime.kv import read_all
from hlmonitor.runtime.membership import BUCKET as MEMBERS
from hlmonitor.runtime.membership import join
from hlmonitor.runtime.watchlist import WatchList

pytestmark = pytest.mark.integration

WHALES = 8
TRADE_S = 3.0
SETTLE_S = 90.0
ONE_IP: Mapping[str, object] = {"local_address": "127.0.0.2", "spare_connections": 1}


async def readers(world: World) -> dict[str, list[str]]:
    """The gateways that read each wallet, and those that read it but give it away in brackets."""
    found: dict[str, list[str]] = {}
    for gateway in world.stack.of_kind("gateway"):
        if gateway.running:
            for wallet in (await gateway.status()).get("wallets", []):
                name = f"({gateway.name})" if wallet["leaves"] or wallet["state"] != "live" else gateway.name
                found.setdefault(wallet["address"], []).append(name)
    return found


async def gateways_of_wallets(world: World, *gateways: str, wallets: int = WHALES) -> dict[str, str]:
    """Wait until each wallet is live at one of these gateways, nobody else has it and each has some; who has which."""
    found: dict[str, str] = {}

    async def settled() -> bool:
        nonlocal found
        now = await readers(world)
        found = {address: names[0] for address, names in now.items() if len(names) == 1}
        return len(found) == len(now) == wallets and set(found.values()) == set(gateways)

    await until(settled, f"each wallet is live at one of {gateways}", SETTLE_S)
    return found


async def aggregators_of_partitions(world: World, *aggregators: str) -> dict[str, str | None]:
    """Wait until each of these aggregators has its share of the partitions at work, and nothing else; who has which."""
    share = {str(number): partition_owner(aggregators, number) for number in range(PARTITIONS)}

    async def settled() -> bool:
        statuses = {it.name: await it.status() for it in world.stack.of_kind("aggregator") if it.running}
        owners = [
            (number, name)
            for name, status in statuses.items()
            for number, state in status["partitions"].items()
            if state == "ready"
        ]
        return sorted(owners) == sorted(share.items())

    await until(settled, f"each partition is at work where it belongs among {aggregators}", SETTLE_S)
    return share


async def gap_reasons(world: World) -> set[str]:
    return {row["reason"] for row in await world.rows("SELECT reason FROM hl_gap")}


async def has_gaps(world: World) -> bool:
    return bool(await gap_reasons(world))


def assert_moved(before: Mapping[str, str | None], after: Mapping[str, str | None], *, between: set[str]) -> None:
    """Something moved, and only to or from these."""
    moved = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
    assert moved
    assert all(between & set(pair) for pair in moved.values()), moved


async def start(world: World, *names: str) -> None:
    for name in names:
        world.stack[name].start()
    await asyncio.gather(*(world.stack[name].ready() for name in names))


async def stop(world: World, *names: str) -> None:
    codes = await asyncio.gather(*(world.stack[name].terminate() for name in names))
    assert set(codes) == {0}


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long it took; on a busy machine that proves nothing, so it is no assertion."""
    began = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - began:.1f} s")  # noqa: T201 the figure is for people


async def scale_gateways(world: World) -> None:
    """From one gateway to three and back, with trading before, between and after."""
    newcomers = ("gateway-2", "gateway-3")
    await stop(world, *newcomers)
    await world.watch_whales()
    alone = await gateways_of_wallets(world, "gateway-1")
    await asyncio.sleep(TRADE_S)
    with timed("from the start of two gateways until three have their wallets"):
        await start(world, *newcomers)
        three = await gateways_of_wallets(world, "gateway-1", *newcomers)
    assert_moved(alone, three, between=set(newcomers))
    await asyncio.sleep(TRADE_S)
    with timed("from SIGTERM to two gateways until one has all wallets"):
        await stop(world, *newcomers)
        again = await gateways_of_wallets(world, "gateway-1")
    assert again == alone
    await asyncio.sleep(TRADE_S)


async def test_gateways_of_their_own_ips_hand_over_without_a_gap(tmp_path: Path) -> None:
    async with running_world(config(tmp_path, gateways=3, aggregators=1, whales=WHALES)) as world:
        await scale_gateways(world)
        assert await world.rows("SELECT address, feed, reason FROM hl_gap") == []
        await world.settled_verdict()


async def test_gateways_of_one_ip_hand_over_within_its_limits(tmp_path: Path) -> None:
    settings = quick(gateway=ONE_IP)
    async with running_world(config(tmp_path, gateways=3, aggregators=1, whales=WHALES, settings=settings)) as world:
        await scale_gateways(world)
        await world.settled_verdict()


async def test_with_no_connection_free_wallets_move_with_a_gap_that_is_filled(tmp_path: Path) -> None:
    settings = quick(gateway={**ONE_IP, "connections": 4, "spare_connections": 0, "slot_patience_s": 2})
    async with running_world(config(tmp_path, gateways=2, aggregators=1, whales=4, settings=settings)) as world:
        await stop(world, "gateway-2")
        await world.watch_whales()
        await gateways_of_wallets(world, "gateway-1", wallets=4)
        await start(world, "gateway-2")
        after = await gateways_of_wallets(world, "gateway-1", "gateway-2", wallets=4)
        assert list(after.values()).count("gateway-2") == 2
        await until(lambda: has_gaps(world), "the moves are recorded as gaps")
        assert await gap_reasons(world) == {"no_slot"}
        await asyncio.sleep(TRADE_S)
        await world.settled_verdict(least=20)


@pytest.mark.slow
async def test_a_gateway_that_was_frozen_and_goes_on_gets_its_wallets_back(tmp_path: Path) -> None:
    async with running_world(config(tmp_path, gateways=2, aggregators=1, whales=WHALES)) as world:
        await world.watch_whales()
        before = await gateways_of_wallets(world, "gateway-1", "gateway-2")
        await asyncio.sleep(TRADE_S)
        frozen = world.stack["gateway-1"]
        frozen.pause()
        await asyncio.sleep(8)
        frozen.resume()
        assert await gateways_of_wallets(world, "gateway-1", "gateway-2") == before
        await asyncio.sleep(TRADE_S)
        await world.settled_verdict()


async def test_connections_that_grow_old_are_replaced_without_a_gap(tmp_path: Path) -> None:
    settings = quick(gateway={"rotate_after_s": 10, "connections": 8, "spare_connections": 4})
    async with running_world(config(tmp_path, gateways=1, aggregators=1, whales=4, settings=settings)) as world:
        await world.watch_whales()

        async def replaced() -> bool:
            return await world.metric("gateway", "venue_reconnects_total", cause="rotated") >= 8

        await until(replaced, "each connection was replaced twice", 120)
        reconnects = await world.stack["gateway-1"].samples("hl_monitor_venue_reconnects_total")
        assert {sample.labels["cause"] for sample in reconnects if sample.value} == {"rotated"}
        assert await world.rows("SELECT address, feed, reason FROM hl_gap") == []
        await world.settled_verdict()


async def test_without_a_spare_connection_the_old_one_is_closed_first_and_the_gap_is_filled(tmp_path: Path) -> None:
    settings = quick(gateway={"rotate_after_s": 8, "connections": 4, "spare_connections": 0})
    async with running_world(config(tmp_path, gateways=1, aggregators=1, whales=4, settings=settings)) as world:
        await world.watch_whales()

        async def replaced() -> bool:
            return await world.metric("gateway", "venue_reconnects_total", cause="rotated_without_spare") >= 4

        await until(replaced, "each connection was replaced", 60)
        await world.settled_verdict(least=20)


async def test_aggregators_that_come_and_go_take_only_their_share(tmp_path: Path) -> None:
    async with running_world(config(tmp_path, gateways=1, aggregators=3, whales=WHALES)) as world:
        newcomers = ("aggregator-2", "aggregator-3")
        await stop(world, *newcomers)
        await world.watch_whales()
        alone = await aggregators_of_partitions(world, "aggregator-1")
        await asyncio.sleep(TRADE_S)
        with timed("from the start of two aggregators until three have their partitions"):
            await start(world, *newcomers)
            three = await aggregators_of_partitions(world, "aggregator-1", *newcomers)
        assert_moved(alone, three, between=set(newcomers))
        await asyncio.sleep(TRADE_S)
        with timed("from SIGTERM to one aggregator until two have all partitions"):
            await stop(world, "aggregator-3")
            two = await aggregators_of_partitions(world, "aggregator-1", "aggregator-2")
        assert_moved(three, two, between={"aggregator-3"})
        await asyncio.sleep(TRADE_S)
        await world.settled_verdict()


async def test_two_gateways_that_both_believe_to_have_every_wallet_do_no_harm(tmp_path: Path) -> None:
    async with running_world(config(tmp_path, gateways=1, aggregators=1, whales=WHALES)) as world:
        await world.watch_whales()
        async with another_nats_that_knows_the_same(world, tmp_path / "another") as url:
            second = ServiceProcess("gateway-9", ["-m", "hlmonitor.gateway"], tmp_path, SECOND | venue_of(world))
            second.start(nats_url=url)
            try:
                await live(second, WHALES)
                await gateways_of_wallets(world, "gateway-1")
                await asyncio.sleep(TRADE_S)
                # Its last words are gaps of wallets that the other one reads all the time.
                assert await second.terminate() == 0
            finally:
                second.kill()
        await asyncio.sleep(TRADE_S)
        await world.settled_verdict()


async def test_two_aggregators_that_both_believe_to_own_every_partition_do_no_harm(tmp_path: Path) -> None:
    lines: list[TcpProxy] = []

    def route(client: str, server: str, address: str) -> str:
        if server != "nats" or client not in {"aggregator-1", "gateway-1"}:
            return address
        lines.append(TcpProxy(client, int(address.rpartition(":")[2])))
        return f"127.0.0.1:{lines[-1].port}"

    later = frozenset({"aggregator-2", "gateway-2"})
    stack = Stack(config(tmp_path, gateways=2, aggregators=2, whales=WHALES, later=later, route=route))
    async with AsyncExitStack() as running:
        for line in lines:
            await running.enter_async_context(line)
        await running.enter_async_context(stack)
        world = await running.enter_async_context(listening(stack))
        await world.watch_whales()
        await asyncio.sleep(TRADE_S)
        # A pair that hears and says nothing of members goes on, and another takes it for dead.
        assert all(line.hurt(Fault.STALL) for line in lines)
        await start(world, "aggregator-2", "gateway-2")
        await until(lambda: _were_refused(world), "each has taken a partition from the other", 60)
        decided = await _decided(world)
        await until(lambda: _has_decided(world, decided + 20), "they come to decisions all the same", 60)
        for line in lines:
            line.calm()
        await aggregators_of_partitions(world, "aggregator-1", "aggregator-2")
        await gateways_of_wallets(world, "gateway-1", "gateway-2")
        await asyncio.sleep(TRADE_S)
        await world.settled_verdict(crashed=True)


async def _were_refused(world: World) -> bool:
    return all("partition_lost" in it.log_file.read_text() for it in world.stack.of_kind("aggregator"))


async def _decided(world: World) -> int:
    return int((await world.rows("SELECT count(*) AS signals FROM hl_address_signals"))[0]["signals"])


async def _has_decided(world: World, signals: int) -> bool:
    return await _decided(world) >= signals


SECOND: dict[str, object] = {"local_address": "127.0.0.9", "spare_connections": 0, "backoff_initial_s": 0.2}


def venue_of(world: World) -> dict[str, object]:
    url = world.stack.venue_url
    return {"venue_rest_url": url, "venue_ws_url": f"ws{url.removeprefix('http')}/ws"}


@asynccontextmanager
async def another_nats_that_knows_the_same(world: World, directory: Path) -> AsyncIterator[str]:
    """A server with the world's watch list and aggregator, where no gateway of the world is to be seen."""
    members = await read_all(world.nats, MEMBERS)
    aggregator = next(msgspec.json.decode(it.value, type=Member) for it in members.values() if "aggregator" in it.key)
    with NatsServer(directory) as server:
        client = await nats.connect(server.url)
        for stored in (await WatchList(world.nats).read()).values():
            assert stored.entry
            await WatchList(client).put(stored.entry, None)
        async with join(client, aggregator, log=structlog.stdlib.get_logger()):
            yield server.url
        await client.close()
