"""Every reply of `/info` about a busy market fits a strict model, whoever it is about."""

import random
from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

import msgspec
import pytest
from venue_replies import REPLIES

from hlmonitor.simulator.core.market import Market, MarketConfig
from hlmonitor.simulator.core.population import PopulationConfig
from hlmonitor.simulator.core.state import ExchangeConfig
from hlmonitor.simulator.testing import GENESIS_MS, wallet
from hlmonitor.simulator.wire.info import Answerer
from hlmonitor.simulator.wire.info.answerer import ANSWERS
from hlmonitor.simulator.wire.requests import AnyInfo, read_request

BLOCK_MS = 500
BLOCKS = 240
NOBODY = wallet(0xDEAD)
COINS = ("BTC", "kPEPE", "xyz:CL", "@107", "PURR/USDC", "#330")
DEXES = ("", "xyz")
TAGS = {str(kind.__struct_config__.tag) for kind in get_args(AnyInfo)}

# What a request needs beside its type: for each field all that is asked for.
ABOUT_COIN: list[dict[str, object]] = [{"coin": coin} for coin in COINS]
ON_DEX: list[dict[str, object]] = [{"dex": dex} for dex in DEXES]
IN_TIME: list[dict[str, object]] = [
    {"startTime": 0},
    {"startTime": 0, "endTime": GENESIS_MS + BLOCKS * BLOCK_MS // 2},
    {"startTime": 0, "aggregateByTime": True},
    {"startTime": 0, "reversed": True},
]
FIELDS: dict[str, list[dict[str, object]]] = {
    "meta": ON_DEX,
    "metaAndAssetCtxs": ON_DEX,
    "allMids": ON_DEX,
    "clearinghouseState": ON_DEX,
    "openOrders": ON_DEX,
    "frontendOpenOrders": ON_DEX,
    "batchClearinghouseStates": [{"users": [NOBODY]}],
    "l2Book": [about | {"nSigFigs": figures} for about in ABOUT_COIN for figures in (None, 2, 5)],
    "recentTrades": [*ABOUT_COIN],
    "candleSnapshot": [
        {"req": about | {"interval": interval, "startTime": 0}} for about in ABOUT_COIN for interval in ("1m", "1M")
    ],
    "activeAssetData": [{"coin": "BTC"}, {"coin": "xyz:CL"}],
    "fundingHistory": [{"coin": "BTC", "startTime": 0}],
    "marginTable": [{"id": 40}, {"id": 25}],
    "perpsAtOpenInterestCap": ON_DEX,
    "perpDexStatus": ON_DEX,
    "settledOutcome": [{"outcome": 0}, {"outcome": 999_999}],
    "maxBuilderFee": [{"builder": NOBODY}],
    "vaultDetails": [{"vaultAddress": NOBODY}],
    "orderStatus": [{"oid": 1}, {"oid": "0x" + "0" * 32}],
    "userFills": [{}, {"aggregateByTime": True}],
    "userFillsByTime": IN_TIME,
    "userTwapSliceFillsByTime": IN_TIME,
}


@cache
def busy() -> tuple[Answerer, tuple[str, ...]]:
    """A market that has traded for two minutes, across a full hour; and wallets to ask about."""
    config = MarketConfig(exchange=ExchangeConfig(block_ms=BLOCK_MS), population=PopulationConfig(seed=7))
    start = GENESIS_MS - GENESIS_MS % 3_600_000 + 3_600_000 - BLOCKS * BLOCK_MS // 2
    market = Market(config, lambda name: random.Random(f"7:{name}"), start)
    for number in range(BLOCKS):
        market.step(start + number * BLOCK_MS)
    ledger = market.exchange.state.ledger
    busiest = sorted(ledger.addresses(), key=lambda address: -len(ledger.of(address).fills))
    twaps = [address for address in ledger.addresses() if ledger.of(address).twap_rows]
    return Answerer(market.exchange), (*ledger.named()[:5], *busiest[:3], *twaps[:2], NOBODY)


def bodies(kind: str, users: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    needs_user = any(field.name == "user" for field in msgspec.structs.fields(TYPES[kind]))
    for fields in FIELDS.get(kind, [{}]):
        for user in users if needs_user else [None]:
            yield {"type": kind} | fields | ({} if user is None else {"user": user})


TYPES = {str(kind.__struct_config__.tag): kind for kind in get_args(AnyInfo)}


def test_every_type_that_can_be_asked_has_an_answer_and_a_model() -> None:
    assert set(get_args(AnyInfo)) == set(ANSWERS)
    assert REPLIES.keys() == TAGS


@pytest.mark.parametrize("kind", sorted(TAGS))
def test_every_reply_fits_its_model(kind: str) -> None:
    answerer, users = busy()
    for body in bodies(kind, users):
        reply = msgspec.json.encode(answerer.answer(read_request(msgspec.json.encode(body))))
        msgspec.json.decode(reply, type=REPLIES[kind])


@pytest.mark.parametrize(
    "kind", ["userFills", "userFillsByTime", "historicalOrders", "twapHistory", "userTwapSliceFills", "userFunding"]
)
def test_the_market_is_so_busy_that_the_models_meet_rows(kind: str) -> None:
    answerer, users = busy()
    replies = [answerer.answer(read_request(msgspec.json.encode(body))) for body in bodies(kind, users)]
    assert any(replies)
