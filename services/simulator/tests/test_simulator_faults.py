"""Faults on command, seen by a client on a socket."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from broken_venue import A, B, Venue, venue_of
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from hlmonitor.simulator.testing import ForwardClock, running


@pytest.fixture
def clock() -> ForwardClock:
    return ForwardClock()


@pytest.fixture
async def venue(clock: ForwardClock) -> AsyncIterator[Venue]:
    async with running(clock_ms=clock) as server, venue_of(server) as found:
        yield found


async def test_a_stalled_feed_is_silent_while_its_socket_lives_and_heals_by_a_new_connection(venue: Venue) -> None:
    async with venue.client() as old, venue.client() as spared:
        for client in (old, spared):
            await client.subscribe("trades", coin="BTC")
        await old.subscribe("userFills", user=A)
        await old.expect("userFills")
        await venue.do("stall", feed="userFills", user=A)
        await venue.trade()
        assert len(await old.expect("trades")) == 1
        await old.send({"method": "ping"})
        assert await old.receive() == {"channel": "pong"}
        async with venue.client() as new:
            await new.subscribe("userFills", user=A)
            assert len((await new.expect("userFills"))["fills"]) == 1
            await venue.trade()
            assert len((await new.expect("userFills"))["fills"]) == 1


async def test_a_stall_may_silence_later_connections_too_and_ends_by_itself(venue: Venue, clock: ForwardClock) -> None:
    await venue.do("stall", feed="userFills", later=True, for_ms=60_000)
    async with venue.client() as client:
        await client.subscribe("userFills", user=A)
        await venue.trade()
        await client.send({"method": "ping"})
        assert await client.receive() == {"channel": "pong"}
        clock.forward(60_000)
        while (await venue.http.get("/control/faults")).json()["rules"]:
            await asyncio.sleep(0.01)
        await venue.trade()
        assert "isSnapshot" not in await client.expect("userFills")


async def test_a_half_open_connection_neither_sends_nor_answers_nor_closes(venue: Venue) -> None:
    async with venue.client("127.0.0.2") as client, venue.client() as other:
        await client.subscribe("trades", coin="BTC")
        await other.subscribe("trades", coin="BTC")
        assert await venue.do("half_open", client="127.0.0.2") == {"half_open": 1}
        await venue.trade()
        await client.send({"method": "ping"})
        pong = await client.socket.ping()
        assert await client.hears_nothing()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pong, 0.05)
        assert len(await other.expect("trades")) == 1
        stats = await venue.stats()
        assert (stats["connections"]["127.0.0.2"], stats["half_open"]) == (1, 1)
        await venue.do("clear")
        with pytest.raises(ConnectionClosed):
            await client.receive()


async def test_a_half_open_connection_is_not_cut_as_silent_but_when_its_time_is_over(
    venue: Venue, clock: ForwardClock
) -> None:
    async with venue.client() as client:
        await client.subscribe("trades", coin="BTC")
        await venue.do("half_open", all=True, for_ms=60_000)
        venue.running.simulator.cut_silent(2**60)
        assert await client.hears_nothing(0.05)
        clock.forward(60_000)
        with pytest.raises(ConnectionClosed):
            await client.receive()
    assert (await venue.stats())["closed"] == {"half_open": 1}


async def test_a_connection_can_be_closed_with_any_code_or_cut_without_one(venue: Venue) -> None:
    for body, code in (({"code": 1000, "reason": "Expired"}, 1000), ({"code": 1013}, 1013), ({}, None)):
        async with venue.client() as client:
            await client.subscribe("trades", coin="BTC")
            assert await venue.do("disconnect", all=True, **body) == {"disconnected": 1}
            with pytest.raises(ConnectionClosed) as closed:
                await client.receive()
            assert (closed.value.rcvd and closed.value.rcvd.code) == code


async def test_new_connections_can_be_refused_or_cut_for_a_while(venue: Venue, clock: ForwardClock) -> None:
    await venue.do("refuse", client="127.0.0.2", for_ms=60_000)
    with pytest.raises(InvalidStatus) as refused:
        await connect(venue.running.ws_url, local_addr=("127.0.0.2", 0))
    assert refused.value.response.status_code == 503
    async with venue.client("127.0.0.3"):
        pass
    await venue.do("refuse", client="127.0.0.3", reset=True)
    with pytest.raises((InvalidHandshake, OSError)):
        await connect(venue.running.ws_url, local_addr=("127.0.0.3", 0))
    clock.forward(60_000)
    while (await venue.http.get("/control/faults")).json()["rules"][0]["client"] == "127.0.0.2":
        await asyncio.sleep(0.01)
    async with venue.client("127.0.0.2"):
        pass


async def test_a_delay_holds_a_feed_back_in_order(venue: Venue, clock: ForwardClock) -> None:
    async with venue.client() as client:
        await client.subscribe("trades", coin="BTC")
        await client.subscribe("userFills", user=A)
        await client.expect("userFills")
        await venue.do("disturb", feed="trades", delay_ms=60_000)
        for sz in ("1", "2", "3"):
            await venue.trade(sz)
        frames = [await client.receive() for _ in range(3)]
        clock.forward(60_000)
        frames += [await client.receive() for _ in range(3)]
        assert [frame["channel"] for frame in frames] == ["userFills"] * 3 + ["trades"] * 3
        assert [frame["data"][0]["sz"] for frame in frames[3:]] == ["1.0", "2.0", "3.0"]


async def test_truncated_frames_are_no_json_and_dropped_ones_are_counted(venue: Venue) -> None:
    async with venue.client() as client:
        await client.subscribe("trades", coin="BTC")
        await venue.do("disturb", feed="trades", truncate=1)
        await venue.trade()
        with pytest.raises(json.JSONDecodeError):
            json.loads(await client.raw())
        await venue.do("clear")
        await venue.do("disturb", drop=1, user=B)
        await client.subscribe("orderUpdates", user=B)
        await venue.trade()
        assert len(await client.expect("trades")) == 1
        assert (await venue.stats())["faults"] == {"truncate": 1, "drop": 1}


async def test_fields_can_be_missing_new_or_other_on_sockets_and_rest_alike(venue: Venue) -> None:
    await venue.do("omit", field="feeToken")
    await venue.do("add", field="venueMood", value={"is": "good"})
    await venue.do("replace", field="status", value="filled", becomes="fullyHappy")
    await venue.trade()
    async with venue.client() as client:
        await client.subscribe("orderUpdates", user=A)
        await client.subscribe("userFills", user=A)
        (snapshot,) = (await client.expect("userFills"))["fills"]
        await venue.trade()
        live = {frame["channel"]: frame["data"] for frame in [await client.receive(), await client.receive()]}
    (rest,) = (await venue.info("userFillsByTime", user=A, startTime=0, endTime=snapshot["time"])).json()
    assert rest == snapshot
    for row in (rest, snapshot, *live["userFills"]["fills"]):
        assert "feeToken" not in row
        assert row["venueMood"] == {"is": "good"}
    assert [row["status"] for row in live["orderUpdates"]] == ["fullyHappy"]
    (history,) = {row["status"] for row in (await venue.info("historicalOrders", user=A)).json()}
    assert history == "fullyHappy"


async def test_a_frame_of_a_new_channel_or_any_text_can_be_sent(venue: Venue) -> None:
    async with venue.client() as client, venue.client("127.0.0.2") as other:
        await client.subscribe("orderUpdates", user=A)
        assert await venue.do("say", channel="news", data=[1]) == {"sent": 2}
        assert await client.receive() == await other.receive() == {"channel": "news", "data": [1]}
        assert await venue.do("say", text='{"channel":"trad', user=A) == {"sent": 1}
        assert await client.raw() == '{"channel":"trad'
        assert await venue.do("say", text="Websocket connection established.", client="127.0.0.2") == {"sent": 1}
        assert await other.raw() == "Websocket connection established."


@pytest.mark.parametrize(
    ("status", "text"),
    [(429, "null"), (500, "null"), (502, "502 Bad Gateway"), (503, "503 Service"), (504, "504 Gateway Time")],
)
async def test_a_storm_of_statuses_meets_rest_and_names_its_gateway(venue: Venue, status: int, text: str) -> None:
    await venue.do("rest", status=status, feed="allMids")
    for _ in range(3):
        reply = await venue.info("allMids")
        assert reply.status_code == status
        assert text in reply.text
    assert (await venue.info("meta")).status_code == 200
    assert (await venue.stats())["faults"] == {f"rest_{status}": 3}


async def test_a_storm_may_hit_by_chance_one_user_or_one_client(venue: Venue) -> None:
    await venue.do("rest", status=500, chance=0.5, user=A, text="no")
    replies = [await venue.info("userFills", user=A.upper().replace("X", "x")) for _ in range(5)]
    replies += [await venue.info("clearinghouseState", user=A) for _ in range(25)]
    assert {reply.status_code for reply in replies} == {200, 500}
    assert {reply.text for reply in replies if reply.status_code == 500} == {"no"}
    assert (await venue.info("userFills", user=B)).status_code == 200


async def test_rest_replies_can_be_late_cut_or_never_come(venue: Venue) -> None:
    await venue.do("rest", delay_ms=200, feed="allMids")
    began = asyncio.get_running_loop().time()
    assert (await venue.info("allMids")).status_code == 200
    assert asyncio.get_running_loop().time() - began > 0.15
    await venue.do("rest", truncate=True, feed="meta")
    with pytest.raises(json.JSONDecodeError):
        (await venue.info("meta")).json()
    await venue.do("rest", truncate=True, reset=True, feed="spotMeta")
    with pytest.raises(httpx.RemoteProtocolError):
        await venue.info("spotMeta")
    await venue.do("rest", reset=True, feed="perpDexs")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await venue.info("perpDexs")
    await venue.do("rest", hang=True, feed="exchangeStatus", for_ms=10_000)
    with pytest.raises(httpx.ReadTimeout):
        await venue.http.post("/info", json={"type": "exchangeStatus"}, timeout=httpx.Timeout(10, read=0.2))
    assert (await venue.info("spotMetaAndAssetCtxs")).status_code == 200
    assert (await venue.stats())["uncaught_errors"] == 0


async def test_control_never_breaks_and_the_exchange_does_not_notice(venue: Venue) -> None:
    await venue.do("rest", status=500)
    await venue.do("disturb", drop=1)
    await venue.trade()
    assert (await venue.stats())["fills"] == 2
    assert (await venue.info("meta")).status_code == 500
    assert await venue.do("clear") == {"cleared": 2}
    assert (await venue.info("meta")).status_code == 200


async def test_what_is_in_force_can_be_asked(venue: Venue) -> None:
    first = await venue.do("stall", feed="trades", coin="BTC", for_ms=60_000)
    second = await venue.do("omit", field="cloid")
    listed = (await venue.http.get("/control/faults")).json()
    assert listed["standing"]["drop"] == 0.0
    said = {"fault": "stall", "feed": "trades", "coin": "BTC", "for_ms": 60_000}
    assert listed["rules"] == [{**first, **said}, {**second, "fault": "omit", "field": "cloid"}]
    assert await venue.do("clear", id=first["id"]) == {"cleared": 1}
    assert [rule["id"] for rule in (await venue.http.get("/control/faults")).json()["rules"]] == [second["id"]]


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("disturb", {}, "drop"),
        ("disturb", {"drop": 1.5}, "drop"),
        ("disturb", {"drop": 1, "user": "0x1"}, "user"),
        ("stall", {"for_ms": 0}, "for_ms"),
        ("omit", {}, "field"),
        ("replace", {"field": "dir", "becomes": "x"}, "dir"),
        ("rest", {}, "status"),
        ("rest", {"status": 200}, "status"),
        ("refuse", {"status": 700}, "status"),
        ("say", {}, "channel"),
        ("say", {"channel": "a", "text": "b"}, "channel"),
        ("half_open", {}, "user"),
        ("disconnect", {"all": True, "code": 1006}, "code"),
        ("disconnect", {"all": True, "code": 1000, "reason": "x" * 124}, "reason"),
        ("clear", {"id": "all"}, "id"),
    ],
)
async def test_a_fault_that_makes_no_sense_is_400_and_names_the_field(
    venue: Venue, name: str, body: dict[str, object], field: str
) -> None:
    assert field in await venue.refused(name, **body)


async def test_a_burst_fills_more_than_a_snapshot_holds_and_leaves_the_position_alone(venue: Venue) -> None:
    reply = await venue.do("burst", address=A, coin="BTC", orders=60)
    assert reply["fills"] == 60
    async with venue.client() as client:
        await client.subscribe("userFills", user=A)
        snapshot = (await client.expect("userFills"))["fills"]
    rows = (await venue.info("userFillsByTime", user=A, startTime=0)).json()
    assert (len(snapshot), len(rows)) == (50, 60)
    assert len({row["hash"] for row in rows}) == 60
    assert (await venue.info("clearinghouseState", user=A)).json()["assetPositions"] == []
    assert (await venue.do("burst", address=A, coin="PURR/USDC", orders=2))["fills"] == 0, "it has no USDC"
    await venue.do("deposit", address=A, amount="1000", token=0)
    assert (await venue.do("burst", address=A, coin="PURR/USDC", orders=2))["fills"] == 2
    assert (await venue.do("expected", watch_from={A: 0}))["orders"] == 62


async def test_a_dir_that_nobody_knows_is_in_the_ledger_and_in_what_is_expected(venue: Venue) -> None:
    assert await venue.do("new_dir", dir="Open Long", becomes="Teleport Long") == {"Open Long": "Teleport Long"}
    await venue.trade()
    await venue.do("clear")
    await venue.trade()
    rows = (await venue.info("userFillsByTime", user=A, startTime=0)).json()
    assert [row["dir"] for row in rows] == ["Teleport Long", "Open Long"]
    signals = (await venue.do("expected", watch_from={A: 0}))["signals"]
    assert [(signal["kind"], signal["direction"]) for signal in signals] == [("unknown", "open"), ("order", "open")]


async def test_one_unknown_dir_makes_the_kind_of_its_whole_order_unknown(venue: Venue) -> None:
    await venue.do("order", address=A, coin="BTC", side="B", sz="2", px="66650")
    sell = {"address": B, "coin": "BTC", "side": "A", "sz": "1"}
    await venue.do("order", **sell)
    await venue.do("new_dir", dir="Open Long", becomes="Teleport Long")
    await venue.do("order", **sell)
    (signal,) = (await venue.do("expected", watch_from={A: 0}))["signals"]
    assert (signal["kind"], signal["fills"], signal["size"]) == ("unknown", 2, "2")
