"""The shells against servers of our own: replies, refusals, resets, closes."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve

from hlmonitor.domain.addresses import Address
from hlmonitor.venue.core.frames import Frame, UnknownChannel
from hlmonitor.venue.core.limits import RateLedger
from hlmonitor.venue.core.protocol import Acknowledged, ConnectionProtocol, Notice, ProtocolTimes
from hlmonitor.venue.core.subscriptions import Subscription
from hlmonitor.venue.errors import BadReplyError, RateLimitedError, RequestRefusedError, TransportError
from hlmonitor.venue.io.rest import InfoClient
from hlmonitor.venue.io.websocket import Ended, Endpoint, run_connection

ADDRESS = Address("0x" + "ab" * 20)
FILLS = Subscription("userFills", user=ADDRESS)


@asynccontextmanager
async def venue(
    *replies: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """An `/info` that gives these replies in turn; yields its URL and the bodies that it got."""
    bodies: list[bytes] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        bodies.append(await request.read())
        return await replies[min(len(bodies), len(replies)) - 1](request)

    app = web.Application()
    app.router.add_post("/info", handle)
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", bodies
    finally:
        await runner.cleanup()


def answer(value: object, status: int = 200) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def reply(_: web.Request) -> web.StreamResponse:
        return web.Response(body=msgspec.json.encode(value), status=status)

    return reply


async def cut(request: web.Request) -> web.StreamResponse:
    assert request.transport
    request.transport.abort()
    return web.Response()


async def test_a_reset_connection_is_tried_again_at_once() -> None:
    async with (
        venue(cut, answer({"BTC": "1.5"})) as (url, bodies),
        InfoClient(url, local_address="127.0.0.3") as client,
    ):
        assert await client.all_mids() == {"BTC": "1.5"}
        assert bodies == [b'{"type":"allMids","dex":""}'] * 2


async def test_429_and_5xx_are_tried_again() -> None:
    replies = [answer({}, 429), answer({}, 502), answer({"BTC": "1"})]
    ledger = RateLedger(100, window_s=0.2)
    async with venue(*replies) as (url, bodies), InfoClient(url, ledger=ledger) as client:
        assert await client.all_mids() == {"BTC": "1"}
        assert len(bodies) == 3


async def test_a_429_spends_the_whole_budget() -> None:
    ledger = RateLedger(100)
    async with venue(answer({}, 429)) as (url, _), InfoClient(url, ledger=ledger, attempts=1) as client:
        with pytest.raises(RateLimitedError):
            await client.all_mids()
        assert ledger.used(time.monotonic()) == 100


async def test_a_reply_that_breaks_off_is_asked_for_again() -> None:
    async def broken(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b'{"BTC":"1')

    async with venue(broken, answer({"BTC": "1"})) as (url, bodies), InfoClient(url) as client:
        assert await client.all_mids() == {"BTC": "1"}
        assert len(bodies) == 2


async def test_what_cannot_be_read_is_an_error_and_not_tried_again() -> None:
    async with venue(answer(["?"])) as (url, bodies), InfoClient(url) as client:
        with pytest.raises(BadReplyError, match="spotMeta"):
            await client.spot_meta()
        assert len(bodies) == 1


async def test_a_refusal_is_an_error_with_the_venues_words() -> None:
    async with venue(answer("no such user", 422)) as (url, _), InfoClient(url) as client:
        with pytest.raises(RequestRefusedError, match=r"422.*no such user"):
            await client.historical_orders(ADDRESS)


def order_row(oid: int, status: str, at_ms: int) -> dict[str, object]:
    order = {"coin": "BTC", "side": "B", "limitPx": "1", "sz": "0", "oid": oid, "timestamp": 1, "origSz": "1"}
    return {"order": order, "status": status, "statusTimestamp": at_ms}


@pytest.mark.parametrize("step", [1, -1])
async def test_of_an_orders_many_statuses_the_last_counts_in_whatever_order_they_come(step: int) -> None:
    rows = [
        order_row(1, "open", 5), order_row(1, "canceled", 9),
        order_row(2, "open", 7), order_row(2, "triggered", 7), order_row(2, "filled", 7),
        order_row(3, "open", 8), order_row(3, "triggered", 8),
    ]  # fmt: skip
    async with venue(answer(rows[::step])) as (url, _), InfoClient(url) as client:
        last = {row.order.oid: row.status for row in await client.historical_orders(ADDRESS)}
    assert last == {1: "canceled", 2: "filled", 3: "triggered"}


async def test_an_unreachable_venue_is_an_error_in_the_end() -> None:
    async with InfoClient("http://127.0.0.1:9", attempts=1) as client:
        with pytest.raises(TransportError, match="perpDexs"):
            await client.perp_dexs()


async def test_ranges_are_asked_for_without_joined_rows_and_cost_what_came() -> None:
    ledger = RateLedger(1200)
    async with venue(answer([])) as (url, bodies), InfoClient(url, ledger=ledger) as client:
        assert await client.user_fills_by_time(ADDRESS, 5, 9) == []
        asked = msgspec.json.decode(bodies[0])
        assert asked == {
            "type": "userFillsByTime", "user": ADDRESS, "startTime": 5, "endTime": 9, "aggregateByTime": False,
        }  # fmt: skip
        assert ledger.used(time.monotonic()) == 20


async def test_an_unknown_order_is_none() -> None:
    async with venue(answer({"status": "unknownOid"})) as (url, _), InfoClient(url) as client:
        assert await client.order_status(ADDRESS, 7) is None


@asynccontextmanager
async def stream(script: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[Endpoint]:
    async with serve(script, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield Endpoint(f"ws://127.0.0.1:{port}/ws", local_address="127.0.0.4")


async def converse(endpoint: Endpoint, times: ProtocolTimes) -> tuple[Ended, list[Frame], list[Notice]]:
    frames, notices = list[Frame](), list[Notice]()
    async with asyncio.timeout(10):
        ended = await run_connection(
            endpoint,
            ConnectionProtocol([FILLS], times, time.monotonic()),
            RateLedger(100),
            on_open=lambda: None,
            on_frame=frames.append,
            on_notice=notices.append,
        )
    return ended, frames, notices


async def test_a_close_with_code_1000_ends_the_connection_like_any_other() -> None:
    async def script(connection: ServerConnection) -> None:
        asked = msgspec.json.decode(await connection.recv())
        assert connection.remote_address[0] == "127.0.0.4"
        await connection.send(msgspec.json.encode({"channel": "subscriptionResponse", "data": asked}).decode())
        await connection.send('{"channel":"news","data":1}')
        await connection.close(1000, "Expired")

    async with stream(script) as endpoint:
        ended, frames, notices = await converse(endpoint, ProtocolTimes())
    assert ended.cause == "closed"
    assert "Expired" in ended.detail
    assert notices == [Acknowledged()]
    assert frames[-1] == UnknownChannel("news")


async def test_a_silent_server_is_left() -> None:
    async def script(connection: ServerConnection) -> None:
        with contextlib.suppress(Exception):
            await connection.wait_closed()

    async with stream(script) as endpoint:
        ended, _, _ = await converse(endpoint, ProtocolTimes(ack_timeout_s=0.3))
    assert ended.cause == "no_acknowledgement"


async def test_a_port_without_server_cannot_be_opened() -> None:
    ended, _, _ = await converse(Endpoint("ws://127.0.0.1:9/ws"), ProtocolTimes())
    assert ended.cause == "cannot_open"
