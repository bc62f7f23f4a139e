"""What can be traded: tokens, perpetuals of the main dex and of HIP-3 dexes, spot pairs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from decimal import Decimal

MAIN_DEX: Final = ""
USDC: Final = 0

_PERP_PX_DECIMALS: Final = 6
_SPOT_PX_DECIMALS: Final = 8


class UnknownCoinError(LookupError):
    """No instrument has this coin name."""

    def __init__(self, coin: str) -> None:
        super().__init__(f"unknown coin {coin!r}: use a wire name that meta or spotMeta lists")
        self.coin = coin


class Kind(StrEnum):
    """The two families of instruments; they differ in precision, collateral and fees."""

    PERP = "perp"
    SPOT = "spot"


@dataclass(frozen=True, slots=True)
class Token:
    """A spot token. `index` is its number on the wire, not a position in any list."""

    name: str
    index: int
    sz_decimals: int
    wei_decimals: int
    full_name: str | None = None


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable coin under its wire name.

    `dex` is "" for the main perp dex and for spot. `index` is the universe index; `base` and `quote` are
    token indexes (a perp has only its collateral in `quote`).
    """

    coin: str
    kind: Kind
    index: int
    sz_decimals: int
    start_px: Decimal
    max_leverage: int = 1
    dex: str = MAIN_DEX
    base: int = -1
    quote: int = USDC
    canonical: bool = False

    @property
    def is_spot(self) -> bool:
        """Tell whether fills move token balances instead of a margin position."""
        return self.kind is Kind.SPOT

    @property
    def px_decimals(self) -> int:
        """Most decimals a price may have (facts 4.3)."""
        return (_SPOT_PX_DECIMALS if self.is_spot else _PERP_PX_DECIMALS) - self.sz_decimals


@dataclass(frozen=True, slots=True)
class Dex:
    """A perp dex. The main one has the empty name."""

    name: str
    full_name: str
    deployer: str
    instruments: tuple[Instrument, ...]


class Universe:
    """Everything listed, with lookups by wire name. Immutable after construction."""

    def __init__(self, dexes: tuple[Dex, ...], spot: tuple[Instrument, ...], tokens: tuple[Token, ...]) -> None:
        self.dexes = dexes
        self.spot = spot
        self.tokens = tokens
        self.by_coin = {i.coin: i for dex in dexes for i in dex.instruments} | {i.coin: i for i in spot}
        self.token_by_index = {t.index: t for t in tokens}

    def get(self, coin: str) -> Instrument:
        """Return the instrument of a wire name; raise UnknownCoinError."""
        try:
            return self.by_coin[coin]
        except KeyError:
            raise UnknownCoinError(coin) from None

    def dex(self, name: str) -> Dex | None:
        """Return the dex with this name ("" = main)."""
        return next((dex for dex in self.dexes if dex.name == name), None)

    def perps(self) -> tuple[Instrument, ...]:
        """All perpetuals, main dex first."""
        return tuple(i for dex in self.dexes for i in dex.instruments)
