import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from hlmonitor.simulator.core.agents.mix import read_mix
from hlmonitor.simulator.core.market import MarketConfig
from hlmonitor.simulator.core.population import PopulationConfig
from hlmonitor.simulator.core.state import ExchangeConfig
from hlmonitor.simulator.testing import Running, running, wallet

A, B = wallet(0xA), wallet(0xB)
LIVELY = MarketConfig(ExchangeConfig(block_ms=10), PopulationConfig(rate=Decimal(80)))


@asynccontextmanager
async def control(server: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url + "/control/") as http:
        yield http


async def post(http: httpx.AsyncClient, path: str, body: object) -> Any:  # noqa: ANN401 any JSON
    reply = await http.post(path, json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def test_a_scripted_scenario_and_what_is_expected_of_it() -> None:
    async with running() as server, control(server) as http:
        for address in (A, B):
            await post(http, "deposit", {"address": address, "amount": "1000000"})
        sell = {"address": B, "coin": "BTC", "side": "A", "sz": "2", "px": "66650"}
        buy = {"address": A, "coin": "BTC", "side": "B", "sz": "3", "px": "66650", "cloid": "0x1"}
        replies = await post(http, "order", [sell, buy])
        assert [reply["status"] for reply in replies] == ["filled", "open"]
        assert (await post(http, "expected", {"watch_from": {A: 0}}))["pending"] == 1
        assert await post(http, "cancel", {"address": A, "oid": replies[1]["oid"]}) == {"canceled": 1}
        expected = await post(http, "expected", {"watch_from": {A: 0, B: 0}})
        assert (expected["orders"], expected["fills"]) == (2, 2)
        assert {signal["address"] for signal in expected["signals"]} == {A, B}
        assert expected["signals"][0]["size"] == "2"
        lines = [json.loads(line) for line in (await http.get("ledger")).text.splitlines()]
        assert sorted(line["type"] for line in lines) == ["fill", "fill", "order", "order"]
        assert (await http.get("ledger", params={"since": 2**50})).text == ""


async def test_twaps_leverage_oracle_and_modify_can_be_scripted() -> None:
    async with running() as server, control(server) as http:
        await post(http, "deposit", {"address": A, "amount": "1000000"})
        await post(http, "deposit", {"address": A, "amount": "5", "token": 197})
        await post(http, "leverage", {"address": A, "coin": "BTC", "leverage": 3})
        moved = await post(http, "oracle", {"coin": "BTC", "px": "70000"})
        assert moved["markPx"] == "70000.0"
        wanted = {"address": A, "coin": "BTC", "side": "B", "sz": "1", "duration_ms": 600_000}
        twap = await post(http, "twap", wanted)
        assert twap["slices"] == 20
        assert await post(http, "cancel", {"address": A, "twap_id": twap["twap_id"]}) == {"canceled": 1}
        order = await post(http, "order", {"address": A, "coin": "BTC", "side": "B", "sz": "1", "px": "60000"})
        body = {"address": A, "coin": "BTC", "side": "B", "sz": "1", "px": "60001", "modify": order["oid"]}
        assert (await post(http, "order", body))["oid"] > order["oid"]
        assert await post(http, "cancel", {"address": A}) == {"canceled": 1}


async def test_a_list_of_one_command_is_done_in_one_block() -> None:
    async with running() as server, control(server) as http:
        replies = await post(http, "deposit", [{"address": A, "amount": "1"}, {"address": B, "amount": "2"}])
        assert replies[0] == replies[1]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("order", {"address": "0x1", "coin": "BTC", "side": "B", "sz": "1"}, "address"),
        ("order", {"address": A, "coin": "NOPE", "side": "B", "sz": "1"}, "coin"),
        ("order", {"address": A, "coin": "BTC", "side": "X", "sz": "1"}, "side"),
        ("order", {"address": A, "coin": "BTC", "side": "B", "sz": "-1"}, "sz"),
        ("order", {"address": A, "coin": "BTC", "side": "B"}, "sz"),
        ("order", {"address": A, "coin": "BTC", "side": "B", "sz": "1", "px": "NaN"}, "px"),
        ("order", {"address": A, "coin": "BTC", "side": "B", "sz": "1", "modify": 1}, "modify"),
        ("order", {"address": A, "coin": "BTC", "side": "B", "sz": "1", "colour": 1}, "colour"),
        ("twap", {"address": A, "coin": "BTC", "side": "B", "sz": "1", "duration_ms": 0}, "duration_ms"),
        ("deposit", {"address": A, "amount": "1", "dex": "abc"}, "dex"),
        ("deposit", {"address": A, "amount": "1", "token": 9999}, "token"),
        ("deposit", {"address": A, "amount": "Infinity"}, "amount"),
        ("leverage", {"address": A, "coin": "BTC", "leverage": 0}, "leverage"),
        ("oracle", {"coin": "BTC", "px": 0}, "px"),
        ("faults", {"split": 2}, "split"),
        ("expected", {"watch_from": {"0x1": 0}}, "watch_from"),
        ("expected", {}, "watch_from"),
        ("disconnect", {}, "user"),
    ],
)
async def test_bad_input_is_400_and_names_the_field(path: str, body: object, field: str) -> None:
    async with running() as server, control(server) as http:
        reply = await http.post(path, json=body)
        assert reply.status_code == 400
        assert field in reply.json()["error"]


