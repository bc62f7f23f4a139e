from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import httpx
import pytest

from hlmonitor.simulator.core.limits import LimitConfig
from hlmonitor.simulator.core.orders import Side
from hlmonitor.simulator.io.config import ServerConfig
from hlmonitor.simulator.io.rest import NO_JSON_TYPE
from hlmonitor.simulator.testing import Desk, Running, request, running, wallet
from hlmonitor.simulator.wire.history import HORIZON, PAGE, aggregate, newest_first
from hlmonitor.simulator.wire.info import Answerer
from hlmonitor.simulator.wire.requests import NOT_JSON, UNREADABLE, read_request
from hlmonitor.simulator.wire.rows import amount

A, B = wallet(0xA), wallet(0xB)
STATE_KEYS = {
    "marginSummary",
    "crossMarginSummary",
    "crossMaintenanceMarginUsed",
    "withdrawable",
    "assetPositions",
    "time",
}
BY_USER = {"user": A}
JSON = {"Content-Type": "application/json"}


def ask(desk: Desk, body: str) -> Any:  # noqa: ANN401 any JSON
    return Answerer(desk.exchange).answer(read_request(body.encode()))


@asynccontextmanager
async def api(server: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url) as http:
        yield http


async def test_what_cannot_be_read_is_422_with_the_venues_text() -> None:
    async with running() as server, api(server) as http:
        for body in (
            '{"type":"nope"}',
            "[]",
            '{"type":"userFills"}',
            '{"type":"userFills","user":"0x12"}',
            '{"type":"userFills","user":"' + A + '\\n"}',
            '{"type":"userFillsByTime","user":"' + A + '","startTime":"now"}',
            '{"type":"candleSnapshot","req":{"coin":"BTC","interval":"7m","startTime":0,"endTime":1}}',
            '{"type":"l2Book","coin":"BTC","nSigFigs":6}',
        ):
            reply = await http.post("/info", content=body, headers=JSON)
            assert (reply.status_code, reply.text) == (422, UNREADABLE)


async def test_what_is_no_json_is_refused_as_the_venues_framework_does() -> None:
    async with running() as server, api(server) as http:
        for body in (b"", b"{", b"\xff"):
            reply = await http.post("/info", content=body, headers=JSON)
            assert (reply.status_code, reply.text) == (400, NOT_JSON)
        reply = await http.post("/info", content='{"type":"meta"}')
        assert (reply.status_code, reply.text) == (415, NO_JSON_TYPE)


@pytest.mark.parametrize(
    "body",
    [
        {"type": "candleSnapshot", "req": {"coin": "NOPE", "interval": "1m", "startTime": 0, "endTime": 1}},
        {"type": "recentTrades", "coin": "NOPE"},
        {"type": "meta", "dex": "nope"},
        {"type": "metaAndAssetCtxs", "dex": "nope"},
        {"type": "allMids", "dex": "nope"},
        {"type": "clearinghouseState", "dex": "nope", "user": A},
        {"type": "openOrders", "dex": "nope", "user": A},
        {"type": "frontendOpenOrders", "dex": "nope", "user": A},
        {"type": "batchClearinghouseStates", "users": [A] * 51},
        {"type": "activeAssetData", "coin": "@107", "user": A},
        {"type": "fundingHistory", "coin": "@107", "startTime": 0},
        {"type": "marginTable", "id": 7777},
    ],
    ids=lambda body: body["type"],
)
async def test_a_coin_or_dex_that_does_not_exist_is_500_and_null(body: dict[str, object]) -> None:
    async with running() as server, api(server) as http:
        reply = await http.post("/info", json=body)
        assert (reply.status_code, reply.text) == (500, "null")


async def test_the_book_of_an_unknown_coin_is_null() -> None:
    async with running() as server, api(server) as http:
        reply = await http.post("/info", json={"type": "l2Book", "coin": "NOPE"})
        assert (reply.status_code, reply.text) == (200, "null")


async def test_web_pages_of_any_origin_may_ask() -> None:
    async with running() as server, api(server) as http:
        assert (await http.options("/info")).headers["Access-Control-Allow-Headers"] == "*"
        assert (await http.post("/info", json={"type": "meta"})).headers["Access-Control-Allow-Origin"] == "*"


async def test_weights_are_charged_per_ip_and_beyond_them_is_429() -> None:
    config = ServerConfig(limits=LimitConfig(rest_weight_per_minute=41))
    async with running(server=config) as server, api(server) as http:
        assert (await http.post("/info", json={"type": "meta"})).status_code == 200
        assert (await http.post("/info", json={"type": "userFills", **BY_USER})).status_code == 200
        refused = await http.post("/info", json={"type": "allMids"})
        assert (refused.status_code, refused.text) == (429, "null")
        transport = httpx.AsyncHTTPTransport(local_address="127.0.0.3")
        async with httpx.AsyncClient(base_url=server.url, transport=transport) as other:
            assert (await other.post("/info", json={"type": "allMids"})).status_code == 200
        assert server.simulator.stats.violations["weight"] == 1


