"""How much more of a perp an account may trade (facts 1.8, activeAssetData)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hlmonitor.simulator.core.accounts import MICRO, ZERO, Account
from hlmonitor.simulator.core.orders import Side
from hlmonitor.simulator.core.precision import round_sz

from .rows import amount

if TYPE_CHECKING:
    from decimal import Decimal

    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.instruments import Instrument


def active_asset_data(exchange: Exchange, address: str, instrument: Instrument) -> dict[str, object]:
    """Write leverage and room, to buy and to sell.

    The room is the free margin; against a position twice the position's margin comes on top, for closing frees it and
    as much may then be opened on the other side. Fees are not set aside. Both are assumptions.
    """
    account = exchange.state.accounts.get(address) or Account(address)
    mark, leverage = exchange.state.mark(instrument.coin), exchange.margin.leverage(account, instrument)
    rooms = [_room(exchange, account, instrument, side) for side in (Side.BUY, Side.SELL)]
    return {
        "user": address,
        "coin": instrument.coin,
        "leverage": _leverage(exchange, account, instrument),
        "maxTradeSzs": [amount(round_sz(instrument, room * leverage / mark)) for room in rooms],
        "availableToTrade": [amount(room.quantize(MICRO)) for room in rooms],
        "markPx": amount(mark),
    }


def _room(exchange: Exchange, account: Account, instrument: Instrument, side: Side) -> Decimal:
    free = max(exchange.margin.free(account, instrument.dex), ZERO)
    position = account.on(instrument.dex).positions.get(instrument.coin)
    if position is None or position.szi * side.sign > 0:
        return free
    mark = exchange.state.mark(instrument.coin)
    if position.raw_usd is not None:
        return free + 2 * max(position.raw_usd + position.szi * mark, ZERO)
    return free + 2 * abs(position.szi) * mark / exchange.margin.leverage(account, instrument)


def _leverage(exchange: Exchange, account: Account, instrument: Instrument) -> dict[str, object]:
    value = exchange.margin.leverage(account, instrument)
    if instrument.coin not in account.isolated:
        return {"type": "cross", "value": value}
    position = account.on(instrument.dex).positions.get(instrument.coin)
    cash = ZERO if position is None or position.raw_usd is None else position.raw_usd
    return {"type": "isolated", "value": value, "rawUsd": amount(cash)}
