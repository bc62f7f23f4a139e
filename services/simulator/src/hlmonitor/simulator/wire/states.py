"""Account states: perp margin per dex (facts 1.8). Closed positions are left out."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.accounts import MICRO, ZERO, Account, Position
from hlmonitor.simulator.core.margin import Pool
from hlmonitor.simulator.core.tiers import table_of

from .rows import amount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.instruments import Instrument
    from hlmonitor.simulator.core.margin import Margin

_FINE: Final = Decimal("0.0000000001")
"""How exactly the venue writes what it divides."""


def clearinghouse_state(exchange: Exchange, address: str, dex: str) -> dict[str, object]:
    """Write the perp account of an address on a dex; that of an unknown address is empty."""
    account = exchange.state.accounts.get(address) or Account(address)
    margin, cross = exchange.margin, Pool(account, dex)
    pools = [cross, *(pool for pool in margin.pools(account, dex) if pool.coin is not None)]
    return {
        "marginSummary": _summary(margin, pools),
        "crossMarginSummary": _summary(margin, [cross]),
        "crossMaintenanceMarginUsed": _usd(margin.pool_maintenance(cross)),
        "withdrawable": _usd(margin.transferable(cross)),
        "assetPositions": [
            {"type": "oneWay", "position": _position(exchange, account, exchange.state.universe.get(coin), position)}
            for coin, position in account.on(dex).positions.items()
        ],
        "time": exchange.state.now_ms,
    }


def _usd(value: Decimal) -> str:
    return amount(value.quantize(MICRO))


def _summary(margin: Margin, pools: Sequence[Pool]) -> dict[str, str]:
    """Add up pools. An isolated position uses all that it is worth."""
    values = [margin.pool_value(pool) for pool in pools]
    used = [margin.initial(pool) if pool.coin is None else margin.pool_value(pool) for pool in pools]
    return {
        "accountValue": _usd(sum(values, ZERO)),
        "totalNtlPos": _usd(sum(map(margin.notional, pools), ZERO)),
        "totalRawUsd": amount(sum((pool.cash for pool in pools), ZERO)),
        "totalMarginUsed": _usd(sum(used, ZERO)),
    }


def _position(exchange: Exchange, account: Account, instrument: Instrument, position: Position) -> dict[str, object]:
    coin, leverage = instrument.coin, exchange.margin.leverage(account, instrument)
    size, mark = abs(position.szi), exchange.state.mark(instrument.coin)
    pnl = position.szi * mark - position.entry_ntl.copy_sign(position.szi)
    used, shown = size * mark / leverage, {"type": "cross", "value": leverage}
    if position.raw_usd is not None:
        used = position.raw_usd + position.szi * mark
        shown = {"type": "isolated", "value": leverage, "rawUsd": amount(position.raw_usd)}
    return {
        "coin": coin,
        "szi": amount(position.szi),
        "leverage": shown,
        "entryPx": _usd(position.entry_ntl / size),
        "positionValue": amount(size * mark),
        "unrealizedPnl": _usd(pnl),
        "returnOnEquity": amount((pnl * leverage / position.entry_ntl).quantize(_FINE)),
        "liquidationPx": _liquidation_px(exchange, account, instrument, position),
        "marginUsed": _usd(used),
        "maxLeverage": instrument.max_leverage,
        "cumFunding": {
            "allTime": amount(account.on(instrument.dex).funding.get(coin, ZERO)),
            "sinceOpen": amount(position.funding_since_open),
            "sinceChange": amount(position.funding_since_change),
        },
    }


def _liquidation_px(exchange: Exchange, account: Account, instrument: Instrument, position: Position) -> str | None:
    """Return the mark at which the position's pool falls under maintenance, other marks unchanged.

    A unified account's spot balance of the collateral comes to the cross pool's help first.
    """
    pool = Pool(account, instrument.dex, None if position.raw_usd is None else instrument.coin)
    spare = exchange.margin.pool_value(pool) - exchange.margin.pool_maintenance(pool)
    if account.is_unified and pool.coin is None:
        token = exchange.state.universe.collateral(instrument.dex)
        if token in account.spot:
            spare += max(account.spot[token].total - exchange.margin.hold(account, token), ZERO)
    size, mark = abs(position.szi), exchange.state.mark(instrument.coin)
    rate = table_of(instrument).rate(size * mark)
    side = 1 if position.szi > 0 else -1
    px = mark - side * spare / size / (1 - rate * side)
    return amount(px.quantize(_FINE)) if px > 0 else None


def all_dexs_states(exchange: Exchange, address: str) -> list[tuple[str, dict[str, object]]]:
    """Write the states on every dex as [name, state] pairs, the main dex first."""
    return [(dex.name, clearinghouse_state(exchange, address, dex.name)) for dex in exchange.state.universe.dexes]
