"""Account states: perp margin per dex and spot balances (facts 1.8). Closed positions are left out."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.accounts import ZERO, Account, Position

from .rows import amount

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange

_CENT_OF_CENT: Final = Decimal("0.0001")
_MICRO: Final = Decimal("0.000001")


def clearinghouse_state(exchange: Exchange, address: str, dex: str) -> dict[str, object]:
    """Write the perp account of an address on a dex; that of an unknown address is empty."""
    account = exchange.state.accounts.get(address) or Account(address)
    margin = exchange.margin
    value, used = margin.value(account, dex), margin.used(account, dex)
    summary = {
        "accountValue": amount(value.quantize(_MICRO)),
        "totalNtlPos": amount(margin.notional(account, dex).quantize(_MICRO)),
        "totalRawUsd": amount(account.on(dex).raw_usd),
        "totalMarginUsed": amount(used.quantize(_MICRO)),
    }
    return {
        "marginSummary": summary,
        "crossMarginSummary": summary,
        "crossMaintenanceMarginUsed": amount(margin.maintenance(account, dex).quantize(_MICRO)),
        "withdrawable": amount(max(value - used, ZERO).quantize(_MICRO)),
        "assetPositions": [
            {"type": "oneWay", "position": _position(exchange, account, coin, position)}
            for coin, position in account.on(dex).positions.items()
        ],
        "time": exchange.state.now_ms,
    }


def _position(exchange: Exchange, account: Account, coin: str, position: Position) -> dict[str, object]:
    instrument = exchange.state.universe.get(coin)
    leverage = exchange.margin.leverage(account, instrument)
    size, mark = abs(position.szi), exchange.state.mark(coin)
    pnl = position.szi * mark - position.entry_ntl.copy_sign(position.szi)
    margin = size * mark / leverage
    return {
        "coin": coin,
        "szi": amount(position.szi),
        "leverage": {"type": "cross", "value": leverage},
        "entryPx": amount((position.entry_ntl / size).quantize(_MICRO)),
        "positionValue": amount(size * mark),
        "unrealizedPnl": amount(pnl.quantize(_MICRO)),
        "returnOnEquity": amount((pnl * leverage / position.entry_ntl).quantize(_CENT_OF_CENT)),
        "liquidationPx": _liquidation_px(exchange, account, coin, position),
        "marginUsed": amount(margin.quantize(_MICRO)),
        "maxLeverage": instrument.max_leverage,
        "cumFunding": {"allTime": "0.0", "sinceOpen": "0.0", "sinceChange": "0.0"},
    }


def _liquidation_px(exchange: Exchange, account: Account, coin: str, position: Position) -> str | None:
    """Return the mark at which the account falls under maintenance, other marks unchanged."""
    instrument, margin = exchange.state.universe.get(coin), exchange.margin
    spare = margin.value(account, instrument.dex) - margin.maintenance(account, instrument.dex)
    rate = 1 / Decimal(2 * instrument.max_leverage)
    side = 1 if position.szi > 0 else -1
    px = exchange.state.mark(coin) - side * spare / abs(position.szi) / (1 - rate * side)
    return amount(px.quantize(_MICRO)) if px > 0 else None


def all_dexs_states(exchange: Exchange, address: str) -> list[tuple[str, dict[str, object]]]:
    """Write the states on every dex as [name, state] pairs, the main dex first."""
    return [(dex.name, clearinghouse_state(exchange, address, dex.name)) for dex in exchange.state.universe.dexes]


def spot_state(exchange: Exchange, address: str) -> dict[str, object]:
    """Write the spot balances of an address; tokens that it does not own are left out."""
    account = exchange.state.accounts.get(address) or Account(address)
    tokens = exchange.state.universe.token_by_index
    balances = [
        {
            "coin": tokens[token].name,
            "token": token,
            "total": amount(balance.total),
            "hold": amount(exchange.margin.hold(account, token)),
            "entryNtl": amount(balance.entry_ntl),
        }
        for token, balance in account.spot.items()
        if balance.total
    ]
    return {"balances": balances, "evmEscrows": []}
