import asyncio
import json
from decimal import Decimal

from venue_client import client

from hlmonitor.simulator.core.exchange import Exchange
from hlmonitor.simulator.core.faults import FaultConfig
from hlmonitor.simulator.core.limits import LimitConfig
from hlmonitor.simulator.core.orders import Side, Tif
from hlmonitor.simulator.core.twap import TwapRequest
from hlmonitor.simulator.io.config import ServerConfig
from hlmonitor.simulator.testing import ForwardClock, Running, request, running, wallet
from hlmonitor.simulator.wire.feeds import FeedConfig

A, B = wallet(0xA), wallet(0xB)
MIXED = "0x" + "Ab" * 20


def one_user(release_ms: int = 1_000) -> ServerConfig:
    return ServerConfig(limits=LimitConfig(users=1, user_release_ms=release_ms))


def fund(exchange: Exchange) -> None:
    for address in (A, B):
        exchange.deposit(address, Decimal(1_000_000))


async def trade(server: Running, sz: str = "1") -> None:
    """Let A buy from B, in one block."""

    def run(exchange: Exchange) -> None:
        fund(exchange)
        exchange.place(B, request(Side.SELL, sz, "66650"))
        exchange.place(A, request(Side.BUY, sz, "66650", tif=Tif.IOC))

    await server.simulator.command(run)


async def test_an_acknowledgement_is_normalised() -> None:
    async with running() as server, client(server.ws_url) as me:
        wanted = {"type": "userFills", "user": MIXED, "colour": "red"}
        await me.send({"method": "subscribe", "subscription": wanted})
        echo = {"type": "userFills", "user": MIXED.lower(), "aggregateByTime": False}
        assert await me.receive() == {
            "channel": "subscriptionResponse",
            "data": {"method": "subscribe", "subscription": echo},
        }
        first = {"isSnapshot": True, "user": MIXED.lower(), "fills": []}
        assert await me.receive() == {"channel": "userFills", "data": first}
        await me.send({"method": "unsubscribe", "subscription": wanted})
        assert await me.expect("subscriptionResponse") == {"method": "unsubscribe", "subscription": echo}


async def test_the_snapshot_flag_is_on_the_first_frame_only_and_absent_later() -> None:
    async with running() as server, client(server.ws_url) as me:
        await me.subscribe("userFills", user=A)
        await trade(server)
        frames = [await me.expect("userFills"), await me.expect("userFills")]
        assert isinstance(frames[0], dict)
        assert isinstance(frames[1], dict)
        assert frames[0]["isSnapshot"] is True
        assert "isSnapshot" not in frames[1]
        row = frames[1]["fills"][0]
        assert (row["px"], row["sz"], row["side"], row["dir"]) == ("66650.0", "1.0", "B", "Open Long")
        assert row["twapId"] is None
        assert "cloid" not in row
        assert "liquidation" not in row


async def test_order_updates_have_no_snapshot_and_name_no_user() -> None:
    async with running() as server, client(server.ws_url) as me:
        await trade(server)
        await me.subscribe("orderUpdates", user=A)
        await trade(server, "2")
        frame = await me.receive()
        assert frame["channel"] == "orderUpdates"
        rows = frame["data"]
        assert isinstance(rows, list)
        assert rows[0]["status"] == "filled"
        assert (rows[0]["order"]["sz"], rows[0]["order"]["origSz"]) == ("0.0", "2.0")
        assert A not in json.dumps(frame)


async def test_trades_begin_with_an_unflagged_backfill() -> None:
    async with running() as server, client(server.ws_url) as me:
        await trade(server)
        await me.subscribe("trades", coin="BTC")
        backfill = await me.expect("trades")
        assert isinstance(backfill, list)
        assert backfill[0]["users"] == [A, B]
        await trade(server, "3")
        live = await me.expect("trades")
        assert isinstance(live, list)
        assert live[0]["sz"] == "3.0"


async def test_twap_slices_come_only_on_their_own_feed() -> None:
    async with running() as server, client(server.ws_url) as me:
        await me.subscribe("orderUpdates", user=A)
        for kind in ("userFills", "userTwapSliceFills", "userTwapHistory"):
            await me.subscribe(kind, user=A)
            assert await me.expect(kind)
        await server.simulator.command(fund)
        await server.simulator.command(lambda ex: ex.place(B, request(Side.SELL, "5", "66650")))
        wanted = TwapRequest("BTC", Side.BUY, Decimal(1), 5, slice_ms=5)
        twap = await server.simulator.command(lambda ex: ex.start_twap(A, wanted))
        frames = [await me.receive() for _ in range(2)]
        assert [frame["channel"] for frame in frames] == ["userTwapSliceFills", "userTwapHistory"]
        data = frames[0]["data"]
        assert isinstance(data, dict)
        assert data["twapSliceFills"][0]["twapId"] == twap.twap_id
        assert data["twapSliceFills"][0]["fill"]["hash"] == "0x" + "0" * 64
        history = frames[1]["data"]
        assert isinstance(history, dict)
        assert [row["status"]["status"] for row in history["history"]] == ["activated", "finished"]


