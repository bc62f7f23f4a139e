"""A replay as its clients see it."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from captures import Json, acknowledged, asked, encode, line, run_line
from dst.loop import VirtualLoop

from hlmonitor.simulator.replay.player import Player, State
from hlmonitor.simulator.replay.server import Replay

TRADES, ETH = {"type": "trades", "coin": "BTC"}, {"type": "trades", "coin": "ETH"}
ORDERS = {"type": "orderUpdates", "user": "0x" + "a" * 40}
S = 1_000_000


def subscribed(time_us: int, connection: int, wanted: Json) -> bytes:
    return line("out", time_us, connection, asked(wanted)) + line("in", time_us, connection, acknowledged(wanted))


def trade(time_us: int, number: int, coin: str = "BTC", connection: int = 1) -> bytes:
    return line("in", time_us, connection, encode({"channel": "trades", "data": [{"coin": coin, "time": number}]}))


def capture(path: Path, *lines: bytes) -> Path:
    path.write_bytes(gzip.compress(run_line(1) + line("open", 1, 1) + b"".join(lines)))
    return path


class Listener:
    """A client that keeps what it hears."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.heard: list[dict[str, Json]] = []

    async def ask(self, method: str, wanted: Json) -> dict[str, Json]:
        await self.socket.send_json({"method": method, "subscription": wanted})
        return await self.next()

    async def next(self) -> dict[str, Json]:
        frame: dict[str, Json] = await self.socket.receive_json(timeout=10)
        self.heard.append(frame)
        return frame

    async def numbers(self, count: int) -> list[int]:
        found: list[int] = []
        while len(found) < count:
            match await self.next():
                case {"channel": "trades", "data": list(rows)}:
                    found += [row["time"] for row in rows]
                case _:
                    pass
        return found


@asynccontextmanager
async def replayed(path: Path, **options: object) -> AsyncIterator[tuple[Replay, aiohttp.ClientSession]]:
    replay = Replay(path, **options)  # type: ignore[arg-type]
    await replay.listen("127.0.0.1", 0)
    playing = asyncio.create_task(replay.run())
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{replay.port}") as http:
            yield replay, http
    finally:
        playing.cancel()
        await asyncio.wait({playing})
        await replay.stop()


async def control(http: aiohttp.ClientSession, **change: Json) -> dict[str, Json]:
    request = http.post("/control/replay", json=change) if change else http.get("/control/replay")
    async with request as response:
        assert response.status == 200
        reply: dict[str, Json] = await response.json()
        return reply


def played_at_s(player: Player, *events: tuple[float, Callable[[VirtualLoop], None]]) -> list[float]:
    """When each line is handed over, in seconds of a clock of its own, while these things happen at these times."""
    loop = VirtualLoop()
    began_s, times = loop.time(), list[float]()

    async def no_wait() -> None: ...

    for at_s, happens in events:
        loop.call_at(began_s + at_s, happens, loop)
    try:
        loop.run_until_complete(player.run(lambda _: times.append(loop.time() - began_s), no_wait))
    finally:
        loop.close()
    return times


