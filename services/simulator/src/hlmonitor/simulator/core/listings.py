"""The listings that a market may start with: names, decimals and leverages as on the venue, at plausible prices."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from itertools import count
from typing import Final

from .instruments import MAIN_DEX, USDC, Dex, Instrument, Kind, Token, Universe
from .listing_rows import MORE_PERPS, MORE_TOKENS

USDE: Final = 235
USDT0: Final = 268
USDH: Final = 360

_DEPLOYERS: Final = {
    "xyz": "0x88806a71d74ad0a510b350545c9ae490912f0888",
    "flx": "0x2fab552502a6d45920d5741a2f3ebf4c35536352",
    "hyna": "0x53e655101ea361537124ef814ad4e654b54d0637",
    "cash": "0x5abd3be7e9a1d1b0ac51e0a6a2b5ff1b0bf3a8c4",
}
_FULL_NAMES: Final = {"xyz": "XYZ", "flx": "Felix Exchange", "hyna": "HyENA", "cash": "dreamcash"}

# coin, szDecimals, maxLeverage, start price. Delisted names stay in place, as on the venue.
_MAIN: Final = (
    ("BTC", 5, 40, "66650"),
    ("ETH", 4, 25, "3420.5"),
    ("MATIC", 1, 20, "0.37961"),
    ("SOL", 2, 20, "162.35"),
    ("HYPE", 2, 10, "38.412"),
    ("DOGE", 0, 10, "0.16234"),
    ("XRP", 0, 20, "2.1423"),
    ("AVAX", 2, 10, "27.815"),
    ("FTM", 0, 10, "0.69845"),
    ("kPEPE", 0, 10, "0.011284"),
    ("CANTO", 0, 3, "0.026891"),
    ("PURR", 0, 3, "0.18622"),
)
_DELISTED: Final = frozenset({"MATIC", "FTM", "CANTO"})
_ONLY_ISOLATED: Final = frozenset({"CANTO", "PURR", "flx:XMR", "hyna:FARTCOIN"})
# What agents leave alone: nothing but commands moves it.
_QUIET: Final = frozenset({"PURR", "flx:XMR", "hyna:ETH", "hyna:FARTCOIN", "@207", "@230", "@232"})
_XYZ: Final = (
    ("xyz:CL", 3, 20, "71.36"),
    ("xyz:NVDA", 3, 10, "183.42"),
    ("xyz:TSLA", 3, 10, "412.8"),
    ("xyz:GOLD", 4, 20, "4012.5"),
)
_FLX: Final = (("flx:TSLA", 3, 10, "412.9"), ("flx:XMR", 2, 5, "331.4"))
_HYNA: Final = (("hyna:BTC", 5, 40, "66655"), ("hyna:ETH", 4, 25, "3420.9"), ("hyna:FARTCOIN", 0, 5, "0.31274"))
_CASH: Final = (("cash:TSLA", 3, 10, "412.7"), ("cash:NVDA", 3, 10, "183.4"), ("cash:GOLD", 4, 20, "4012"))
_TOKENS: Final = (
    Token("USDC", USDC, 8, 8),
    Token("PURR", 1, 0, 5),
    Token("HFUN", 2, 2, 8),
    Token("HYPE", 150, 2, 8, "Hyperliquid"),
    Token("UBTC", 197, 5, 10, "Unit Bitcoin"),
    Token("UETH", 221, 4, 9, "Unit Ethereum"),
    Token("USDE", USDE, 2, 8, "USDe"),
    Token("USOL", 254, 3, 9, "Unit Solana"),
    Token("USDT0", USDT0, 2, 8, "USDT0"),
    Token("USDH", USDH, 2, 8, "USDH"),
)
# coin, universe index, base token, quote token, start price. The index differs from the row's position, as on
# the venue.
_SPOT: Final = (
    ("PURR/USDC", 0, 1, USDC, "0.19145"),
    ("@1", 1, 2, USDC, "41.23"),
    ("@107", 107, 150, USDC, "38.405"),
    ("@142", 142, 197, USDC, "66640"),
    ("@151", 151, 221, USDC, "3419.8"),
    ("@156", 156, 254, USDC, "162.3"),
    ("@207", 207, 150, USDT0, "38.41"),
    ("@230", 230, USDH, USDC, "1"),
    ("@232", 232, 150, USDH, "38.4"),
)
_FIRST_UNLISTED: Final = 2
_UNLISTED: Final = ((_FIRST_UNLISTED, "@2"),)
# The venue lists its pairs and its contexts in the same order up to here; then eleven contexts have no pair
# (facts 4.2).
_MISALIGNED_FROM: Final = 71
_UNLISTED_PAIRS: Final = 11
_UNLISTED_INDEX: Final = 9_000
_FIRST_FREE_PAIR: Final = 3
_DELISTED_EVERY: Final = 7
_ISOLATED_LEVERAGE: Final = 3


class Listing(StrEnum):
    """How much is listed: what the agents trade and a few more, or about as much as on the venue."""

    DEFAULT = "default"
    VENUE = "venue"


def universe_of(listing: Listing) -> Universe:
    """Return what a market of this listing starts with; outcomes are added by the exchange."""
    return default_universe() if listing is Listing.DEFAULT else venue_universe()


def default_universe() -> Universe:
    """Return a main dex, three HIP-3 dexes backed by USDC, USDH and USDE, and nine spot pairs."""
    dexes = (_dex(MAIN_DEX, _MAIN, USDC), _dex("xyz", _XYZ, USDC), _dex("flx", _FLX, USDH), _dex("hyna", _HYNA, USDE))
    return Universe(dexes, _pairs(_SPOT, _TOKENS), _TOKENS, _UNLISTED)


def venue_universe() -> Universe:
    """Return about two hundred perps and as many pairs; agents trade those of the default listing only."""
    base = default_universe()
    cash = _dex("cash", _CASH, USDT0)
    cash = replace(cash, instruments=tuple(replace(i, quiet=True) for i in cash.instruments))
    tokens = tuple(sorted((*_TOKENS, *(token for token, _ in MORE_TOKENS)), key=lambda token: token.index))
    spot = tuple(sorted((*base.spot, *_quiet_pairs(tokens)), key=lambda pair: pair.index))
    unlisted = tuple((_MISALIGNED_FROM + 3 * n, f"@{_UNLISTED_INDEX + n}") for n in range(_UNLISTED_PAIRS))
    return Universe((_long_main(), *base.dexes[1:], cash), spot, tokens, unlisted)


def _long_main() -> Dex:
    known = {coin for coin, *_ in _MAIN}
    main = _dex(MAIN_DEX, (*_MAIN, *(row for row in MORE_PERPS if row[0] not in known)), USDC)
    return replace(main, instruments=tuple(i if i.coin in known else _unattended(i) for i in main.instruments))


def _unattended(instrument: Instrument) -> Instrument:
    """Return a coin that nobody quotes; about one in seven is delisted, as on the venue (facts 2.3)."""
    return replace(
        instrument,
        quiet=True,
        delisted=instrument.index % _DELISTED_EVERY == 0,
        only_isolated=instrument.max_leverage <= _ISOLATED_LEVERAGE,
    )


def _quiet_pairs(tokens: tuple[Token, ...]) -> tuple[Instrument, ...]:
    taken = {index for _, index, *_ in _SPOT}
    free = (index for index in count(_FIRST_FREE_PAIR) if index not in taken)
    rows = ((index, token.index, px) for index, (token, px) in zip(free, MORE_TOKENS, strict=False))
    pairs = _pairs(tuple((f"@{index}", index, base, USDC, px) for index, base, px in rows), tokens)
    return tuple(replace(pair, quiet=True) for pair in pairs)


def _dex(name: str, rows: tuple[tuple[str, int, int, str], ...], collateral: int) -> Dex:
    instruments = tuple(
        Instrument(
            coin,
            Kind.PERP,
            index,
            sz_decimals,
            Decimal(px),
            max_leverage=leverage,
            dex=name,
            quote=collateral,
            only_isolated=coin in _ONLY_ISOLATED,
            margin_mode="strictIsolated" if name and coin in _ONLY_ISOLATED else None,
            delisted=coin in _DELISTED,
            quiet=coin in _QUIET,
        )
        for index, (coin, sz_decimals, leverage, px) in enumerate(rows)
    )
    return Dex(name, _FULL_NAMES.get(name, "Hyperliquid"), _DEPLOYERS.get(name, ""), instruments, collateral)


def _pairs(rows: tuple[tuple[str, int, int, int, str], ...], tokens: tuple[Token, ...]) -> tuple[Instrument, ...]:
    decimals = {token.index: token.sz_decimals for token in tokens}
    return tuple(
        Instrument(
            coin,
            Kind.SPOT,
            index,
            decimals[base],
            Decimal(px),
            base=base,
            quote=quote,
            canonical="/" in coin,
            quiet=coin in _QUIET,
        )
        for coin, index, base, quote, px in rows
    )
