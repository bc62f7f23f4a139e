"""Venue time: the wall clock's, or one of its own; and what is equal to the byte when it is."""

import asyncio
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from hlmonitor.runtime.settings import load_settings
from hlmonitor.simulator.core.faults import FaultBoard
from hlmonitor.simulator.core.instruments import USDC
from hlmonitor.simulator.core.market import MarketConfig
from hlmonitor.simulator.core.population import PopulationConfig
from hlmonitor.simulator.core.state import ExchangeConfig
from hlmonitor.simulator.io.clock import BlockClock, TimeConfig
from hlmonitor.simulator.io.config import ServerConfig
from hlmonitor.simulator.io.dump import ledger_lines
from hlmonitor.simulator.io.server import Simulator
from hlmonitor.simulator.settings import SimulatorSettings
from hlmonitor.simulator.testing import GENESIS_MS, QUIET_MARKET, running
from hlmonitor.simulator.wire.frames import Frame
from hlmonitor.simulator.wire.states import all_dexs_states
from hlmonitor.simulator.wire.subscriptions import Subscription

LIVELY = MarketConfig(ExchangeConfig(block_ms=100), PopulationConfig(seed=3, rate=Decimal(30)))
KINDS = (
    "orderUpdates",
    "userEvents",
    "userTwapSliceFills",
    "userTwapHistory",
    "spotState",
    "allDexsClearinghouseState",
)
VIRTUAL = TimeConfig(speed=0, genesis_ms=GENESIS_MS)


def wall(*times: int) -> BlockClock:
    readings = iter(times)
    return BlockClock(TimeConfig(), 100, lambda: next(readings), 2)


def waits(clock: BlockClock, *times_s: float) -> list[tuple[int, bool]]:
    """Return how many milliseconds to wait at each of these times, and whether that is too late."""
    return [(round(wait_s * 1000), late) for wait_s, late in map(clock.wait_s, times_s)]


def test_real_time_reads_the_wall_clock_and_its_past_ends_there() -> None:
    clock = wall(10_000, 10_007)
    assert (clock.genesis_ms, clock.is_virtual) == (9_800, False)
    assert [clock.warmup_ms(), clock.warmup_ms(), clock.next_ms()] == [9_900, 10_000, 10_007]