async def test_connections_can_be_cut_by_user_by_client_or_all() -> None:
    async with running() as server, control(server) as http:
        for body in ({"user": A}, {"client": "127.0.0.2"}, {"all": True}):
            async with connect(server.ws_url, local_addr=("127.0.0.2", 0)) as socket:
                wanted = {"type": "orderUpdates", "user": A}
                await socket.send(json.dumps({"method": "subscribe", "subscription": wanted}))
                await socket.recv()
                assert await post(http, "disconnect", body) == {"disconnected": 1}
                with pytest.raises(ConnectionClosed) as closed:
                    await asyncio.wait_for(socket.recv(), 5)
                assert closed.value.rcvd is None
            while (await http.get("stats")).json()["connections"]:
                pass
            assert server.simulator.budget("127.0.0.2").subscriptions == 0


async def test_faults_can_be_changed_one_by_one() -> None:
    async with running() as server, control(server) as http:
        await post(http, "faults", {"split": 0.5, "status_first": True})
        after = await post(http, "faults", {"duplicate": 0.25})
        assert (after["duplicate"], after["split"], after["status_first"], after["drop"]) == (0.25, 0.5, True, 0.0)


async def test_stats_and_wallets_describe_what_runs() -> None:
    async with running(LIVELY, warmup_blocks=10) as server, control(server) as http:
        wallets = (await http.get("wallets")).json()
        assert len(wallets) == 20
        assert {wallet["style"] for wallet in wallets} == read_mix("lively").keys()
        async with connect(server.ws_url, local_addr=("127.0.0.2", 0)):
            stats = (await http.get("stats")).json()
            assert stats["connections"] == {"127.0.0.2": 1}
        assert stats["uncaught_errors"] == 0
        assert stats["trading"] is True


async def test_quiesce_ends_all_orders_so_that_everything_is_expected() -> None:
    async with running(LIVELY, warmup_blocks=300) as server, control(server) as http:
        wallets = [wallet["address"] for wallet in (await http.get("wallets")).json()]
        quiet = await post(http, "quiesce", {})
        assert quiet["drained"] is True
        expected = await post(http, "expected", {"watch_from": dict.fromkeys(wallets, 0)})
        assert expected["pending"] == 0
        assert expected["timed_out"] == 0
        assert len(expected["signals"]) > 100
        assert len({signal["id"] for signal in expected["signals"]}) == len(expected["signals"])
        fills = server.simulator.market.ledger.fills_total
        await post(http, "deposit", {"address": wallets[0], "amount": "1"})
        assert server.simulator.market.ledger.fills_total == fills


async def test_isolated_margin_is_chosen_added_and_refused_in_words() -> None:
    async with running() as server, control(server) as http:
        for number in (1, 2):
            await post(http, "deposit", {"address": wallet(number), "amount": "100000"})
        chosen = {"address": wallet(1), "coin": "BTC", "leverage": 10, "isolated": True}
        await post(http, "leverage", chosen)
        await post(http, "order", {"address": wallet(2), "coin": "BTC", "side": "A", "sz": "1", "px": "66000"})
        await post(http, "order", {"address": wallet(1), "coin": "BTC", "side": "B", "sz": "1"})
        await post(http, "isolated_margin", {"address": wallet(1), "coin": "BTC", "amount": "500"})
        refused = await http.post("isolated_margin", json={"address": wallet(2), "coin": "BTC", "amount": "5"})
        assert refused.status_code == 400
        assert "Must have isolated position" in refused.json()["error"]
        switched = await http.post("leverage", json=chosen | {"isolated": False})
        assert "Cannot switch leverage type" in switched.json()["error"]
        held = server.simulator.market.exchange.state.account(wallet(1)).on("").positions["BTC"]
        assert held.raw_usd == Decimal("-58929.7")
