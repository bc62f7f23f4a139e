"""Every frame has exactly the shape that the facts give it, whatever happens in the market."""

import json
import zlib
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
from hlmonitor.simulator.wire.subscriptions import SPECS, CoinKind, Spec, Subscription, normalise

VIRTUAL = TimeConfig(speed=0, genesis_ms=GENESIS_MS)
ROOMY = ServerConfig(
    time=VIRTUAL,
    limits=LimitConfig(subscriptions=100_000, users=100_000, messages_per_minute=100_000),
)
DEXES = ("", "xyz")
COINS = ("BTC", "ETH", "SOL", "xyz:CL", "@107", "PURR/USDC")
HOUR_MS = 3_600_000


def market(block_ms: int, rate: int) -> MarketConfig:
    return MarketConfig(ExchangeConfig(block_ms=block_ms), PopulationConfig(seed=7, whales=10, rate=Decimal(rate)))


def coins_for(spec: Spec) -> tuple[str | None, ...]:
    if spec.coin is CoinKind.NONE:
        return (None,)
    return ("BTC", "xyz:CL") if spec.coin is CoinKind.PERP else COINS


def wanted_by(exchange: Exchange, users: list[str]) -> Iterator[dict[str, object]]:
    """Yield one subscription of every type for every user and for some coins and dexes."""
    assert len(exchange.state.universe.dexes) > len(DEXES)
    for kind, spec in SPECS.items():
        for user in users if spec.user else [None]:
            for coin in coins_for(spec):
                for dex in DEXES if "dex" in (spec.options or {}) else [None]:
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
    async with running(market(5_000, 8), ROOMY, warmup_blocks=60) as server:
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


FILL = {
    "coin": "BTC",
    "px": "66653.0",
    "sz": "0.001",
    "side": "A",
    "time": 1781528065899,
    "startPosition": "-0.0213",
    "dir": "Open Short",
    "closedPnl": "0.0",
    "hash": "0x" + "e2" * 32,
    "oid": 55030848197,
    "crossed": False,
    "fee": "0.009997",
    "tid": 745210434703679,
    "cloid": "0x" + "e8" * 16,
    "feeToken": "USDC",
    "twapId": None,
    "liquidation": {"liquidatedUser": "0x" + "36" * 20, "markPx": "66607.0", "method": "market"},
}
UPDATED = {
    "coin": "xyz:CL",
    "side": "B",
    "limitPx": "80.366",
    "sz": "3.732",
    "oid": 509258420256,
    "timestamp": 1785781659536,
    "origSz": "3.732",
}


def frame(channel: str, data: object) -> bytes:
    return json.dumps({"channel": channel, "data": data}).encode()


def fills(**changes: object) -> bytes:
    row = {name: value for name, value in {**FILL, **changes}.items() if value != "absent"}
    return frame("userFills", {"user": "0x" + "ab" * 20, "fills": [row]})


def test_the_models_take_the_frames_of_the_facts() -> None:
    update = {"order": UPDATED, "status": "open", "statusTimestamp": 1785781659536}
    funding = {"time": 1681948800000, "coin": "ETH", "usdc": "-0.01", "szi": "1.0", "fundingRate": "0.0000125"}
    for good in (
        fills(),
        fills(cloid="absent", liquidation="absent", builderFee="0.1"),
        frame("orderUpdates", [update]),
        frame("user", {"funding": {**funding, "nSamples": None}}),
        frame("user", {"nonUserCancel": [{"coin": "BTC", "oid": 1}]}),
        frame("l2Book", {"coin": "BTC", "time": 1781528065899, "levels": [[{"px": "1.0", "sz": "1.0", "n": 3}], []]}),
        frame("bbo", {"coin": "BTC", "time": 1781528065899, "bbo": [{"px": "1.0", "sz": "1.0", "n": 3}, None]}),
        frame("notification", {"notification": "text"}),
        frame("post", {"id": 7, "response": {"type": "error", "payload": "429 Too Many Requests"}}),
        frame("error", "Cannot track more than 10 total users."),
        b'{"channel":"pong"}',
    ):
        parse(good)


@pytest.mark.parametrize(
    "bad",
    [
        fills(px=66653.0),
        fills(px="66653"),
        fills(px="66_653.0"),
        fills(oid="55030848197"),
        fills(side="S"),
        fills(dir="Sideways"),
        fills(tid="absent"),
        fills(twapId="absent"),
        fills(twapId=7),
        fills(colour="red"),
        fills(hash="0x00"),
        fills(cloid=None),
        fills(liquidation=None),
        frame("userFills", {"user": "0x" + "AB" * 20, "fills": []}),
        frame("userFills", {"user": "0x" + "ab" * 20, "fills": [], "isSnapshot": False}),
        frame("orderUpdates", [{"order": {**UPDATED, "reduceOnly": False}, "status": "open", "statusTimestamp": 1}]),
        frame("orderUpdates", [{"order": UPDATED, "status": "lost", "statusTimestamp": 1785781659536}]),
        frame("user", {"fills": [], "nonUserCancel": []}),
        frame("user", {}),
        frame("l2Book", {"coin": "BTC", "time": 1781528065899, "levels": [[]]}),
        frame("fastAssetCtxs", "e30="),
        frame("subscriptionResponse", {"method": "subscribe", "subscription": {"type": "trades"}}),
        b'{"channel":"pong","data":null}',
        b'{"channel":"userFills"}',
    ],
)
def test_the_models_refuse_what_is_not_exactly_so(bad: bytes) -> None:
    with pytest.raises((msgspec.ValidationError, zlib.error)):
        parse(bad)


def test_the_models_refuse_unknown_channels() -> None:
    with pytest.raises(UnknownChannelError):
        parse(frame("webData2", {}))
