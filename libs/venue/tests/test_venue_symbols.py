"""Symbols from metadata in the forms that the venue has been seen to send."""

import msgspec
import pytest

from hlmonitor.venue.core import wire
from hlmonitor.venue.core.symbols import Symbols, pair_config_coin

SPOT = msgspec.convert(
    {
        "tokens": [
            {"name": "USDC", "index": 0}, {"name": "PURR", "index": 1}, {"name": "HYPE", "index": 150},
            {"name": "UBTC", "index": 197}, {"name": "USDH", "index": 360}, {"name": "USDT0", "index": 268},
        ],
        "universe": [
            {"name": "PURR/USDC", "tokens": [1, 0], "index": 0},
            {"name": "@142", "tokens": [197, 0], "index": 142},
            {"name": "@107", "tokens": [150, 0], "index": 107},
            {"name": "@166", "tokens": [150, 268], "index": 166},
            {"name": "@9", "tokens": [999, 0], "index": 9},
        ],
    },
    wire.SpotMeta,
)  # fmt: skip
PERPS = msgspec.convert(
    [
        {"universe": [{"name": "BTC"}, {"name": "UBTC"}, {"name": "kPEPE"}, {"name": "PUMP"}]},
        {"universe": [{"name": "xyz:CL"}], "collateralToken": 0},
        {"universe": [{"name": "flx:CL"}, {"name": "GOLD"}], "collateralToken": 360},
    ],
    list[wire.PerpMeta],
)
DEXES = [None, wire.PerpDex(name="xyz"), wire.PerpDex(name="flx")]
SYMBOLS = Symbols(SPOT, PERPS, DEXES)


@pytest.mark.parametrize(
    ("coin", "symbol"),
    [
        ("BTC", "BTCUSDC"),
        ("UBTC", "BTCUSDC"),
        ("kPEPE", "kPEPEUSDC"),
        ("PUMP", "PUMP-26USDC"),
        ("xyz:CL", "CLUSDC"),
        ("flx:CL", "CLUSDH"),
        ("flx:GOLD", "GOLDUSDH"),
        ("PURR/USDC", "PURRUSDC"),
        ("@142", "BTCUSDC"),
        ("@107", "HYPEUSDC"),
        ("@166", "HYPEUSDT0"),
        ("@9", "@9"),
        ("#330", "#330"),
        ("NEW", "NEW"),
    ],
)
def test_symbol_of(coin: str, symbol: str) -> None:
    assert SYMBOLS.symbol_of(coin) == symbol


def test_only_listed_coins_are_known() -> None:
    assert SYMBOLS.knows("@9")
    assert not SYMBOLS.knows("NEW")
    assert not SYMBOLS.knows("GOLD")


@pytest.mark.parametrize(
    ("symbol", "coin"),
    [("BTCUSDC", "BTC"), ("btcusdt", "BTC"), ("CLUSDH", "CL"), ("XUSD", "X"), ("PUMP-26USDC", "PUMP-26"), ("@9", "@9")],
)
def test_pair_config_coin_cuts_the_first_matching_quote(symbol: str, coin: str) -> None:
    assert pair_config_coin(symbol) == coin


def test_coin_is_priced_in_its_pairs_quote_or_in_its_dexs_collateral() -> None:
    coins = ("PURR/USDC", "@107", "BTC", "flx:CL", "flx:NEVER", "nodex:CL")
    assert [SYMBOLS.quote_of(coin) for coin in coins] == ["USDC", "USDC", "USDC", "USDH", None, None]
    assert [SYMBOLS.collateral_of(dex) for dex in ("", "flx", "nodex")] == ["USDC", "USDH", None]
