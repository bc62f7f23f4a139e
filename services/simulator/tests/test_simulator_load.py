"""The load: a stretch of real trading that repeats at a set rate, of which everything is known."""

import asyncio
import json
import random
from collections import defaultdict
from decimal import Decimal
from functools import cache
from itertools import cycle, islice
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from hlmonitor.simulator.core.ledger import FILL_HORIZON, ORDER_HORIZON, STATUS_HORIZON, Records
from hlmonitor.simulator.core.limits import LimitConfig
from hlmonitor.simulator.core.load import CYCLE_MARK, TIME_MARK, LoadConfig, LoadPlan, LoadTruth, make_plan
from hlmonitor.simulator.core.orders import Side
from hlmonitor.simulator.io.clock import TimeConfig
from hlmonitor.simulator.io.config import ServerConfig
from hlmonitor.simulator.testing import QUIET_MARKET, Running, running, wallet

SMALL = LoadConfig(rate=300, wallets=12, block_ms=20)
SERVER = ServerConfig(load=SMALL, limits=LimitConfig(users=100, rest_weight_per_minute=10_000_000))
START_MS = 1_800_000_000_000


@cache
def plan() -> LoadPlan:
    return make_plan(SMALL, random.Random(7))


async def post(http: httpx.AsyncClient, path: str, body: object) -> Any:  # noqa: ANN401 any JSON
    reply = await http.post(path, json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_a_plan_ends_flat_with_every_order_ended_and_all_cash_accounted_for() -> None:
    made = plan()
    held: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for load in made.blocks:
        assert not [order for order in load.orders if order.is_open]
        assert sum(gain for _, gain in load.cash) + load.fees == 0
        for fill in load.block.fills:
            key = (fill.address, fill.coin)
            assert fill.start_position == held[key]
            held[key] += fill.sz * fill.side.sign
        for after in load.positions:
            assert held[after.address, after.coin] == after.szi
    assert set(held.values()) == {Decimal(0)}
    assert len({fill.dir for load in made.blocks for fill in load.block.fills}) == 6
    statuses = {update.status.value for load in made.blocks for update in load.block.order_updates}
    assert statuses == {"open", "filled", "canceled"}


def test_the_same_seed_makes_the_same_plan() -> None:
    assert make_plan(SMALL, random.Random(7)).blocks == plan().blocks
    assert make_plan(SMALL, random.Random(8)).blocks != plan().blocks


def test_the_newest_records_are_those_at_the_end_of_all_and_no_more_than_clients_are_shown() -> None:
    made = plan()
    truth = LoadTruth(made)
    address = made.addresses[0]
    assert not truth.latest(address, Records()).fills
    for sent in (len(made.blocks) // 2, 7, 100 * len(made.blocks), 3):
        truth.begin(START_MS + truth.sent, 20.0).sent = sent
        everything, latest = truth.records(address, Records()), truth.latest(address, Records())
        assert latest.fills
        assert list(latest.fills) == list(everything.fills)[-len(latest.fills) :]
        assert list(latest.orders.items()) == list(everything.orders.items())[-len(latest.orders) :]
        assert list(latest.statuses) == list(everything.statuses)[-len(latest.statuses) :]
    assert (len(latest.fills), len(latest.orders), len(latest.statuses)) == (
        FILL_HORIZON,
        ORDER_HORIZON,
        STATUS_HORIZON,
    )


def test_repeats_have_new_ids_and_the_same_positions() -> None:
    made = plan()
    truth = LoadTruth(made)
    truth.begin(START_MS, 20.0).sent = 3 * len(made.blocks) + 5
    everything = [fill for address in made.addresses for fill in truth.records(address, Records()).fills]
    assert len({(fill.address, fill.oid, fill.tid) for fill in everything}) == len(everything)
    assert len({fill.tid for fill in everything}) * 2 == len(everything)
    for address in made.addresses:
        records = truth.records(address, Records())
        held: dict[str, Decimal] = defaultdict(Decimal)
        for fill in records.fills:
            assert fill.start_position == held[fill.coin]
            held[fill.coin] += fill.sz * (1 if fill.side is Side.BUY else -1)
            assert fill.tid < 2**50
            assert fill.oid < 2**53
            assert records.orders[fill.oid].placed_ms == fill.time
    assert str(CYCLE_MARK) not in repr(everything)
    assert str(TIME_MARK) not in repr(everything)


def test_a_second_stretch_goes_on_where_the_first_ended() -> None:
    made = plan()
    truth = LoadTruth(made)
    truth.begin(START_MS, 20.0).sent = 7
    later = truth.begin(START_MS + 60_000, 5.0)
    assert (later.first, later.time_ms(9)) == (7, START_MS + 60_010)
    assert truth.cycle(len(made.blocks)) == START_MS // 1000 + 1


async def listen(socket: ClientConnection, feeds: list[dict[str, object]]) -> None:
    for feed in feeds:
        await socket.send(json.dumps({"method": "subscribe", "subscription": feed}))


async def everything(socket: ClientConnection, http: httpx.AsyncClient) -> dict[str, list[Any]]:
    """Return the rows of all feeds until the load has ended: the answer to a ping then comes after the last."""
    rows: dict[str, list[Any]] = defaultdict(list)
    asking = asyncio.create_task(ping_at_the_end(socket, http))
    async for text in socket:
        frame = json.loads(text)
        data = frame.get("data")
        if frame["channel"] == "userFills" and "isSnapshot" not in data:
            rows["userFills"] += [(data["user"], row) for row in data["fills"]]
        elif frame["channel"] in {"orderUpdates", "trades"}:
            rows[frame["channel"]] += data
        elif frame["channel"] == "pong":
            break
    await asking
    return rows


async def ping_at_the_end(socket: ClientConnection, http: httpx.AsyncClient) -> None:
    await ended(http)
    await socket.send('{"method":"ping"}')


async def read_all(socket: ClientConnection) -> None:
    while True:
        await socket.recv()


async def ended(http: httpx.AsyncClient) -> None:
    while (await http.get("/control/load")).json()["state"] == "running":
        await asyncio.sleep(0.05)


async def sent(server: Running, seconds: float) -> tuple[dict[str, list[Any]], Any]:
    """Send the load to a client of all its wallets; return what the client got and the report."""
    assert server.simulator.load is not None
    addresses = server.simulator.load.plan.addresses
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as http, connect(server.ws_url) as socket:
        feeds: list[dict[str, object]] = [{"type": "trades", "coin": coin} for coin in ("BTC", "ETH", "SOL")]
        for address in addresses:
            feeds += [{"type": "userFills", "user": address}, {"type": "orderUpdates", "user": address}]
        await listen(socket, feeds)
        while sum((await http.get("/control/stats")).json()["subscriptions"].values()) < len(feeds):
            pass
        await post(http, "/control/load", {"seconds": seconds})
        rows = await everything(socket, http)
        return rows, (await http.get("/control/load")).json()


async def test_a_client_gets_every_row_of_the_ledger_and_the_expected_signals_are_known() -> None:
    async with running(QUIET_MARKET, SERVER) as server:
        rows, report = await sent(server, 1.5)
        assert report["fills"] >= 1.4 * SMALL.rate
        assert report["fills"] == len(rows["userFills"]) == server.simulator.market.ledger.fills_total
        assert report["rows"] == sum(map(len, rows.values()))
        assert server.simulator.load is not None
        addresses = server.simulator.load.plan.addresses
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
            for address in addresses:
                mine = [row for user, row in rows["userFills"] if user == address]
                wanted = {"type": "userFillsByTime", "user": address, "startTime": 0}
                assert (await post(http, "/info", wanted)) == mine[:2000]
                await check_account(http, address, mine)
            expected = await post(http, "/control/expected", {"watch_from": dict.fromkeys(addresses, 0)})
        assert (expected["fills"], expected["pending"], expected["timed_out"]) == (report["fills"], 0, 0)
        assert expected["orders"] == len({(user, row["oid"]) for user, row in rows["userFills"]})
        assert {row["order"]["oid"] for row in rows["orderUpdates"]} >= {row["oid"] for _, row in rows["userFills"]}
        tids = {row["tid"] for _, row in rows["userFills"]}
        assert tids >= {row["tid"] for row in rows["trades"]}
        assert b"7777777777" not in json.dumps(rows).encode()


async def check_account(http: httpx.AsyncClient, address: str, fills: list[Any]) -> None:
    """The account holds what its last fill left."""
    state = await post(http, "/info", {"type": "clearinghouseState", "user": address})
    held = {p["position"]["coin"]: Decimal(p["position"]["szi"]) for p in state["assetPositions"]}
    last = fills[-1]
    after = Decimal(last["startPosition"]) + Decimal(last["sz"]) * (1 if last["side"] == "B" else -1)
    assert held.get(last["coin"], Decimal(0)) == after


async def test_the_rate_is_kept_and_lateness_is_told() -> None:
    async with running(QUIET_MARKET, SERVER) as server, httpx.AsyncClient(base_url=server.url) as http:
        await post(http, "/control/load", {"rate": 500, "seconds": 1})
        await ended(http)
        report = (await http.get("/control/load")).json()
        assert server.simulator.load is not None
        made = server.simulator.load.plan
        interval_s = made.fills / len(made.blocks) / 500
        count = round(1 / interval_s)
        sizes = [len(load.block.fills) for load in made.blocks]
        assert report["intended_rate"] == 500
        assert (report["blocks"], report["fills"]) == (count, sum(islice(cycle(sizes), count)))
        late_s = report["late_ms"]["max"] / 1000
        assert (count - 1) * interval_s - 0.001 <= report["seconds"] <= count * interval_s + late_s
        assert report["rate"] == pytest.approx(report["fills"] / report["seconds"], rel=0.01)
        assert report["late_ms"]["p50"] <= report["late_ms"]["p99"] <= report["late_ms"]["max"]


async def test_who_reads_too_slowly_is_cut_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hlmonitor.simulator.io.connection._MOST_READY_BYTES", 1 << 14)
    async with running(QUIET_MARKET, SERVER) as server, httpx.AsyncClient(base_url=server.url) as http:
        async with connect(server.ws_url, max_queue=1, close_timeout=0.1) as socket:
            await listen(socket, [{"type": "trades", "coin": coin} for coin in ("BTC", "ETH", "SOL", "HYPE", "DOGE")])
            await post(http, "/control/load", {"rate": 30_000, "seconds": 2})
            await ended(http)
            assert server.simulator.stats.closed["slow_client"] == 1
            with pytest.raises(ConnectionClosed):
                await read_all(socket)
        assert (await http.get("/control/load")).json()["fills"] >= 55_000


async def test_what_cannot_be_sent_is_refused_with_the_reason() -> None:
    virtual = ServerConfig(load=SMALL, time=TimeConfig(speed=2.0))
    for config, word in ((ServerConfig(), "--load-rate"), (virtual, "real time")):
        async with running(QUIET_MARKET, config) as server, httpx.AsyncClient(base_url=server.url) as http:
            refused = await http.post("/control/load", json={})
            assert refused.status_code == 400
            assert word in refused.json()["error"]
    async with running(QUIET_MARKET, SERVER) as server, httpx.AsyncClient(base_url=server.url) as http:
        await post(http, "/control/load", {})
        assert "stop it" in (await http.post("/control/load", json={})).json()["error"]
        await post(http, "/control/load", {"stop": True})
        await ended(http)
        await post(http, "/control/load", {"seconds": 0.1})


async def test_a_loads_wallets_stand_among_the_wallets() -> None:
    async with running(QUIET_MARKET, SERVER) as server, httpx.AsyncClient(base_url=server.url) as http:
        listed = (await http.get("/control/wallets")).json()
        assert len([row for row in listed if row["style"] == "load"]) == SMALL.wallets
        assert wallet(1) not in {row["address"] for row in listed}