def test_virtual_time_never_reads_the_wall_clock() -> None:
    clock = BlockClock(TimeConfig(speed=50, genesis_ms=1_000), 100, lambda: 1 // 0, 1)
    assert [clock.warmup_ms(), clock.next_ms(), clock.next_ms()] == [1_100, 1_200, 1_300]


def test_an_accelerated_block_waits_its_share_and_makes_up_for_a_short_delay() -> None:
    clock = BlockClock(TimeConfig(speed=10, genesis_ms=0), 100, lambda: 0, 0)
    assert waits(clock, 5.0, 5.015, 5.5, 7.0, 7.0) == [(10, False), (5, False), (0, False), (0, True), (10, False)]


def test_a_late_block_in_real_time_is_counted_and_not_made_up_for() -> None:
    clock = wall(10_000)
    assert waits(clock, 1.0, 1.5, 1.5) == [(100, False), (0, True), (100, False)]


def test_speed_zero_never_waits_and_a_changed_speed_goes_on_from_the_last_block() -> None:
    clock = wall(10_000, 10_050)
    clock.next_ms()
    clock.set_speed(0)
    assert (clock.next_ms(), clock.is_virtual, clock.wait_s(9.9)) == (10_150, True, (0.0, False))


class Tape:
    """Stands where a connection stands, and keeps what it was sent."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def send(self, frame: Frame, _faults: FaultBoard, _now_ms: int, _about: Subscription) -> None:
        self.frames.append(frame.data)


def recorded(seed: int, blocks: int = 200) -> tuple[bytes, bytes]:
    """Return all frames of every whale and some coins over some blocks of 100 ms, and its whole ledger."""
    simulator = Simulator(LIVELY, ServerConfig(time=VIRTUAL), seed=seed, warmup_blocks=5)
    tape = Tape()
    assert simulator.market.population is not None
    feeds = [Subscription("trades", coin=coin) for coin in ("BTC", "ETH", "@107")]
    for whale in simulator.market.population.whales:
        feeds.extend(Subscription(kind, whale.address) for kind in KINDS)
        feeds.append(Subscription("userFills", whale.address, options=(("aggregateByTime", False),)))
    for feed in feeds:
        simulator.hub.add(tape, feed, simulator.faults)
    for _ in range(blocks):
        simulator.step(simulator.clock.next_ms())
    ledger = ledger_lines(simulator.market.ledger, 0, everybody=True)
    return b"\n".join(tape.frames), b"".join(ledger)


def test_the_same_seed_and_genesis_give_the_same_bytes_of_all_frames_and_the_ledger() -> None:
    first, second, other = recorded(1), recorded(1), recorded(2)
    assert first == second
    assert len(first[0].splitlines()) > 1_000
    assert first[0] != other[0]
    assert first[1] != other[1]


DIGEST = """
import hashlib
from test_simulator_time import recorded
print(hashlib.sha256(b"".join(recorded(1, 100))).hexdigest())
"""


def test_another_process_makes_the_same_market() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            check=True,
            capture_output=True,
            cwd=Path(__file__).parent,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_who_asks_does_not_change_the_market() -> None:
    ledgers = []
    for asked in (False, True):
        simulator = Simulator(LIVELY, ServerConfig(time=VIRTUAL), seed=1, warmup_blocks=5)
        exchange, population = simulator.market.exchange, simulator.market.population
        assert population is not None
        for _ in range(100):
            simulator.step(simulator.clock.next_ms())
            for whale in population.whales if asked else ():
                all_dexs_states(exchange, whale.address)
                exchange.lending.supplied(whale.address, USDC)
        ledgers.append(list(ledger_lines(simulator.market.ledger, 0, everybody=True)))
    assert ledgers[0] == ledgers[1]


async def test_an_hour_passes_in_an_instant_on_every_surface() -> None:
    config = MarketConfig(exchange=ExchangeConfig(block_ms=60_000), agents=False)
    async with running(config, ServerConfig(time=VIRTUAL)) as server, httpx.AsyncClient(base_url=server.url) as http:
        time_ms = 0
        while time_ms < GENESIS_MS + 3_600_000:
            time_ms = (await http.get("/control/stats")).json()["time"]
        assert (time_ms - GENESIS_MS) % 60_000 == 0


async def test_the_speed_can_be_changed_while_it_runs() -> None:
    async with running(QUIET_MARKET) as server, httpx.AsyncClient(base_url=server.url) as http:
        assert (await http.post("/control/speed", json={"speed": 0})).json()["speed"] == 0
        before = (await http.get("/control/stats")).json()["time"]
        while (await http.get("/control/stats")).json()["time"] < before + 10_000:
            pass
        refused = await http.post("/control/speed", json={"speed": -1})
        assert (refused.status_code, "speed" in refused.json()["error"]) == (400, True)


async def test_accelerated_time_waits_for_a_client_that_reads_slowly() -> None:
    config = ServerConfig(time=VIRTUAL, outbox_frames=10)
    async with running(LIVELY, config) as server, connect(server.ws_url, max_queue=1, close_timeout=0.1) as socket:
        for coin in ("BTC", "ETH", "SOL", "HYPE"):
            await socket.send(f'{{"method":"subscribe","subscription":{{"type":"trades","coin":"{coin}"}}}}')
        await asyncio.sleep(0.3)
        for _ in range(100):
            await asyncio.wait_for(socket.recv(), 5)
        assert server.simulator.stats.closed == {}


def test_time_is_set_by_flags() -> None:
    arguments = ["--speed", "1440", "--genesis", "2026-01-01T00:00:00Z", "--block-ms", "5000"]
    settings = load_settings("simulator", SimulatorSettings, arguments)
    assert settings.server().time == TimeConfig(1440, 1_767_225_600_000)
    with pytest.raises(SystemExit):
        load_settings("simulator", SimulatorSettings, ["--genesis", "soon"])
