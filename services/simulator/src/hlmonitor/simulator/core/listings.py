"""The default listing: names, decimals and leverages as on the venue, at plausible prices."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from .instruments import USDC, Dex, Instrument, Kind, Token, Universe

_DEPLOYER: Final = "0x88806a71d74ad0a510b350545c9ae490912f0888"

# coin, szDecimals, maxLeverage, start price
_MAIN: Final = (
    ("BTC", 5, 40, "66650"),
    ("ETH", 4, 25, "3420.5"),
    ("SOL", 2, 20, "162.35"),
    ("HYPE", 2, 10, "38.412"),
    ("DOGE", 0, 10, "0.16234"),
    ("XRP", 0, 20, "2.1423"),
    ("AVAX", 2, 10, "27.815"),
    ("kPEPE", 0, 10, "0.011284"),
)
_XYZ: Final = (
    ("xyz:CL", 3, 20, "71.36"),
    ("xyz:NVDA", 3, 10, "183.42"),
    ("xyz:TSLA", 3, 10, "412.8"),
    ("xyz:GOLD", 4, 20, "4012.5"),
)
_TOKENS: Final = (
    Token("USDC", USDC, 8, 8),
    Token("PURR", 1, 0, 5),
    Token("HFUN", 2, 2, 8),
    Token("HYPE", 150, 2, 8, "Hyperliquid"),
    Token("UBTC", 197, 5, 10, "Unit Bitcoin"),
    Token("UETH", 221, 4, 9, "Unit Ethereum"),
    Token("USOL", 254, 3, 9, "Unit Solana"),
)
# coin, universe index, base token, start price. The index differs from the row's position, as on the venue.
_SPOT: Final = (
    ("PURR/USDC", 0, 1, "0.19145"),
    ("@1", 1, 2, "41.23"),
    ("@107", 107, 150, "38.405"),
    ("@142", 142, 197, "66640"),
    ("@151", 151, 221, "3419.8"),
    ("@156", 156, 254, "162.3"),
)


def _perps(rows: tuple[tuple[str, int, int, str], ...], dex: str) -> tuple[Instrument, ...]:
    return tuple(
        Instrument(coin, Kind.PERP, index, sz_decimals, Decimal(px), max_leverage=leverage, dex=dex)
        for index, (coin, sz_decimals, leverage, px) in enumerate(rows)
    )


def default_universe() -> Universe:
    """Return eight main perps, one HIP-3 dex of four coins, and six spot pairs."""
    decimals = {token.index: token.sz_decimals for token in _TOKENS}
    spot = tuple(
        Instrument(coin, Kind.SPOT, index, decimals[base], Decimal(px), base=base, canonical="/" in coin)
        for coin, index, base, px in _SPOT
    )
    dexes = (Dex("", "Hyperliquid", "", _perps(_MAIN, "")), Dex("xyz", "XYZ", _DEPLOYER, _perps(_XYZ, "xyz")))
    return Universe(dexes, spot, _TOKENS)
