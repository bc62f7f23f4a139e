"""Each file in scenarios/ does what its first lines say, to a client that reconnects and asks REST."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from broken_venue import Venue
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from hlmonitor.simulator.core.limits import LimitConfig
from hlmonitor.simulator.core.market import MarketConfig
from hlmonitor.simulator.io.app import Listener
from hlmonitor.simulator.io.clock import TimeConfig
from hlmonitor.simulator.io.config import ServerConfig
from hlmonitor.simulator.io.server import Simulator, run_blocks
from hlmonitor.simulator.testing import GENESIS_MS, Running, running

SCENARIOS = Path(__file__).parents[1] / "scenarios"
PATIENCE_S = 0.3
"""How long a block waits for a client that makes no progress, because of a fault or a slow machine."""
RICH = LimitConfig(new_connections_per_minute=10_000, rest_weight_per_minute=10_000_000, messages_per_minute=100_000)


@dataclass
class Watcher:
    """Watches one wallet by socket, through every disconnect, and by REST now and then."""

    url: str
    user: str
    blocks_per_poll: int
    frames: list[dict[str, Any]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    replies: list[httpx.Response] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    closes: list[int | None] = field(default_factory=list)
    sockets: int = 0
    attempts: int = 0
    polls: int = 0
    overdue: int = -1
    """How many answers there were when the next one did not come in time."""
    is_connected: bool = False

    async def watch(self) -> None:
        """Listen until cancelled."""
        while True:
            with contextlib.suppress(OSError, TimeoutError, WebSocketException):
                await self._listen()
            self.attempts += 1
            await asyncio.sleep(0.005)

    async def _listen(self) -> None:
        url = self.url.replace("http", "ws") + "/ws"
        async with connect(url, ping_interval=None, close_timeout=0.1, open_timeout=1) as socket:
            self.sockets += 1
            for kind in ("userFills", "orderUpdates"):
                await socket.send(
                    json.dumps({"method": "subscribe", "subscription": {"type": kind, "user": self.user}})
                )
            self.is_connected = True
            try:
                async for text in socket:
                    self._hear(str(text))
            finally:
                self.is_connected = False
                self.closes.append(socket.close_code)

    def _hear(self, text: str) -> None:
        try:
            self.frames.append(json.loads(text))
        except json.JSONDecodeError:
            self.texts.append(text)

    async def poll(self, http: httpx.AsyncClient) -> None:
        """Ask REST until cancelled."""
        kinds: list[dict[str, object]] = [
            {"type": "userFillsByTime", "startTime": 0}, {"type": "clearinghouseState"}, {"type": "historicalOrders"},
        ]  # fmt: skip
        while True:
            for kind in kinds:
                try:
                    self.replies.append(await http.post("/info", json={**kind, "user": self.user}))
                except httpx.HTTPError as error:
                    self.failures.append(type(error).__name__)
                self.polls += 1
                await asyncio.sleep(0.005)

    async def keep_up(self, block: int) -> None:
        """Return when it is connected or has tried again, and has had an answer since the block before the last few."""
        attempts = self.attempts
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while not self.is_connected and self.attempts == attempts:
                    await asyncio.sleep(0.001)
        if block % self.blocks_per_poll == 0:
            await self._be_answered()

    async def _be_answered(self) -> None:
        """Wait for an answer, but only briefly for one that did not come before: blocks bring it, not waiting."""
        polls = self.polls
        try:
            async with asyncio.timeout(0.01 if self.overdue == polls else PATIENCE_S):
                while self.polls == polls:
                    await asyncio.sleep(0.001)
        except TimeoutError:
            self.overdue = polls

    def fills(self) -> list[dict[str, Any]]:
        """Return every row of userFills that came, in the order of coming."""
        return [row for frame in self.frames if frame["channel"] == "userFills" for row in frame["data"]["fills"]]

    def statuses(self) -> set[int]:
        """Return the HTTP statuses that came."""
        return {reply.status_code for reply in self.replies}


@asynccontextmanager
async def played(name: str, wallet: str = "alice", *, blocks_per_poll: int = 5) -> AsyncIterator[tuple[Venue, Watcher]]:
    """Play a file to its end while somebody watches one of its wallets. Blocks wait for the watcher."""
    config = ServerConfig(limits=RICH, time=TimeConfig(genesis_ms=GENESIS_MS))
    simulator = Simulator(MarketConfig(agents=False), config, seed=1)
    listener = Listener(simulator)
    await listener.start("127.0.0.1", 0)
    server = Running(simulator, listener.port)
    player = simulator.play((SCENARIOS / name).read_text())
    watched: Any = player.told()["wallets"]
    watcher = Watcher(server.url, watched.get(wallet, "0x" + "0" * 40), blocks_per_poll)
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
        tasks = [asyncio.create_task(watcher.watch()), asyncio.create_task(watcher.poll(http))]
        for block in count():
            await watcher.keep_up(block)
            simulator.step(simulator.clock.next_ms())
            if player.is_over and not simulator.faults.rules:
                break
        told: Any = player.told()
        assert [(line["text"], line["error"]) for line in told["lines"] if line["failed"]] == []
        assert all(line["done"] for line in told["lines"])
        simulator.faults.clear()
        blocks = asyncio.create_task(run_blocks(simulator))
        await simulator.until(simulator.now_ms + 500)
        assert await simulator.drain()
        polls = watcher.polls
        while watcher.polls < polls + 6:
            await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert simulator.stats.uncaught_errors == 0
        yield Venue(server, http), watcher
        blocks.cancel()
        await asyncio.gather(blocks, return_exceptions=True)
    await listener.stop()


async def true_fills(venue: Venue, watcher: Watcher) -> list[dict[str, Any]]:
    lines = (await venue.http.get("/control/ledger")).text.splitlines()
    rows = [json.loads(line) for line in lines]
    return [row for row in rows if row["type"] == "fill" and row["address"] == watcher.user]


def test_each_example_has_a_test_and_says_first_what_it_does() -> None:
    tests = Path(__file__).read_text()
    for file in sorted(SCENARIOS.glob("*")):
        assert file.suffix == ".scenario"
        assert f'"{file.name}"' in tests, file.name
        assert file.read_text().startswith("# ")


async def test_disorder_loses_nothing() -> None:
    async with played("disorder.scenario") as (venue, watcher):
        truth = await true_fills(venue, watcher)
        assert {row["tid"] for row in watcher.fills()} == {row["tid"] for row in truth}
        assert len(watcher.fills()) > len(truth)
        faults = (await venue.stats())["faults"]
        assert {"duplicate", "hold_back", "split", "merge", "shuffle", "delay"} <= faults.keys()


async def test_connections_end_in_every_way() -> None:
    async with played("lost_connections.scenario") as (venue, watcher):
        stats = await venue.stats()
        assert {1000, 1006, 1012} <= set(watcher.closes)
        assert (stats["closed"]["control"], stats["closed"]["half_open"]) == (5, 1)
        assert stats["faults"]["refuse"] > 0
        assert watcher.sockets >= 6
        truth = {row["tid"] for row in await true_fills(venue, watcher)}
        assert {row["tid"] for row in watcher.fills()} == truth


async def test_a_silent_feed_loses_what_only_rest_tells() -> None:
    async with played("silent_feed.scenario") as (venue, watcher):
        truth = {row["tid"] for row in await true_fills(venue, watcher)}
        heard = {row["tid"] for row in watcher.fills()}
        assert heard < truth
        assert any(frame["channel"] == "orderUpdates" for frame in watcher.frames)
        assert watcher.texts, "some frames were cut"
        rest = [row for reply in watcher.replies[-6:] for row in reply.json() if "tid" in row]
        assert {row["tid"] for row in rest} == truth


async def test_a_rest_storm_has_every_kind_of_failure() -> None:
    # Each kind comes by chance for a few seconds: often enough asked, it comes surely.
    async with played("rest_storm.scenario", blocks_per_poll=1) as (venue, watcher):
        assert {200, 429, 500, 502, 503} <= watcher.statuses()
        assert {"RemoteProtocolError"} <= set(watcher.failures)
        faults = (await venue.stats())["faults"]
        assert {"rest_delay", "rest_truncate", "rest_truncate_reset", "rest_hang", "rest_reset"} <= faults.keys()


async def test_new_words_are_on_every_surface_and_expected() -> None:
    async with played("new_words.scenario", "alice") as (venue, watcher):
        assert {"channel": "weather", "data": {"sky": "blue", "at": [1, 2]}} in watcher.frames
        assert "Websocket connection established." in watcher.texts
        rows = watcher.fills()
        assert any("mood" in row for row in rows)
        assert any("feeToken" not in row for row in rows)
        assert {"Teleport Long", "Open Long"} <= {row["dir"] for row in rows}
        signals = (await venue.do("expected", watch_from={watcher.user: 0}))["signals"]
        assert {signal["kind"] for signal in signals} == {"order", "unknown"}
    async with played("new_words.scenario", "bob") as (_, watcher):
        told = [
            row["status"] for frame in watcher.frames if frame["channel"] == "orderUpdates" for row in frame["data"]
        ]
        assert {"open", "canceled", "oracleSleptCanceled"} == set(told)


async def test_a_gap_beyond_the_snapshot_is_in_rest_only() -> None:
    async with played("gap_beyond_snapshot.scenario") as (venue, watcher):
        truth = await true_fills(venue, watcher)
        heard = {row["tid"] for row in watcher.fills()}
        missed = [row["tid"] for row in truth if row["tid"] not in heard]
        assert missed == [row["tid"] for row in truth[4:74]], "the snapshot showed the latest 50 of 120"
        assert watcher.sockets == 2
        rest = (await venue.info("userFillsByTime", user=watcher.user, startTime=0)).json()
        assert [row["tid"] for row in rest] == [row["tid"] for row in truth]


async def test_a_gap_beyond_the_horizon_is_lost_to_rest_too() -> None:
    async with played("gap_beyond_horizon.scenario") as (venue, watcher):
        truth = await true_fills(venue, watcher)
        assert len(truth) == 4 + 61 * 180 + 4
        rows = (await venue.info("userFillsByTime", user=watcher.user, startTime=0)).json()
        assert rows[0]["tid"] == truth[-10_000]["tid"]
        heard = {row["tid"] for row in watcher.fills()}
        lost = [row for row in truth[:-10_000] if row["tid"] not in heard]
        assert len(lost) == len(truth) - 10_000 - 4
        expected = await venue.do("expected", watch_from={watcher.user: 0})
        assert expected["orders"] == len(truth)


async def test_stops_fire_and_the_rest_is_liquidated() -> None:
    async with played("stops_and_crash.scenario") as (venue, watcher):
        rows = await true_fills(venue, watcher)
        assert "Liquidated Cross Long" in {row["dir"] for row in rows}
        statuses = {
            row["status"] for frame in watcher.frames if frame["channel"] == "orderUpdates" for row in frame["data"]
        }
        assert {"open", "triggered", "filled"} <= statuses
        signals = (await venue.do("expected", watch_from={watcher.user: 0}))["signals"]
        assert {"order", "twap", "liquidation"} <= {signal["kind"] for signal in signals}


@pytest.mark.parametrize("name", sorted(file.name for file in SCENARIOS.glob("*.scenario")))
async def test_each_example_can_be_played_beside_a_population(name: str) -> None:
    text = (SCENARIOS / name).read_text()
    async with running(MarketConfig(), warmup_blocks=2) as server:
        lines = [line for line in text.splitlines() if line.startswith(("at ", "every "))]
        told: Any = server.simulator.play(text).told()
        assert len(told["lines"]) == len(lines)
