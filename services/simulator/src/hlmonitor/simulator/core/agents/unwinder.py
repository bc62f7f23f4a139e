"""The liquidator vault's trader: sells, a little at a time, what the vault had to take over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.liquidation import LIQUIDATOR
from hlmonitor.simulator.core.orders import OrderRequest, Side
from hlmonitor.simulator.core.precision import round_sz

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange

UNWIND_MS: Final = 3_000
"""How long the vault waits between two looks at what it holds."""

_MOST_NTL: Final = 25_000


def unwind(exchange: Exchange, _due_ms: int) -> int:
    """Reduce every position of the vault by a market order; a turn of the population's agenda."""
    state = exchange.state
    for margin in list(state.account(LIQUIDATOR).margin.values()):
        for coin, position in list(margin.positions.items()):
            instrument, held = state.universe.get(coin), abs(position.szi)
            sz = min(held, round_sz(instrument, _MOST_NTL / state.mark(coin)) or held)
            side = Side.SELL if position.szi > 0 else Side.BUY
            exchange.place(LIQUIDATOR, OrderRequest(coin, side, sz, reduce_only=True))
    return state.now_ms + UNWIND_MS
