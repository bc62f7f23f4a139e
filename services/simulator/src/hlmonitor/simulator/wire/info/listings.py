"""What is listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hlmonitor.simulator.core.accounts import ZERO
from hlmonitor.simulator.core.tiers import table_of
from hlmonitor.simulator.wire import listing
from hlmonitor.simulator.wire.outcomes import outcome_meta, settled_outcome
from hlmonitor.simulator.wire.requests import listings as asked
from hlmonitor.simulator.wire.rows import amount

from .topic import FailedAnswerError, Topic, dex_named

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


@TOPIC.answers_to(asked.MarginTable)
def _margin_table(request: asked.MarginTable, exchange: Exchange) -> object:
    tables = {table.id: table for table in map(table_of, exchange.state.universe.perps())}
    if request.id not in tables:
        raise FailedAnswerError(f"no margin table {request.id}")
    return listing.margin_table(tables[request.id])


@TOPIC.answers_to(asked.PerpsAtOpenInterestCap)
def _perps_at_cap(request: asked.PerpsAtOpenInterestCap, exchange: Exchange) -> object:
    return [i.coin for i in dex_named(exchange, request.dex).instruments if exchange.state.is_at_cap(i.coin)]


@TOPIC.answers_to(asked.PerpDexStatus)
def _perp_dex_status(request: asked.PerpDexStatus, exchange: Exchange) -> object:
    dex = dex_named(exchange, request.dex)
    return {"totalNetDeposit": amount(exchange.state.perp_deposits.get(dex.name, ZERO))}


@TOPIC.answers_to(asked.OutcomeMeta)
def _outcome_meta(_request: asked.OutcomeMeta, exchange: Exchange) -> object:
    return outcome_meta(exchange)


@TOPIC.answers_to(asked.SettledOutcome)
def _settled_outcome(request: asked.SettledOutcome, exchange: Exchange) -> object:
    return settled_outcome(exchange, request.outcome)
