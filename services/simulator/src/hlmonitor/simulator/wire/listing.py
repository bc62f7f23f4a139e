"""What is listed and what it costs: meta, contexts, mids and books."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hlmonitor.simulator.core.durations import DAY_MS
from hlmonitor.simulator.core.tiers import table_of

from .rows import amount

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.instruments import Dex, Instrument, Token
    from hlmonitor.simulator.core.tiers import MarginTable


def meta(exchange: Exchange, dex: Dex) -> dict[str, object]:
    """Write the universe of a perp dex. Delisted coins stay in place, marked."""
    tables = {table.id: table for table in map(table_of, dex.instruments)}
    return {
        "universe": [_asset_row(i, delisted=i.coin in exchange.state.delisted) for i in dex.instruments],
        "marginTables": [(number, margin_table(tables[number])) for number in sorted(tables)],
        "collateralToken": dex.collateral,
    }


def _asset_row(instrument: Instrument, *, delisted: bool) -> dict[str, object]:
    row: dict[str, object] = {
        "szDecimals": instrument.sz_decimals,
        "name": instrument.coin,
        "maxLeverage": instrument.max_leverage,
        "marginTableId": table_of(instrument).id,
    }
    if instrument.only_isolated:
        row["onlyIsolated"] = True
    if delisted:
        row["isDelisted"] = True
    if instrument.margin_mode is not None:
        row["marginMode"] = instrument.margin_mode
    return row


def margin_table(table: MarginTable) -> dict[str, object]:
    """Write the tiers of a margin table."""
    tiers = [{"lowerBound": amount(tier.lower_bound), "maxLeverage": tier.max_leverage} for tier in table.tiers]
    return {"description": table.description, "marginTiers": tiers}


def perp_dexs(exchange: Exchange) -> list[dict[str, object] | None]:
    """Write the list of dexes; the main one is null."""
    return [_dex_row(exchange, dex) if dex.name else None for dex in exchange.state.universe.dexes]


def _dex_row(exchange: Exchange, dex: Dex) -> dict[str, object]:
    caps = exchange.state.caps
    return {
        "name": dex.name,
        "fullName": dex.full_name,
        "deployer": dex.deployer,
        "oracleUpdater": None,
        "feeRecipient": dex.deployer,
        "assetToStreamingOiCap": [(i.coin, amount(caps[i.coin])) for i in dex.instruments if i.coin in caps],
        "subDeployers": [],
        "deployerFeeScale": "1.0",
        "lastDeployerFeeScaleChangeTime": "1970-01-01T00:00:00",
        "assetToFundingMultiplier": [],
    }


def spot_meta(exchange: Exchange) -> dict[str, object]:
    """Write the spot pairs and tokens."""
    universe = exchange.state.universe
    pairs = [
        {"tokens": (i.base, i.quote), "name": i.coin, "index": i.index, "isCanonical": i.canonical}
        for i in universe.spot
    ]
    return {"universe": pairs, "tokens": [_token_row(token) for token in universe.tokens]}


def _token_row(token: Token) -> dict[str, object]:
    return {
        "name": token.name,
        "szDecimals": token.sz_decimals,
        "weiDecimals": token.wei_decimals,
        "index": token.index,
        "tokenId": f"0x{token.index:032x}",
        "isCanonical": token.full_name is None,
        "evmContract": None,
        "fullName": token.full_name,
        "deployerTradingFeeShare": "0.0",
    }


def perp_contexts(exchange: Exchange, dex: Dex) -> list[dict[str, object]]:
    """Write the contexts of a dex' coins, in the order of its universe."""
    return [perp_context(exchange, i) for i in dex.instruments]


def perp_context(exchange: Exchange, instrument: Instrument) -> dict[str, object]:
    """Write the context of a perp."""
    state, coin = exchange.state, instrument.coin
    mid, premium = state.books[coin].mid(), exchange.funding.premium(coin)
    volume, notional = state.candles[coin].last_day(state.now_ms)
    impact_pxs = exchange.funding.impact_pxs(coin)
    return {
        "funding": amount(exchange.funding.rate(coin)),
        "openInterest": amount(state.open_interest[coin]),
        "prevDayPx": amount(_day_ago_px(exchange, instrument)),
        "dayNtlVlm": amount(notional),
        "premium": None if premium is None else amount(premium),
        "oraclePx": amount(state.oracle[coin]),
        "markPx": amount(state.mark(coin)),
        "midPx": None if mid is None else amount(mid),
        "impactPxs": None if impact_pxs is None else [amount(px) for px in impact_pxs],
        "dayBaseVlm": amount(volume),
    }


def _day_ago_px(exchange: Exchange, instrument: Instrument) -> Decimal:
    """Return the price of 24 hours ago, to the hour; before the first trade that at which the coin was listed."""
    px = exchange.state.candles[instrument.coin].close_before(exchange.state.now_ms - DAY_MS)
    return instrument.start_px if px is None else px


def spot_contexts(exchange: Exchange) -> list[dict[str, object]]:
    """Write the contexts of the spot pairs.

    As on the venue there are more of them than pairs, so positions do not match those of the universe:
    join by `coin`.
    """
    universe = exchange.state.universe
    rows = [spot_context(exchange, i) for i in universe.spot]
    for position, coin in universe.unlisted:
        rows.insert(position, _unlisted_context(coin))
    return rows


def _unlisted_context(coin: str) -> dict[str, object]:
    """Write the context of a pair that left the universe: nothing happens there."""
    return {
        "prevDayPx": "0.0",
        "dayNtlVlm": "0.0",
        "markPx": "0.0",
        "midPx": None,
        "circulatingSupply": "0.0",
        "coin": coin,
        "totalSupply": "0.0",
        "dayBaseVlm": "0.0",
    }


def spot_context(exchange: Exchange, instrument: Instrument) -> dict[str, object]:
    """Write the context of a spot pair."""
    state, coin = exchange.state, instrument.coin
    mid, (volume, notional) = state.books[coin].mid(), state.candles[coin].last_day(state.now_ms)
    return {
        "prevDayPx": amount(_day_ago_px(exchange, instrument)),
        "dayNtlVlm": amount(notional),
        "markPx": amount(state.mark(coin)),
        "midPx": None if mid is None else amount(mid),
        "circulatingSupply": "1000000000.0",
        "coin": coin,
        "totalSupply": "1000000000.0",
        "dayBaseVlm": amount(volume),
    }


def all_mids(exchange: Exchange, dex: Dex) -> dict[str, str]:
    """Write the mids of a dex; those of spot pairs and outcomes come with the main dex."""
    listed: Iterable[Instrument] = dex.instruments
    if not dex.name:
        sides = (exchange.outcomes.instrument(outcome, side) for outcome in exchange.outcomes.live for side in (0, 1))
        listed = (*dex.instruments, *exchange.state.universe.spot, *sides)
    mids = ((i.coin, exchange.state.books[i.coin].mid()) for i in listed)
    return {coin: amount(exchange.state.mark(coin) if mid is None else mid) for coin, mid in mids}
