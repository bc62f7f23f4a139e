"""Requests about what is listed."""

from __future__ import annotations

from .base import ForDex, Info


class Meta(ForDex, frozen=True):
    """The universe of a perp dex."""


class SpotMeta(Info, frozen=True):
    """The spot pairs and tokens."""


class PerpDexs(Info, frozen=True):
    """The perp dexes."""


class AllPerpMetas(Info, frozen=True):
    """The universes of all dexes."""


class MetaAndAssetCtxs(ForDex, frozen=True):
    """A universe with its contexts."""


class SpotMetaAndAssetCtxs(Info, frozen=True):
    """The spot pairs with their contexts."""


class MarginTable(Info, frozen=True):
    """A margin table by its number."""

    id: int


class PerpsAtOpenInterestCap(ForDex, frozen=True):
    """The coins of a dex whose open interest has reached its cap."""


class PerpDexStatus(ForDex, frozen=True):
    """How much was paid into a dex."""


class OutcomeMeta(Info, frozen=True):
    """The live outcomes and questions."""


class SettledOutcome(Info, frozen=True):
    """How an outcome ended."""

    outcome: int


ListingInfo = (
    Meta
    | SpotMeta
    | PerpDexs
    | AllPerpMetas
    | MetaAndAssetCtxs
    | SpotMetaAndAssetCtxs
    | MarginTable
    | PerpsAtOpenInterestCap
    | PerpDexStatus
    | OutcomeMeta
    | SettledOutcome
)
