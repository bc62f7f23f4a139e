"""Every frame has exactly the shape that the facts give it, whatever happens in the market."""

import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

import msgspec
import pytest
from venue_frames import UnknownChannelError, parse
from websockets.asyncio.client import connect

from hlmonitor.simulator.core.exchange import Exchange
from hlmonitor.simulator.core.faults import FaultBoard
from hlmonitor.simulator.core.limits import LimitConfig
from hlmonitor.simulator.core.market import MarketConfig
from hlmonitor.simulator.core.population import PopulationConfig
from hlmonitor.simulator.core.state import ExchangeConfig
from hlmonitor.simulator.io.clock import TimeConfig
from hlmonitor.simulator.io.config import ServerConfig
from hlmonitor.simulator.io.server import Simulator
from hlmonitor.simulator.testing import GENESIS_MS, running
from hlmonitor.simulator.wire.frames import Frame
from hlmonitor.simulator.wire.subscriptions import SPECS, Subscription, normalise

VIRTUAL = TimeConfig(speed=0, genesis_ms=GENESIS_MS)
ROOMY = ServerConfig(
    time=VIRTUAL,
    limits=LimitConfig(subscriptions=100_000, users=100_000, messages_per_minute=100_000),
)
COINS = ("BTC", "ETH", "SOL", "xyz:CL", "@107", "PURR/USDC")
HOUR_MS = 3_600_000


def market(block_ms: int, rate: int) -> MarketConfig:
    return MarketConfig(ExchangeConfig(block_ms=block_ms), PopulationConfig(seed=7, rate=Decimal(rate)))


def wanted_by(exchange: Exchange, users: list[str]) -> Iterator[dict[str, object]]:
    """Yield one subscription of every type for every user and for some coins and dexes."""
    dexes = [dex.name for dex in exchange.state.universe.dexes]
    for kind, spec in SPECS.items():
        for user in users if spec.user else [None]:
            for coin in COINS if spec.coin.value != "none" else [None]:
                for dex in dexes if "dex" in (spec.options or {}) else [None]:
                    if spec.coin.value == "perp" and exchange.state.universe.get(coin or "").is_spot:
                        continue
                    fields = {"user": user, "coin": coin, "dex": dex, "interval": "1m" if kind == "candle" else None}
                    yield {"type": kind, **{name: value for name, value in fields.items() if value is not None}}
    yield {"type": "l2Book", "coin": "BTC", "fast": True}
    yield {"type": "l2Book", "coin": "ETH", "nSigFigs": 3}
    yield {"type": "l2Book", "coin": "ETH", "nSigFigs": 5, "mantissa": 5}
    for user in users:
        yield {"type": "userFills", "user": user, "aggregateByTime": True}
        yield {"type": "openOrders", "user": user, "dex": "ALL_DEXS"}


class Inspector:
    """Stands where a connection stands, and parses what it is sent."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def send(self, frame: Frame, _faults: FaultBoard, _now_ms: int, _about: Subscription) -> None:
        self.look(frame.data)

    def look(self, data: bytes) -> None:
        try:
            self.seen[parse(data)] += 1
        except (msgspec.ValidationError, UnknownChannelError) as error:
            raise AssertionError(f"{error}: {data.decode()[:2_000]}") from error


def whales(simulator: Simulator) -> list[str]:
    assert simulator.market.population is not None
    return [whale.address for whale in simulator.market.population.whales]


def test_the_frames_of_every_subscription_type_parse() -> None:
    simulator = Simulator(market(1_000, 20), ROOMY, seed=7, warmup_blocks=20)
    universe = simulator.market.exchange.state.universe
    inspector = Inspector()
    for wanted in wanted_by(simulator.market.exchange, whales(simulator)):
        simulator.hub.add(inspector, normalise(wanted, universe), simulator.faults)
    for _ in range(120):
        simulator.step(simulator.clock.next_ms())
    silent = {"notification", "outcomeMetaUpdates"}
    channels = {"userEvents": "user"}
    assert {channels.get(kind, kind) for kind in SPECS} - silent <= inspector.seen.keys()
    assert inspector.seen["activeSpotAssetCtx"] > 0


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_an_hour_of_frames_on_a_real_socket_parses() -> None:
    inspector = Inspector()
    async with running(market(1_000, 8), ROOMY, warmup_blocks=60) as server:
        simulator = server.simulator
        async with connect(server.ws_url, max_queue=None, max_size=None, ping_interval=None) as socket:
            for wanted in wanted_by(simulator.market.exchange, whales(simulator)):
                await socket.send(json.dumps({"method": "subscribe", "subscription": wanted}))
            until_ms = simulator.market.exchange.state.now_ms + HOUR_MS
            while simulator.market.exchange.state.now_ms < until_ms:
                inspector.look(await socket.recv(decode=False))
        assert not simulator.stats.closed
        assert simulator.stats.uncaught_errors == 0
    assert "error" not in inspector.seen
    assert inspector.seen.total() >= 100_000
