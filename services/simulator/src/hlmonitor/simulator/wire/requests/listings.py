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


ListingInfo = Meta | SpotMeta | PerpDexs | AllPerpMetas | MetaAndAssetCtxs | SpotMetaAndAssetCtxs
