"""What was recorded is what a replay sends, frame by frame."""

import asyncio
import gzip
from decimal import Decimal
from pathlib import Path

import msgspec
from ending import interrupted_when
from websockets.asyncio.client import ClientConnection, connect

from hlmonitor.cli.core.wanted import Wanted, share_out
from hlmonitor.cli.io.recorder import Source
from hlmonitor.cli.io.recording import Run, record
from hlmonitor.simulator.core.market import MarketConfig
from hlmonitor.simulator.core.population import PopulationConfig
from hlmonitor.simulator.core.state import ExchangeConfig
from hlmonitor.simulator.replay.server import Replay
from hlmonitor.simulator.testing import running

MARKET = MarketConfig(
    exchange=ExchangeConfig(block_ms=50), population=PopulationConfig(seed=3, whales=8, rate=Decimal(100))
)


def received(path: Path) -> dict[str, list[str]]:
    """The captured data frames, by channel."""
    found: dict[str, list[str]] = {}
    for text in gzip.decompress(path.read_bytes()).splitlines():
        kind, _, _, payload = msgspec.json.decode(text, type=tuple[str, int, int, object])
        if kind == "in" and isinstance(payload, str):
            add(found, payload)
    return found


def has_heard_enough(path: Path) -> bool:
    """Tell whether the file has frames of every kind; orders come only when the market makes one."""
    try:
        captured = received(path)
    except EOFError:
        # It is being written.
        return False
    wanted = {"trades", "userFills", "orderUpdates", "allDexsClearinghouseState"}
    return wanted <= captured.keys() and sum(map(len, captured.values())) > 30


def add(found: dict[str, list[str]], text: str) -> None:
    channel = msgspec.json.decode(text)["channel"]
    if channel not in {"subscriptionResponse", "pong"}:
        found.setdefault(channel, []).append(text)


async def listen(socket: ClientConnection, count: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    async with asyncio.timeout(30):
        while sum(map(len, found.values())) < count:
            text = await socket.recv()
            assert isinstance(text, str)
            add(found, text)
    return found


async def test_a_replay_sends_what_was_recorded_to_the_character(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    async with running(MARKET, warmup_blocks=20) as served:
        population = served.simulator.market.population
        assert population is not None
        user = population.whales[0].address
        wanted: list[Wanted] = [
            {"type": "trades", "coin": "BTC"},
            {"type": "l2Book", "coin": "BTC"},
            {"type": "allMids"},
        ]
        wanted += [
            {"type": kind, "user": user}
            for kind in (
                "userFills",
                "orderUpdates",
                "userEvents",
                "allDexsClearinghouseState",
                "spotState",
            )
        ]
        report = interrupted_when(lambda _: has_heard_enough(path))
        done = await record(Source(served.ws_url, served.url, share_out(wanted)), Run(path, 0, None, 0.5, report))
    captured = received(path)
    count = sum(map(len, captured.values()))
    assert not done.progress.refused
    replay = Replay(path, speed=100)
    await replay.listen("127.0.0.1", 0)
    playing = asyncio.create_task(replay.run())
    async with connect(f"ws://127.0.0.1:{replay.port}/ws", max_size=None) as socket:
        for subscription in wanted:
            await socket.send(msgspec.json.encode({"method": "subscribe", "subscription": subscription}).decode())
        assert await listen(socket, count) == captured
    await playing
    await replay.stop()