async def test_account_states_come_at_once_and_again_without_a_change() -> None:
    async with running(server=ServerConfig(feeds=FeedConfig(state_every_ms=20))) as server, client(server.ws_url) as me:
        await trade(server)
        await me.subscribe("allDexsClearinghouseState", user=A)
        for _ in range(3):
            data = await me.expect("allDexsClearinghouseState")
            assert isinstance(data, dict)
            assert [name for name, _ in data["clearinghouseStates"]] == ["", "xyz", "flx", "hyna"]
            position = data["clearinghouseStates"][0][1]["assetPositions"][0]["position"]
            assert (position["coin"], position["szi"]) == ("BTC", "1.0")
        await me.subscribe("spotState", user=A)
        assert await me.expect("spotState") == {"user": A, "spotState": {"balances": [], "evmEscrows": []}}
        await server.simulator.command(lambda ex: ex.deposit_token(A, 0, Decimal(5)))
        state = await me.expect("spotState")
        assert isinstance(state, dict)
        assert state["spotState"]["balances"][0]["total"] == "5.0"


async def test_user_events_carry_fills_on_channel_user() -> None:
    async with running() as server, client(server.ws_url) as me:
        await me.subscribe("userEvents", user=A)
        await trade(server)
        data = await me.expect("user")
        assert isinstance(data, dict)
        assert list(data) == ["fills"]


async def test_users_are_counted_once_per_ip_and_freed_by_unsubscribing() -> None:
    async with (
        running(server=one_user()) as server,
        client(server.ws_url) as me,
        client(server.ws_url) as twin,
    ):
        await me.subscribe("orderUpdates", user=A)
        assert (await twin.subscribe("orderUpdates", user=A))["channel"] == "subscriptionResponse"
        refused = await me.subscribe("orderUpdates", user=B)
        assert refused == {"channel": "error", "data": "Cannot track more than 1 total users."}
        for one in (me, twin):
            await one.send({"method": "unsubscribe", "subscription": {"type": "orderUpdates", "user": A}})
            await one.receive()
        assert (await me.subscribe("orderUpdates", user=B))["channel"] == "subscriptionResponse"


async def test_closing_a_connection_frees_its_users_a_moment_later() -> None:
    clock = ForwardClock()
    async with running(server=one_user(60_000), clock_ms=clock) as server, client(server.ws_url) as me:
        async with client(server.ws_url) as gone:
            await gone.subscribe("orderUpdates", user=A)
        while len(server.simulator.connections) > 1:
            await asyncio.sleep(0.01)
        refused = await me.subscribe("orderUpdates", user=B)
        assert refused == {"channel": "error", "data": "Cannot track more than 1 total users."}
        clock.forward(60_000)
        assert (await me.subscribe("orderUpdates", user=B))["channel"] == "subscriptionResponse"
        assert server.simulator.stats.violations["users"] == 1


async def test_a_post_is_answered_as_the_same_request_over_rest() -> None:
    async with running() as server, client(server.ws_url) as me:
        call = {"type": "info", "payload": {"type": "userRole", "user": A}}
        await me.send({"method": "post", "id": 7, "request": call})
        reply = {"type": "info", "payload": {"type": "userRole", "data": {"role": "missing"}}}
        assert await me.receive() == {"channel": "post", "data": {"id": 7, "response": reply}}


async def test_statuses_can_come_before_fills() -> None:
    for first, status_first in (("userFills", False), ("orderUpdates", True)):
        config = ServerConfig(faults=FaultConfig(status_first=status_first))
        async with running(server=config) as server, client(server.ws_url) as me:
            await me.subscribe("orderUpdates", user=A)
            await me.subscribe("userFills", user=A)
            await me.expect("userFills")
            await trade(server)
            assert (await me.receive())["channel"] == first


async def test_doubled_and_split_frames_lose_nothing() -> None:
    config = ServerConfig(faults=FaultConfig(duplicate=1.0, split=1.0, reorder=0.5, reorder_ms=20))
    async with running(server=config) as server, client(server.ws_url) as me:
        await me.subscribe("trades", coin="BTC")
        await me.subscribe("userFills", user=A)
        await me.expect("userFills")
        orders = [request(Side.BUY, "1", "66650") for _ in range(4)]
        await server.simulator.command(fund)
        await server.simulator.command(lambda ex: ex.place(B, request(Side.SELL, "4", "66650")))
        await server.simulator.command(lambda ex: ex.place(A, *orders))
        tids: list[int] = []
        while len(tids) < 8:
            data = await me.expect("userFills")
            assert isinstance(data, dict)
            tids += [row["tid"] for row in data["fills"]]
        assert sorted(tids.count(tid) for tid in set(tids)) == [2, 2, 2, 2]
        assert server.simulator.stats.faults["duplicate"] > 0
