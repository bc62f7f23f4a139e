"""What is listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hlmonitor.simulator.wire import listing
from hlmonitor.simulator.wire.requests import listings as asked

from .topic import Topic, dex_named

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange

TOPIC = Topic()


@TOPIC.answers_to(asked.Meta)
def _meta(request: asked.Meta, exchange: Exchange) -> object:
    return listing.meta(exchange, dex_named(exchange, request.dex))


@TOPIC.answers_to(asked.SpotMeta)
def _spot_meta(_request: asked.SpotMeta, exchange: Exchange) -> object:
    return listing.spot_meta(exchange)


@TOPIC.answers_to(asked.PerpDexs)
def _perp_dexs(_request: asked.PerpDexs, exchange: Exchange) -> object:
    return listing.perp_dexs(exchange)


@TOPIC.answers_to(asked.AllPerpMetas)
def _all_perp_metas(_request: asked.AllPerpMetas, exchange: Exchange) -> object:
    return [listing.meta(exchange, dex) for dex in exchange.state.universe.dexes]


@TOPIC.answers_to(asked.MetaAndAssetCtxs)
def _meta_and_contexts(request: asked.MetaAndAssetCtxs, exchange: Exchange) -> object:
    dex = dex_named(exchange, request.dex)
    return listing.meta(exchange, dex), listing.perp_contexts(exchange, dex)


@TOPIC.answers_to(asked.SpotMetaAndAssetCtxs)
def _spot_meta_and_contexts(_request: asked.SpotMetaAndAssetCtxs, exchange: Exchange) -> object:
    return listing.spot_meta(exchange), listing.spot_contexts(exchange)