@pytest.mark.parametrize(
    ("body", "weight"),
    [
        ('{"type":"allMids"}', 2),
        ('{"type":"l2Book","coin":"BTC"}', 2),
        (f'{{"type":"clearinghouseState","user":"{A}"}}', 2),
        (f'{{"type":"orderStatus","user":"{A}","oid":1}}', 2),
        ('{"type":"exchangeStatus"}', 2),
        (f'{{"type":"spotClearinghouseState","user":"{A}"}}', 2),
        (f'{{"type":"portfolio","user":"{A}"}}', 20),
        ('{"type":"recentTrades","coin":"BTC"}', 20),
        ('{"type":"candleSnapshot","req":{"coin":"BTC","interval":"1m","startTime":0,"endTime":1}}', 20),
        (f'{{"type":"userRole","user":"{A}"}}', 60),
        (f'{{"type":"openOrders","user":"{A}"}}', 20),
        (f'{{"type":"userFills","user":"{A}"}}', 20),
    ],
)
def test_the_documented_weights(body: str, weight: int) -> None:
    assert read_request(body.encode()).weight == weight


def test_a_full_page_of_fills_weighs_a_hundred_more() -> None:
    fills = read_request(f'{{"type":"userFills","user":"{A}"}}'.encode())
    assert Answerer.extra_weight(fills, [None] * PAGE) == 100
    assert Answerer.extra_weight(read_request(b'{"type":"meta"}'), [None] * PAGE) == 0
    candles = read_request(b'{"type":"candleSnapshot","req":{"coin":"BTC","interval":"1m","startTime":0}}')
    assert Answerer.extra_weight(candles, [None] * 5_000) == 83


def trading_desk(blocks: int, fills_per_block: int = 3) -> Desk:
    desk = Desk()
    desk.fund(A, 10**9)
    desk.fund(B, 10**9)
    sell = request(Side.SELL, str(fills_per_block), "66650")
    buys = [request(Side.BUY, "1", "66650") for _ in range(fills_per_block)]
    for _ in range(blocks):
        desk.block(lambda ex: (ex.place(B, sell), ex.place(A, *buys)))
    return desk


def test_pages_are_ascending_inclusive_and_of_two_thousand_rows() -> None:
    desk = trading_desk(blocks=700)
    fills = desk.fills(A)
    everything = ask(desk, f'{{"type":"userFillsByTime","user":"{A}","startTime":0}}')
    assert len(everything) == PAGE
    assert [row["tid"] for row in everything] == [fill.tid for fill in fills[:PAGE]]
    start, end = fills[3].time, fills[8].time
    bounded = ask(desk, f'{{"type":"userFillsByTime","user":"{A}","startTime":{start},"endTime":{end}}}')
    assert [row["tid"] for row in bounded] == [fill.tid for fill in fills[3:9]]
    turned = ask(desk, f'{{"type":"userFillsByTime","user":"{A}","startTime":0,"reversed":true}}')
    assert turned[0]["time"] == fills[-1].time


def test_only_the_ten_thousand_latest_fills_can_be_reached() -> None:
    desk = trading_desk(blocks=1001, fills_per_block=10)
    first = ask(desk, f'{{"type":"userFillsByTime","user":"{A}","startTime":0}}')[0]
    assert first["tid"] == desk.fills(A)[-HORIZON].tid


def test_user_fills_are_newest_first_but_chronological_within_a_block() -> None:
    desk = trading_desk(blocks=2)
    rows = ask(desk, f'{{"type":"userFills","user":"{A}"}}')
    assert [row["startPosition"] for row in rows] == ["3.0", "4.0", "5.0", "0.0", "1.0", "2.0"]
    assert newest_first(desk.fills(A))[0].start_position == Decimal(3)


def test_aggregating_joins_the_rows_of_one_order_in_one_block() -> None:
    desk = Desk()
    desk.fund(A)
    desk.fund(B)
    desk.send(B, request(Side.SELL, "1", "66000"), request(Side.SELL, "3", "66004"))
    desk.buy(A, "4")
    (joined,) = aggregate(desk.fills(A))
    assert (joined.px, joined.sz) == (Decimal(66003), Decimal(4))
    assert joined.fee == sum(fill.fee for fill in desk.fills(A))
    rows = ask(desk, f'{{"type":"userFillsByTime","user":"{A}","startTime":0,"aggregateByTime":true}}')
    assert len(rows) == 1


def test_an_order_is_found_by_oid_and_by_cloid_with_its_latest_status() -> None:
    desk = trading_desk(blocks=1)
    oid = desk.fills(A)[0].oid
    reply = ask(desk, f'{{"type":"orderStatus","user":"{A}","oid":{oid}}}')
    assert reply["status"] == "order"
    assert reply["order"]["status"] == "filled"
    assert reply["order"]["order"]["sz"] == "0.0"
    assert ask(desk, f'{{"type":"orderStatus","user":"{B}","oid":{oid}}}') == {"status": "unknownOid"}


