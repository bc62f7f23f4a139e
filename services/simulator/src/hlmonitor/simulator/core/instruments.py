"""What can be traded: tokens, perpetuals of the main dex and of HIP-3 dexes, spot pairs, outcome coins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

if TYPE_CHECKING:
    from decimal import Decimal

MAIN_DEX: Final = ""
USDC: Final = 0
OUTCOME_IDS: Final = 100_000_000
"""Asset ids of outcomes are this plus ten times the outcome plus the side (facts 4.3)."""

_PERP_PX_DECIMALS: Final = 6
_SPOT_PX_DECIMALS: Final = 8
_OUTCOME_PX_DECIMALS: Final = 5


class UnknownCoinError(LookupError):
    """No instrument has this coin name."""

    def __init__(self, coin: str) -> None:
        super().__init__(f"unknown coin {coin!r}: use a wire name that meta or spotMeta lists")
        self.coin = coin


class Kind(StrEnum):
    """The families of instruments; they differ in precision, collateral and fees."""

    PERP = "perp"
    SPOT = "spot"
    OUTCOME = "outcome"


@dataclass(frozen=True, slots=True)
class Token:
    """A spot token. `index` is its number on the wire, not a position in any list.

    The balances of an outcome's side are kept in a token too, under the side's asset id; on the wire they have
    none.
    """

    name: str
    index: int
    sz_decimals: int
    wei_decimals: int
    full_name: str | None = None

    @property
    def is_outcome(self) -> bool:
        """Tell whether these are the balances of an outcome's side."""
        return self.index >= OUTCOME_IDS


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable coin under its wire name.

    `dex` is "" for the main perp dex, for spot and for outcomes. `index` is the universe index; `base` and
    `quote` are token indexes (a perp has only its collateral in `quote`). `delisted` tells how the coin
    starts; whether it is delisted now, the exchange's state knows. A `quiet` coin is one that no agent trades.
    `dual` is the other side of an outcome, whose book is merged with this one.
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
    only_isolated: bool = False
    margin_mode: str | None = None
    delisted: bool = False
    quiet: bool = False
    dual: str = ""

    @property
    def is_spot(self) -> bool:
        """Tell whether fills move token balances instead of a margin position (spot pairs and outcomes)."""
        return self.kind is not Kind.PERP

    @property
    def is_outcome(self) -> bool:
        """Tell whether this is one side of an outcome."""
        return self.kind is Kind.OUTCOME

    @property
    def px_decimals(self) -> int:
        """Most decimals a price may have (facts 4.3).

        That of an outcome is an assumption: five, so that the other side's price 1 - px is valid whenever px is.
        """
        match self.kind:
            case Kind.PERP:
                return _PERP_PX_DECIMALS - self.sz_decimals
            case Kind.SPOT:
                return _SPOT_PX_DECIMALS - self.sz_decimals
            case Kind.OUTCOME:
                return _OUTCOME_PX_DECIMALS
            case _:
                assert_never(self.kind)


@dataclass(frozen=True, slots=True)
class Dex:
    """A perp dex. The main one has the empty name. `collateral` is the index of the token that backs it."""

    name: str
    full_name: str
    deployer: str
    instruments: tuple[Instrument, ...]
    collateral: int = USDC


class Universe:
    """Everything listed, with lookups by wire name. Only outcomes come later, by `add`, and coins end.

    `unlisted` names spot pairs that have contexts but no place in the universe any more, each with its
    position among the contexts: from there on the contexts stand beside other pairs (facts 4.2).
    """

    def __init__(
        self,
        dexes: tuple[Dex, ...],
        spot: tuple[Instrument, ...],
        tokens: tuple[Token, ...],
        unlisted: tuple[tuple[int, str], ...] = (),
    ) -> None:
        self.dexes = dexes
        self.spot = spot
        self.tokens = tokens
        self.unlisted = unlisted
        self.by_coin = {i.coin: i for dex in dexes for i in dex.instruments} | {i.coin: i for i in spot}
        self.token_by_index = {t.index: t for t in tokens}
        self._dex_by_name = {dex.name: dex for dex in dexes}
        self._quoted = self._lively()

    def add(self, instrument: Instrument, token: Token) -> None:
        """List one side of an outcome with the token that its balances are kept in."""
        self.by_coin[instrument.coin] = instrument
        self.token_by_index[token.index] = token
        self._quoted = self._lively()

    def retire(self, coin: str) -> None:
        """Let agents leave a coin alone from now on."""
        self.by_coin[coin] = replace(self.get(coin), delisted=True)
        self._quoted = self._lively()

    def quoted(self) -> tuple[Instrument, ...]:
        """Return what agents trade, in the order of listing; the same object until that changes."""
        return self._quoted

    def _lively(self) -> tuple[Instrument, ...]:
        return tuple(i for i in self.by_coin.values() if not i.quiet and not i.delisted)

    def get(self, coin: str) -> Instrument:
        """Return the instrument of a wire name; raise UnknownCoinError."""
        try:
            return self.by_coin[coin]
        except KeyError:
            raise UnknownCoinError(coin) from None

    def dex(self, name: str) -> Dex | None:
        """Return the dex with this name ("" = main)."""
        return self._dex_by_name.get(name)

    def collateral(self, dex: str) -> int:
        """Return the token that backs a dex; raise KeyError for one that is not there."""
        return self._dex_by_name[dex].collateral

    def perps(self) -> tuple[Instrument, ...]:
        """All perpetuals, main dex first."""
        return tuple(i for dex in self.dexes for i in dex.instruments)
