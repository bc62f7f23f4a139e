"""What the WebSocket says to messages that it does not take: each of the venue's texts, and what it does besides."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from venue_client import client
from websockets.exceptions import ConnectionClosed

from hlmonitor.simulator.core.listings import default_universe
from hlmonitor.simulator.io.config import ServerConfig
from hlmonitor.simulator.testing import running, wallet
from hlmonitor.simulator.wire.messages import RefusedMessageError, Subscribe, Unsubscribe, read_message
from hlmonitor.simulator.wire.subscriptions import SPECS, normalise

A = wallet(0xA)
UNIVERSE = default_universe()

UNREADABLE = [
    "not json",
    "[]",
    "1",
    "{}",
    '{"method":"dance"}',
    '{"method":"subscribe"}',
    "[" * 100_000,
    '{"method":"subscribe","subscription":"trades"}',
    '{"method":"subscribe","subscription":{}}',
    '{"method":"subscribe","subscription":{"type":7}}',
    '{"method":"subscribe","subscription":{"type":"webData2","user":"' + A + '"}}',
    '{"method":"subscribe","subscription":{"type":"allDexsOrderUpdates","user":"' + A + '"}}',
    '{"method":"subscribe","subscription":{"type":"explorerBlock"}}',
    '{"method":"post","id":"7","request":{"type":"info","payload":{"type":"meta"}}}',
    '{"method":"post","id":true,"request":{"type":"info","payload":{"type":"meta"}}}',
    '{"method":"post","id":-1,"request":{"type":"info","payload":{"type":"meta"}}}',
    '{"method":"post","id":7,"request":{"type":"explorer","payload":{"type":"blockDetails"}}}',
    '{"method":"post","id":7,"request":{"type":"info","payload":{"type":"dance"}}}',
]
INVALID: list[dict[str, object]] = [
    {"type": "trades"},
    {"type": "trades", "coin": "NOPE"},
    {"type": "trades", "coin": "btc"},
    {"type": "trades", "coin": 1},
    {"type": "userFills"},
    {"type": "userFills", "user": "0x12"},
    {"type": "userFills", "user": A + "0"},
    {"type": "userFills", "user": A[2:]},
    {"type": "userFills", "user": A, "aggregateByTime": "yes"},
    {"type": "candle", "coin": "BTC"},
    {"type": "candle", "coin": "BTC", "interval": "2m"},
    {"type": "candle", "coin": "BTC", "interval": 60},
    {"type": "l2Book", "coin": "BTC", "nSigFigs": 6},
    {"type": "l2Book", "coin": "BTC", "mantissa": 2},
    {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 3},
    {"type": "l2Book", "coin": "BTC", "fast": 1},
    {"type": "l2Book", "coin": "BTC", "nSigFigs": True},
    {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": True},
    {"type": "allMids", "dex": "nope"},
    {"type": "clearinghouseState", "user": A, "dex": "nope"},
    {"type": "clearinghouseState", "user": A, "dex": "ALL_DEXS"},
]


@pytest.mark.parametrize("text", UNREADABLE, ids=lambda text: text[:60])
async def test_what_is_no_request_is_quoted_and_the_connection_stays(text: str) -> None:
    async with running() as server, client(server.ws_url) as me:
        await me.socket.send(text)
        assert await me.error() == f"Error parsing JSON into valid websocket request: {text}"
        await me.send({"method": "ping"})
        assert await me.receive() == {"channel": "pong"}
        assert server.simulator.stats.refused == {"Error parsing JSON into valid websocket request": 1}


@pytest.mark.parametrize("wanted", INVALID)
async def test_a_known_type_with_wrong_arguments_is_quoted_and_the_connection_stays(wanted: dict[str, object]) -> None:
    async with running() as server, client(server.ws_url) as me:
        for method in ("subscribe", "unsubscribe"):
            await me.send({"method": method, "subscription": wanted})
            assert await me.error() == f"Invalid subscription {json.dumps(wanted, separators=(',', ':'))}"
        await me.send({"method": "ping"})
        assert await me.receive() == {"channel": "pong"}
        assert server.simulator.stats.refused == {"Invalid subscription": 2}
        assert server.simulator.budget("127.0.0.1").subscriptions == 0


@pytest.mark.parametrize(
    ("wanted", "echo"),
    [
        ({"type": "trades", "coin": "BTC"}, {"type": "trades", "coin": "BTC"}),
        ({"type": "orderUpdates", "user": A.upper().replace("X", "x")}, {"type": "orderUpdates", "user": A}),
        ({"type": "userFills", "user": A}, {"type": "userFills", "user": A, "aggregateByTime": False}),
        (
            {"type": "l2Book", "coin": "BTC", "nSigFigs": None, "colour": "red"},
            {"type": "l2Book", "coin": "BTC", "nSigFigs": None, "mantissa": None, "fast": False},
        ),
        ({"type": "openOrders", "user": A}, {"type": "openOrders", "user": A, "dex": ""}),
        ({"type": "openOrders", "user": A, "dex": "ALL_DEXS"}, {"type": "openOrders", "user": A, "dex": "ALL_DEXS"}),
        ({"type": "allMids", "dex": ""}, {"type": "allMids", "dex": None}),
        ({"type": "allMids", "dex": "xyz"}, {"type": "allMids", "dex": "xyz"}),
        ({"type": "assetCtxs"}, {"type": "assetCtxs", "dex": ""}),
        ({"type": "fastAssetCtxs", "user": A}, {"type": "fastAssetCtxs"}),
    ],
)
async def test_echoes_have_the_defaults_and_only_what_the_type_knows(
    wanted: dict[str, object], echo: dict[str, object]
) -> None:
    async with running() as server, client(server.ws_url) as me:
        await me.send({"method": "subscribe", "subscription": wanted})
        assert await me.expect("subscriptionResponse") == {"method": "subscribe", "subscription": echo}
        await me.send({"method": "subscribe", "subscription": echo})
        compact = json.dumps(echo, separators=(",", ":"))
        assert await me.next_error() == f"Already subscribed: {compact}"
        await me.send({"method": "unsubscribe", "subscription": wanted})
        assert await me.expect("subscriptionResponse") == {"method": "unsubscribe", "subscription": echo}
        await me.send({"method": "unsubscribe", "subscription": echo})
        assert await me.next_error() == f"Already unsubscribed: {compact}"


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([A, "BTC", "", "1m"])
FIELDS = st.sampled_from(["user", "coin", "dex", "interval", "nSigFigs", "mantissa", "fast", "aggregateByTime"])
MESSAGES = st.fixed_dictionaries(
    {"method": st.sampled_from(["subscribe", "unsubscribe", "post", "ping"]) | LEAVES},
    optional={
        "subscription": LEAVES
        | st.builds(
            lambda kind, fields: {**fields, "type": kind}, st.sampled_from([*SPECS]), st.dictionaries(FIELDS, LEAVES)
        ),
        "id": LEAVES,
        "request": st.fixed_dictionaries(
            {"type": st.just("info"), "payload": LEAVES | st.dictionaries(st.text(), LEAVES)}
        ),
    },
)


@given(message=MESSAGES)
def test_every_message_is_read_or_refused_with_a_text(message: dict[str, object]) -> None:
    try:
        read = read_message(json.dumps(message), UNIVERSE)
    except RefusedMessageError as error:
        assert str(error).startswith(("Invalid subscription {", "Error parsing JSON into valid websocket request: "))  # noqa: PT017
        return
    if isinstance(read, Subscribe | Unsubscribe):
        assert normalise(read.subscription.echo(), UNIVERSE) == read.subscription


async def test_the_same_subscription_on_another_connection_is_no_duplicate() -> None:
    async with running() as server, client(server.ws_url) as me, client(server.ws_url) as twin:
        for one in (me, twin):
            assert (await one.subscribe("orderUpdates", user=A))["channel"] == "subscriptionResponse"


async def test_asking_for_an_unknown_coin_can_close_the_socket_without_an_error_frame() -> None:
    async with running(server=ServerConfig(unknown_coin_closes=True)) as server, client(server.ws_url) as me:
        await me.send({"method": "subscribe", "subscription": {"type": "userFills", "user": "0x12"}})
        assert await me.error()
        await me.send({"method": "subscribe", "subscription": {"type": "trades", "coin": "NOPE"}})
        with pytest.raises(ConnectionClosed) as closed:
            await me.receive()
        assert closed.value.rcvd is None
        assert server.simulator.stats.closed == {"unknown_coin": 1}


async def test_a_connection_can_begin_with_the_plain_text_of_older_servers() -> None:
    async with running(server=ServerConfig(greeting=True)) as server, client(server.ws_url) as me:
        assert await me.socket.recv() == "Websocket connection established."
        await me.send({"method": "ping"})
        assert await me.receive() == {"channel": "pong"}
