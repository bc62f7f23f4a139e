"""Every limit of the venue, at its documented value, with the venue's text, counted per client address."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from itertools import islice

import httpx
import pytest
from venue_client import Client, client
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hlmonitor.simulator.core.candles import Interval
from hlmonitor.simulator.core.limits import LimitConfig
from hlmonitor.simulator.core.market import MarketConfig
from hlmonitor.simulator.core.state import ExchangeConfig
from hlmonitor.simulator.io.config import ServerConfig
from hlmonitor.simulator.testing import Running, running, wallet

HERE, THERE = "127.0.0.1", "127.0.0.2"
FROZEN = MarketConfig(exchange=ExchangeConfig(block_ms=60_000), agents=False)
"""No block comes by itself, so that posts stay in flight."""


async def stats(server: Running) -> dict[str, dict[str, object]]:
    async with httpx.AsyncClient() as http:
        found = (await http.get(server.url + "/control/stats")).json()
    assert isinstance(found, dict)
    return found


def post(number: int) -> dict[str, object]:
    return {"method": "post", "id": number, "request": {"type": "info", "payload": {"type": "allMids"}}}


def many(coins: list[str]) -> Iterator[Mapping[str, object]]:
    """Yield more than a thousand different subscriptions."""
    for coin in coins:
        yield from ({"type": "candle", "coin": coin, "interval": interval} for interval in Interval)
        for fast in (False, True):
            yield from ({"type": "l2Book", "coin": coin, "fast": fast, "nSigFigs": figures} for figures in range(2, 6))
            yield from ({"type": "l2Book", "coin": coin, "fast": fast, "nSigFigs": 5, "mantissa": m} for m in (1, 2, 5))
        yield from ({"type": kind, "coin": coin} for kind in ("l2Book", "trades", "bbo", "activeAssetCtx"))
    yield from ({"type": kind} for kind in ("allMids", "spotAssetCtxs", "fastAssetCtxs", "allDexsAssetCtxs"))
    yield from ({"type": "l2Book", "coin": coin, "fast": True} for coin in coins)
    yield from ({"type": "orderUpdates", "user": wallet(number)} for number in range(10))


async def pong(me: Client) -> None:
    await me.send({"method": "ping"})
    assert await me.receive() == {"channel": "pong"}


async def test_ten_connections_per_address() -> None:
    async with running() as server:
        sockets = [await connect(server.ws_url, local_addr=(HERE, 0)) for _ in range(10)]
        with pytest.raises(InvalidStatus) as refused:
            await connect(server.ws_url, local_addr=(HERE, 0))
        assert refused.value.response.status_code == 429
        async with client(server.ws_url, THERE) as other:
            await pong(other)
        assert (await stats(server))["violations_by_client"] == {HERE: {"connections": 1}}
        for socket in sockets:
            await socket.close()


async def test_thirty_new_connections_per_minute_and_address() -> None:
    async with running() as server:
        for _ in range(30):
            async with client(server.ws_url):
                pass
        with pytest.raises(InvalidStatus):
            await connect(server.ws_url, local_addr=(HERE, 0))
        async with client(server.ws_url, THERE) as other:
            await pong(other)
        assert (await stats(server))["violations_by_client"] == {HERE: {"connections": 1}}


async def test_a_thousand_subscriptions_over_all_connections_of_an_address() -> None:
    async with running() as server, client(server.ws_url) as me, client(server.ws_url) as twin:
        wanted = list(islice(many(list(server.simulator.market.exchange.state.universe.by_coin)), 1_001))
        assert len(wanted) == 1_001
        for number, subscription in enumerate(wanted[:-1]):
            await (me, twin)[number % 2].send({"method": "subscribe", "subscription": subscription})
        while server.simulator.budget(HERE).subscriptions < 1_000:
            await asyncio.sleep(0.01)
        await me.send({"method": "subscribe", "subscription": wanted[-1]})
        assert await me.next_error() == "Cannot subscribe to more than 1000 channels."
        await me.send({"method": "unsubscribe", "subscription": wanted[0]})
        await me.expect("subscriptionResponse")
        await me.send({"method": "subscribe", "subscription": wanted[-1]})
        assert await me.expect("subscriptionResponse")
        assert (await stats(server))["violations_by_client"] == {HERE: {"subscriptions": 1}}


async def test_ten_users_per_address_whatever_the_type_and_connection() -> None:
    async with running() as server, client(server.ws_url) as me, client(server.ws_url) as twin:
        for number in range(10):
            await me.subscribe("orderUpdates", user=wallet(number))
        assert (await twin.subscribe("userEvents", user=wallet(9)))["channel"] == "subscriptionResponse"
        for kind in ("userFills", "openOrders", "activeAssetCtx"):
            fields = {"coin": "BTC"} if kind == "activeAssetCtx" else {"user": wallet(10)}
            await twin.send({"method": "subscribe", "subscription": {"type": kind, **fields}})
            if "user" in fields:
                assert await twin.error() == "Cannot track more than 10 total users."
        assert await twin.expect("subscriptionResponse")
        async with client(server.ws_url, THERE) as other:
            assert (await other.subscribe("orderUpdates", user=wallet(10)))["channel"] == "subscriptionResponse"
        assert (await stats(server))["violations_by_client"] == {HERE: {"users": 2}}


async def test_two_thousand_messages_per_minute_of_an_address_and_the_connection_stays() -> None:
    async with running() as server, client(server.ws_url) as me, client(server.ws_url, THERE) as other:
        for _ in range(2_001):
            await me.socket.send('{"method":"ping"}')
        assert await me.next_error() == "Cannot send more than 2000 messages per minute."
        await pong(other)
        assert (await stats(server))["violations_by_client"] == {HERE: {"messages": 1}}


async def test_a_hundred_posts_in_flight_per_address() -> None:
    async with running(FROZEN) as server, client(server.ws_url) as me, client(server.ws_url, THERE) as other:
        for number in range(1_134, 1_235):
            await me.send(post(number))
        assert await me.next_error() == "too many pending post requests id=1234"
        await other.send(post(1))
        await pong(other)
        server.simulator.step(server.simulator.clock_ms())
        answers = [await me.expect("post") for _ in range(100)]
        assert [answer["id"] for answer in answers if isinstance(answer, dict)] == list(range(1_134, 1_234))
        assert (await stats(server))["violations_by_client"] == {HERE: {"posts": 1}}


async def test_posts_and_requests_share_twelve_hundred_of_weight_per_minute() -> None:
    async with running(FROZEN) as server, client(server.ws_url) as me, httpx.AsyncClient(base_url=server.url) as http:
        for _ in range(59):
            assert (await http.post("/info", json={"type": "meta"})).status_code == 200
        for number in range(11):
            await me.send(post(number))
        await pong(me)
        server.simulator.step(server.simulator.clock_ms())
        replies = [await me.expect("post") for _ in range(11)]
        kinds = [reply["response"]["type"] for reply in replies if isinstance(reply, dict)]
        assert kinds == ["info"] * 10 + ["error"]
        assert replies[-1] == {"id": 10, "response": {"type": "error", "payload": "429 Too Many Requests"}}
        assert (await http.post("/info", json={"type": "allMids"})).status_code == 429
        assert (await stats(server))["violations_by_client"] == {HERE: {"weight": 2}}


async def test_a_quiet_connection_is_cut_after_the_idle_time_and_pings_keep_it() -> None:
    async with running(server=ServerConfig(idle_ms=60_000)) as server, client(server.ws_url) as quiet:
        await pong(quiet)
        (left,) = server.simulator.connections
        async with client(server.ws_url) as alive:
            await pong(alive)
            _, kept = server.simulator.connections
            while kept.last_sent_ms <= left.last_sent_ms:
                await pong(alive)
            server.simulator.cut_silent(left.last_sent_ms + 59_999)
            assert not server.simulator.stats.closed
            server.simulator.cut_silent(left.last_sent_ms + 60_000)
            with pytest.raises(ConnectionClosed) as closed:
                await quiet.receive()
            assert closed.value.rcvd is None
            await pong(alive)
            assert server.simulator.stats.closed == {"idle": 1}


async def test_an_old_connection_is_closed_with_1000_expired_after_what_was_queued() -> None:
    config = ServerConfig(idle_ms=600_000, expire_ms=60_000)
    async with running(server=config) as server, client(server.ws_url) as me:
        await me.subscribe("allMids")
        (old,) = server.simulator.connections
        server.simulator.cut_silent(old.opened_ms + 59_999)
        assert not server.simulator.stats.closed
        server.simulator.cut_silent(old.opened_ms + 60_000)
        with pytest.raises(ConnectionClosed) as closed:
            await me.expect("never")
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1000, "Expired")
        while server.simulator.connections:
            await asyncio.sleep(0.01)
        assert server.simulator.stats.closed == {"expired": 1}
        assert server.simulator.budget(HERE).subscriptions == 0


async def test_limits_are_settable_and_their_texts_say_so() -> None:
    config = ServerConfig(limits=LimitConfig(users=15, subscriptions=16))
    async with running(server=config) as server, client(server.ws_url) as me:
        for number in range(15):
            await me.subscribe("orderUpdates", user=wallet(number))
        await me.send({"method": "subscribe", "subscription": {"type": "orderUpdates", "user": wallet(15)}})
        assert await me.error() == "Cannot track more than 15 total users."
        await me.subscribe("allMids")
        await me.send({"method": "subscribe", "subscription": {"type": "trades", "coin": "BTC"}})
        assert await me.next_error() == "Cannot subscribe to more than 16 channels."


async def test_closing_a_connection_frees_its_posts_only_when_they_were_answered() -> None:
    async with running(FROZEN) as server:
        async with client(server.ws_url) as me:
            await me.socket.send(json.dumps(post(1)))
            await pong(me)
        assert server.simulator.budget(HERE).posts == 1
        server.simulator.step(server.simulator.clock_ms())
        assert server.simulator.budget(HERE).posts == 0
        assert server.simulator.stats.uncaught_errors == 0