def test_the_order_history_has_a_row_for_each_status_as_it_was_while_an_orders_status_is_the_last() -> None:
    desk = Desk()
    desk.fund(A)
    order = desk.buy(A, "0.5", "60000")
    desk.block(lambda exchange: exchange.cancel(A, order.oid))
    rows = ask(desk, f'{{"type":"historicalOrders","user":"{A}"}}')
    assert [(row["status"], row["order"]["oid"], row["order"]["sz"]) for row in rows] == [
        ("canceled", order.oid, "0.5"),
        ("open", order.oid, "0.5"),
    ]
    assert rows[1]["statusTimestamp"] == rows[1]["order"]["timestamp"] < rows[0]["statusTimestamp"]
    assert ask(desk, f'{{"type":"orderStatus","user":"{A}","oid":{order.oid}}}')["order"] == rows[0]


def test_account_states_leave_closed_positions_out() -> None:
    desk = trading_desk(blocks=1)
    state = ask(desk, f'{{"type":"clearinghouseState","user":"{A.upper().replace("X", "x")}"}}')
    assert set(state) == STATE_KEYS
    (held,) = state["assetPositions"]
    assert (held["type"], held["position"]["szi"]) == ("oneWay", "3.0")
    desk.send(B, request(Side.BUY, "3", "66650"))
    desk.send(A, request(Side.SELL, "3"))
    assert ask(desk, f'{{"type":"clearinghouseState","user":"{A}"}}')["assetPositions"] == []


def test_open_orders_are_listed_per_dex() -> None:
    desk = Desk()
    desk.fund(A)
    desk.fund(A, dex="xyz")
    desk.buy(A, "1", "60000")
    desk.buy(A, "1", "70", coin="xyz:CL")
    assert [row["coin"] for row in ask(desk, f'{{"type":"openOrders","user":"{A}"}}')] == ["BTC"]
    (row,) = ask(desk, f'{{"type":"frontendOpenOrders","user":"{A}","dex":"xyz"}}')
    assert (row["coin"], row["orderType"], row["tif"], row["triggerPx"]) == ("xyz:CL", "Limit", "Gtc", "0.0")


def test_spot_indexes_and_contexts_do_not_follow_positions() -> None:
    meta, contexts = ask(Desk(), '{"type":"spotMetaAndAssetCtxs"}')
    assert [pair["index"] for pair in meta["universe"]] != list(range(len(meta["universe"])))
    assert len(contexts) > len(meta["universe"])
    assert {pair["name"] for pair in meta["universe"]} <= {context["coin"] for context in contexts}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("66653", "66653.0"),
        ("0.0010", "0.001"),
        ("0", "0.0"),
        ("-0", "0.0"),
        ("1E+3", "1000.0"),
        ("-12.50", "-12.5"),
        ("0E-8", "0.0"),
    ],
)
def test_amounts_are_written_as_the_venue_does(value: str, text: str) -> None:
    assert amount(Decimal(value)) == text


def test_a_joined_book_never_looks_better_than_it_is() -> None:
    desk = Desk()
    desk.fund(A, 10**9)
    for px in ("66649", "66641", "66632"):
        desk.buy(A, "1", px)
    for px in ("66651", "66659", "66662"):
        desk.sell(A, "1", px)
    exact = ask(desk, '{"type":"l2Book","coin":"BTC"}')
    assert [level["px"] for level in exact["levels"][0]] == ["66649.0", "66641.0", "66632.0"]
    assert "spread" not in exact
    joined = ask(desk, '{"type":"l2Book","coin":"BTC","nSigFigs":4}')
    bids, asks = joined["levels"]
    assert [(level["px"], level["sz"], level["n"]) for level in bids] == [("66640.0", "2.0", 2), ("66630.0", "1.0", 1)]
    assert [(level["px"], level["sz"], level["n"]) for level in asks] == [("66660.0", "2.0", 2), ("66670.0", "1.0", 1)]
    assert joined["spread"] == "2.0"
    fives = ask(desk, '{"type":"l2Book","coin":"BTC","nSigFigs":5,"mantissa":5}')
    assert [level["px"] for level in fives["levels"][0]] == ["66645.0", "66640.0", "66630.0"]


def test_a_book_shows_twenty_levels_a_side() -> None:
    desk = Desk()
    desk.fund(A, 10**9)
    desk.send(A, *(request(Side.BUY, "1", str(66_000 - n)) for n in range(30)))
    bids = ask(desk, '{"type":"l2Book","coin":"BTC"}')["levels"][0]
    assert (len(bids), bids[-1]["px"]) == (20, "65981.0")


def test_recent_trades_are_newest_first_and_name_buyer_and_seller() -> None:
    desk = trading_desk(blocks=12)
    rows = ask(desk, '{"type":"recentTrades","coin":"BTC"}')
    assert len(rows) == 30
    assert rows[0]["time"] > rows[-1]["time"]
    assert rows[0]["users"] == (A, B)


def test_candles_come_from_the_trades() -> None:
    desk = trading_desk(blocks=2)
    (row,) = ask(desk, '{"type":"candleSnapshot","req":{"coin":"BTC","interval":"1h","startTime":0}}')
    assert row["T"] - row["t"] == 3_599_999
    assert (row["s"], row["i"], row["o"], row["v"], row["n"]) == ("BTC", "1h", "66650.0", "6.0", 6)
