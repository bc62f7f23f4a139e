"""A real gateway process against the real simulator, with a recording Ingest server in the aggregator's place."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import nats
import pytest
from gateway_world import PATIENCE_S, Recorder, World, as_venue_row, key, live
from steady_member import joined

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.partitions import partition_of
from hlmonitor.local.nats import NatsServer
from hlmonitor.local.ports import free_port
from hlmonitor.local.services import ServiceProcess
from hlmonitor.runtime.core.membership import Member
from hlmonitor.runtime.grpc import serve_grpc
from hlmonitor.runtime.watchlist import WatchList
from hlmonitor.v1 import events_pb2 as pb
from hlmonitor.v1 import ingest_pb2
from hlmonitor.v1.ingest_pb2_grpc import add_IngestServicer_to_server

pytestmark = pytest.mark.integration


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    recorder = Recorder()
    with NatsServer(tmp_path) as server:
        client = await nats.connect(server.url)
        async with aiohttp.ClientSession() as http, serve_grpc("127.0.0.1:0", ["hlmonitor.v1.Ingest"]) as (grpc_, port):
            add_IngestServicer_to_server(recorder, grpc_)
            await grpc_.start()
            member = Member(kind="aggregator", name="recorder", address=f"127.0.0.1:{port}")
            with joined(server.url, member):
                yield World(tmp_path, client, server.url, recorder, http)
        await client.close()


@pytest.mark.parametrize(
    "venue",
    [
        pytest.param({}, id="snapshots cover the gap"),
        pytest.param({"snapshot_rows": 1}, id="REST covers the gap"),
        pytest.param({"fault_duplicate": 0.2, "fault_split": 0.3, "fault_status_first": True}, id="frames are faulty"),
    ],
)
async def test_every_fill_of_the_ledger_arrives_unchanged_whatever_disconnects(
    world: World, venue: dict[str, object]
) -> None:
    async with (
        world.simulator(whales=10, rate=40, limit_new_connections=200, limit_weight=9000, **venue),
        world.gateway(new_connections_per_minute=200, rest_weight_per_minute=9000, spare_connections=0) as gateway,
    ):
        whales = [whale["address"] for whale in await world.get("/control/wallets")]
        await world.watch(whales)
        await live(gateway, len(whales))
        twap = {"address": whales[0], "coin": "BTC", "side": "B", "sz": "0.5", "duration_ms": 60_000, "slice_ms": 200}
        await world.post("/control/twap", twap)
        await world.until(lambda: any(fill.HasField("twap_id") for fill in world.recorder.fills))
        for _ in range(2):
            await world.until_more_fills(20)
            await world.post("/control/disconnect", {"all": True})
        await live(gateway, len(whales))
        await world.post("/control/quiesce", {})
        await world.until_the_ledger_is_here()
        assert {gap.reason for gap in world.recorder.gaps} == {"closed"}
        await world.until_every_end_is_here()
        for seqs in world.recorder.seqs.values():
            assert seqs == list(range(1, len(seqs) + 1))


async def test_when_a_gateway_is_killed_another_takes_its_wallets_and_nothing_is_missing(world: World) -> None:
    async with (
        world.simulator(whales=8, rate=20),
        world.gateway("one", local_address="127.0.0.2") as one,
        world.gateway("two", local_address="127.0.0.3") as two,
    ):
        await one.ready()
        await two.ready()
        whales = [whale["address"] for whale in await world.get("/control/wallets")]
        await world.watch(whales)
        async with asyncio.timeout(PATIENCE_S):
            while min(counts := [len(await covered(one)), len(await covered(two))]) == 0 or sum(counts) < len(whales):
                await asyncio.sleep(0.1)
        await world.until_more_fills(20)
        one.kill()
        await live(two, len(whales))
        await world.until_more_fills(20)
        await world.post("/control/quiesce", {})
        await world.until_the_ledger_is_here()
        await world.until_every_end_is_here()
        stats = await world.get("/control/stats")
        assert stats["violations"] == {}


async def test_a_full_gateway_that_must_swap_wallets_never_breaks_the_venues_limits(world: World) -> None:
    # The venue counts a wallet until it has seen its connection close, which a busy machine delays by seconds.
    patient = world.gateway(unique_users=3, user_release_s=10)
    async with world.simulator(whales=8, rate=20, limit_users=3), patient as gateway:
        whales = sorted(whale["address"] for whale in await world.get("/control/wallets"))
        await world.watch(whales[3:6])
        await live(gateway, 3)
        await world.watch(whales[:3])
        async with asyncio.timeout(PATIENCE_S):
            while await covered(gateway) != whales[:3]:
                await asyncio.sleep(0.1)
        assert (await gateway.status())["uncovered"] == whales[3:6]
        assert (await world.get("/control/stats"))["violations"] == {}


async def covered(gateway: ServiceProcess) -> list[str]:
    """The wallets that are live, as far as it tells."""
    try:
        wallets = (await gateway.status())["wallets"]
    except (aiohttp.ClientError, TimeoutError):
        return []
    return [wallet["address"] for wallet in wallets if wallet["state"] == "live"]


async def test_a_refused_partition_is_sent_again_in_order(world: World) -> None:
    async with world.simulator(whales=2, rate=20) as _:
        whale = (await world.get("/control/wallets"))[0]["address"]
        partition = partition_of(Address(whale))
        world.recorder.refused.add(partition)
        async with world.gateway() as gateway:
            await gateway.ready()
            await world.watch([whale])
            await world.until(lambda: max(world.recorder.refusals, default=0) >= 3)
            assert not world.recorder.seqs
            world.recorder.refused.clear()
            await live(gateway, 1)
            (seqs,) = world.recorder.seqs.values()
            assert seqs == list(range(1, len(seqs) + 1))


async def test_a_wallet_of_a_partition_that_its_owner_loads_anew_is_introduced_once_more(world: World) -> None:
    # An answer that is late must not have the wallet introduced again.
    async with world.simulator(whales=2, rate=20) as _, world.gateway(resume_timeout_s=600) as gateway:
        # A stream that is opened after the wallet would introduce it again.
        await gateway.ready()
        whale = (await world.get("/control/wallets"))[0]["address"]
        await world.watch([whale])
        await live(gateway, 1)
        assert world.recorder.opened == [whale]
        world.recorder.refused.add(partition_of(Address(whale)))
        await world.until(lambda: len(world.recorder.refusals) > 1)
        world.recorder.refused.clear()
        await world.until(lambda: len(world.recorder.opened) > 1)
        await live(gateway, 1)
        assert world.recorder.opened == [whale, whale]


async def test_a_requested_backfill_brings_rows_and_statuses_and_says_what_it_covers(world: World) -> None:
    async with world.simulator(whales=2, rate=20) as _, world.gateway() as gateway:
        whale = (await world.get("/control/wallets"))[0]["address"]
        await world.watch([whale])
        await live(gateway, 1)
        rows = [row for row in await world.ledger("fill") if row["address"] == whale and row["twapId"] is None]
        orders = [row for row in await world.ledger("order") if row["address"] == whale and row["twapId"] is None]
        request = ingest_pb2.Backfill(
            address=whale, feed=pb.FEED_USER_FILLS, from_ms=rows[0]["time"], oids=[orders[0]["oid"]]
        )
        world.recorder.requests.append(ingest_pb2.BatchReply(backfill=request))
        await world.until(lambda: rows[0]["time"] in {told.from_ms for told in world.recorder.caught_up})
        assert orders[0]["oid"] in {status.oid for status in world.recorder.statuses}
        assert key(rows[0]) in {key(as_venue_row(fill)) for fill in world.recorder.fills}


async def test_a_routine_look_brings_the_ends_of_orders_that_nobody_heard_of(world: World) -> None:
    async with world.simulator(whales=2, rate=20) as _, world.gateway() as gateway:
        whale = (await world.get("/control/wallets"))[0]["address"]
        await world.watch([whale])
        await live(gateway, 1)
        await world.post("/control/stall", {"feed": "orderUpdates", "later": True})
        since_ms = (await world.get("/control/stats"))["time"]

        async def unheard() -> set[int]:
            heard = {status.oid for status in world.recorder.statuses}
            orders = [row for row in await world.ledger("order") if (row["address"], row["origin"]) == (whale, "order")]
            return {row["oid"] for row in orders if row["status"] != "open" and row["time"] > since_ms} - heard

        async with asyncio.timeout(PATIENCE_S):
            while not (missing := await unheard()):
                await asyncio.sleep(0.1)
        request = ingest_pb2.Backfill(
            address=whale, feed=pb.FEED_USER_FILLS, from_ms=world.recorder.watch_from_ms, routine=True
        )
        world.recorder.requests.append(ingest_pb2.BatchReply(backfill=request))
        await world.until(lambda: missing <= {status.oid for status in world.recorder.statuses})
        assert await gateway.metric("hl_monitor_backfill_pages_total", kind="routine") == 1


async def test_broken_replies_of_the_venue_only_delay_what_is_read_over_rest(world: World) -> None:
    async with world.simulator(whales=2, rate=40) as _:
        for fault in ({"status": 502}, {"truncate": True}, {"reset": True}):
            await world.post("/control/rest", fault | {"chance": 0.2})
        async with world.gateway():
            whale = (await world.get("/control/wallets"))[0]["address"]
            await world.watch([whale])
            await world.until(lambda: len(world.recorder.caught_up) >= 2)
            request = ingest_pb2.Backfill(address=whale, feed=pb.FEED_USER_FILLS, from_ms=1)
            world.recorder.requests.append(ingest_pb2.BatchReply(backfill=request))
            await world.until(lambda: 1 in {told.from_ms for told in world.recorder.caught_up})
            rows = [row for row in await world.ledger("fill") if row["address"] == whale and row["twapId"] is None]
            past = {key(row) for row in rows if row["time"] < world.recorder.watch_from_ms}
            faults = (await world.get("/control/stats"))["faults"]
            assert sum(faults.values()) > 0
            assert past
            assert past <= {key(as_venue_row(fill)) for fill in world.recorder.fills}


async def test_sigterm_flushes_the_window_tells_the_gap_and_exits_clean(world: World) -> None:
    async with world.simulator(whales=2, rate=20) as _, world.gateway() as gateway:
        whales = [whale["address"] for whale in await world.get("/control/wallets")]
        await world.watch(whales)
        await live(gateway, 2)
        assert await gateway.metric("hl_monitor_addresses_subscribed") == len(whales)
        async with asyncio.timeout(PATIENCE_S):
            while await gateway.metric("hl_monitor_order_updates_received_total") == 0:
                await asyncio.sleep(0.1)
            while await gateway.metric("hl_monitor_acknowledgement_lag_seconds") >= 5:
                await asyncio.sleep(0.1)
        assert await gateway.terminate(PATIENCE_S) == os.EX_OK
        assert {gap.reason for gap in world.recorder.gaps} == {"gateway_stopping"}
        assert "events_left=0" in gateway.log_file.read_text()


async def test_a_removed_wallet_is_let_go_when_its_grace_is_over(world: World) -> None:
    async with world.simulator(whales=2, rate=20) as _, world.gateway(remove_grace="1s") as gateway:
        whale = (await world.get("/control/wallets"))[0]["address"]
        await world.watch([whale])
        await live(gateway, 1)
        stored = (await WatchList(world.client).read())[Address(whale)]
        now_ms = (await world.get("/control/stats"))["time"]
        assert stored.entry
        removed = msgspec.structs.replace(stored.entry, removed_at_ms=now_ms)
        assert await WatchList(world.client).put(removed, stored.revision)
        await live(gateway, 0)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"connections": "many"}, "connections"),
        ({"local_address": "here"}, "local_address"),
        ({"venue_ws_url": "http://x"}, "venue_ws_url"),
        ({"spare_connections": "10"}, "spare_connections"),
    ],
)
async def test_wrong_settings_are_refused_by_name(settings: dict[str, str], named: str) -> None:
    environment = os.environ | {f"HLMON_{name.upper()}": value for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hlmonitor.gateway", env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 2
    assert named in errors.decode()


async def test_nats_and_venue_down_at_start_are_waited_for(tmp_path: Path) -> None:
    settings = {
        "nats_url": f"nats://127.0.0.1:{free_port()}",
        "venue_ws_url": f"ws://127.0.0.1:{free_port()}/ws",
        "venue_rest_url": f"http://127.0.0.1:{free_port()}",
    }
    gateway = ServiceProcess("gateway", ["-m", "hlmonitor.gateway"], tmp_path, settings)
    gateway.start()
    try:
        await gateway.unready("nats: no connection to")
        assert gateway.running
        assert await gateway.terminate(PATIENCE_S) == os.EX_OK
    finally:
        gateway.kill()