@pytest.mark.parametrize("speed", [0.5, 2, 1000])
def test_a_replay_keeps_the_captured_pace(tmp_path: Path, speed: float) -> None:
    lines = [trade(1 + number * S // 10, number) for number in range(4)]
    path = capture(tmp_path / "a", *lines)
    times = played_at_s(Player(path, speed, State.RUNNING))
    assert times[-4:] == pytest.approx([number / 10 / speed for number in range(4)], abs=1e-6)


def test_a_replay_that_waits_begins_when_no_more_subscriptions_come(tmp_path: Path) -> None:
    player = Player(capture(tmp_path / "a"), 1, State.WAITING)
    asks = [(at_s, lambda _: player.listened_to()) for at_s in (7.05, 7.35, 7.75)]
    assert played_at_s(player, *asks) == pytest.approx([8.2, 8.2], abs=0.01)


def test_a_replay_that_is_held_up_does_not_take_that_for_silence_of_its_clients(tmp_path: Path) -> None:
    def hold_up(loop: VirtualLoop) -> None:
        loop.now_s += 3

    player = Player(capture(tmp_path / "a"), 1, State.WAITING)
    first, second = ((at_s, lambda _: player.listened_to()) for at_s in (1.05, 1.35))
    assert played_at_s(player, first, (1.15, hold_up), second) == pytest.approx([4.6, 4.6], abs=0.1)


async def test_every_client_has_the_feeds_that_it_asked_for_and_no_others(tmp_path: Path) -> None:
    path = capture(
        tmp_path / "a",
        subscribed(1, 1, TRADES),
        subscribed(1, 1, ETH),
        *(trade(2 + number, number, "BTC" if number % 2 else "ETH") for number in range(10)),
    )
    async with (
        replayed(path, start=State.PAUSED) as (_, http),
        http.ws_connect("/ws") as one,
        http.ws_connect("/ws") as other,
    ):
        btc, both = Listener(one), Listener(other)
        await btc.ask("subscribe", TRADES)
        await both.ask("subscribe", TRADES)
        await both.ask("subscribe", ETH)
        await control(http, state="running")
        assert await both.numbers(10) == list(range(10))
        assert await btc.numbers(5) == [1, 3, 5, 7, 9]
        assert (await control(http))["state"] == "ended"


async def test_nothing_of_a_feed_without_a_first_frame_is_lost_between_the_first_subscriptions(tmp_path: Path) -> None:
    update = encode({"channel": "orderUpdates", "data": []})
    path = capture(tmp_path / "a", subscribed(1, 1, TRADES), subscribed(1, 1, ORDERS), line("in", 2, 1, update))
    async with replayed(path) as (_, http), http.ws_connect("/ws") as socket:
        client = Listener(socket)
        await client.ask("subscribe", TRADES)
        await asyncio.sleep(0.3)
        await client.ask("subscribe", ORDERS)
        assert await client.next() == {"channel": "orderUpdates", "data": []}


async def test_what_the_capture_lacks_is_refused_clearly(tmp_path: Path) -> None:
    path = capture(tmp_path / "a", subscribed(1, 1, TRADES))
    async with replayed(path) as (_, http), http.ws_connect("/ws") as socket:
        client = Listener(socket)
        refusal = await client.ask("subscribe", ETH)
        assert refusal["channel"] == "error"
        assert str(refusal["data"]).startswith(
            'Invalid subscription {"type":"trades","coin":"ETH"} (the capture lacks it'
        )
        await client.ask("subscribe", TRADES)
        assert str((await client.ask("subscribe", TRADES))["data"]).startswith("Already subscribed: {")
        await client.ask("unsubscribe", TRADES)
        assert str((await client.ask("unsubscribe", TRADES))["data"]).startswith("Already unsubscribed: {")
        await socket.send_str("{")
        assert str((await client.next())["data"]).startswith("Error parsing JSON into valid websocket request: {")
        await socket.send_str('{"method":"ping"}')
        assert await client.next() == {"channel": "pong"}
        async with http.post("/info", json={"type": "meta"}) as response:
            assert response.status == 422
            assert "hlmon record --info" in await response.text()
        async with http.post("/info", data=b"{") as response:
            assert response.status == 422
        assert (await control(http))["refused"] == 4


async def test_captured_answers_are_given_over_http_and_over_the_socket(tmp_path: Path) -> None:
    info = {"request": {"type": "meta"}, "status": 200, "body": '{"universe": []}'}
    path = capture(tmp_path / "a", line("info", 2, payload=info))
    async with replayed(path) as (_, http), http.ws_connect("/ws") as socket:
        async with http.post("/info", json={"type": "meta"}) as response:
            assert await response.text() == '{"universe": []}'
        for number, asked in enumerate(("meta", "spotMeta")):
            payload = {"type": asked}
            await socket.send_json({"method": "post", "id": number, "request": {"type": "info", "payload": payload}})
        good, bad = await Listener(socket).next(), await Listener(socket).next()
    assert good["data"] == {
        "id": 0, "response": {"type": "info", "payload": {"type": "meta", "data": {"universe": []}}},
    }  # fmt: skip
    assert "the capture has no answer" in str(bad)


@pytest.mark.parametrize(
    ("payload", "code"),
    [({"code": 1000, "reason": "Expired"}, 1000), ({"code": 1006, "reason": ""}, 1006), (None, None)],
)
async def test_a_connection_ends_as_the_captured_one_did(tmp_path: Path, payload: Json, code: int | None) -> None:
    path = capture(
        tmp_path / "a",
        subscribed(1, 1, TRADES), trade(2, 1), line("close", 3, 1, payload),
        line("open", 4, 2), subscribed(5, 2, TRADES), trade(300 * S, 2, connection=2),
    )  # fmt: skip
    async with replayed(path) as (_, http), http.ws_connect("/ws") as socket:
        client = Listener(socket)
        await client.ask("subscribe", TRADES)
        assert await client.numbers(1) == [1]
        if code is None:
            await control(http, speed=1000)
            assert await client.numbers(1) == [2]
            return
        message = await socket.receive(timeout=5)
        assert message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING}
        assert socket.close_code == code
        async with http.ws_connect("/ws") as again:
            client = Listener(again)
            await client.ask("subscribe", TRADES)
            await control(http, speed=1000)
            assert await client.numbers(2) == [1, 2]


async def test_without_cuts_clients_stay_and_hear_only_what_is_new(tmp_path: Path) -> None:
    path = capture(
        tmp_path / "a",
        subscribed(1, 1, TRADES), trade(2, 1), line("close", 3, 1, {"code": 1006, "reason": ""}),
        line("open", 4, 2), subscribed(5, 2, TRADES), trade(6, 1, connection=2), trade(7, 2, connection=2),
    )  # fmt: skip
    async with replayed(path, cuts=False) as (_, http), http.ws_connect("/ws") as socket:
        client = Listener(socket)
        await client.ask("subscribe", TRADES)
        assert await client.numbers(2) == [1, 2]


async def test_a_replay_is_paused_and_its_speed_changed_on_command(tmp_path: Path) -> None:
    path = capture(tmp_path / "a", subscribed(1, 1, TRADES), trade(2, 1), trade(100 * S, 2))
    async with replayed(path, start=State.PAUSED) as (_, http), http.ws_connect("/ws") as socket:
        client = Listener(socket)
        await client.ask("subscribe", TRADES)
        await asyncio.sleep(0.8)
        assert (await control(http))["lines"] == 0
        await control(http, state="running")
        assert await client.numbers(1) == [1]
        assert (await control(http, state="paused", speed=1000))["speed"] == 1000
        await asyncio.sleep(0.3)
        assert (await control(http))["position_ms"] == 0
        await control(http, state="running")
        assert await client.numbers(1) == [2]
        for wrong in ({"speed": 2000}, {"speed": 0.01}, {"state": "gone"}, {"what": 1}):
            async with http.post("/control/replay", json=wrong) as response:
                assert response.status == 400
                assert "error" in await response.json()


async def test_between_two_runs_of_the_recorder_a_second_passes_at_most(tmp_path: Path) -> None:
    again = run_line(86_400 * S) + line("open", 86_400 * S, 1) + subscribed(86_400 * S, 1, TRADES)
    path = capture(tmp_path / "a", subscribed(1, 1, TRADES), trade(2, 1), again, trade(86_400 * S + 1, 2))
    async with replayed(path, speed=10) as (_, http), http.ws_connect("/ws") as socket:
        client = Listener(socket)
        await client.ask("subscribe", TRADES)
        assert await client.numbers(2) == [1, 2]


async def test_as_fast_as_clients_read_loses_nothing(tmp_path: Path) -> None:
    count = 20_000
    rows = ({"coin": "BTC", "time": number, "more": "x" * 2_000} for number in range(count))
    frames = (encode({"channel": "trades", "data": [row]}) for row in rows)
    path = capture(tmp_path / "a", subscribed(1, 1, TRADES), *(line("in", S, 1, frame) for frame in frames))
    async with replayed(path, speed=0) as (replay, http), http.ws_connect("/ws") as socket:
        client = Listener(socket)
        await client.ask("subscribe", TRADES)
        await asyncio.sleep(3)
        assert replay.player.lines < count, "it waits for a client that does not read"
        assert await client.numbers(count) == list(range(count))
        assert (await control(http))["slow_clients"] == 0


async def test_holes_of_a_capture_are_told(tmp_path: Path) -> None:
    path = capture(tmp_path / "a", subscribed(1, 1, TRADES), line("lost", 2, payload={"lines": 7}), trade(3, 1))
    async with replayed(path, start=State.RUNNING, speed=0) as (_, http):
        while (await control(http))["state"] != "ended":
            await asyncio.sleep(0.05)
        assert (await control(http))["lost_lines"] == 7
