"""Auto-deleveraging: the last resort, when a pool of margin is worth less than nothing.

Its positions are closed at the mark price of the block before against those who profit most from the other
side, ranked as on the venue by profit and leverage: (mark / entry) times (notional / account value).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from .events import LiquidationMark
from .orders import Side
from .precision import round_px
from .system_trades import SystemTrade, SystemTrades

if TYPE_CHECKING:
    from collections.abc import Callable

    from .accounts import Account
    from .margin import Margin, Pool
    from .state import ExchangeState

ADL_DIR: Final = "Auto-Deleveraging"
_SMALLEST: Final = Decimal("0.000001")


class Deleverager:
    """Closes pools against the best-ranked holders. `trim` is told of everyone whose position shrank."""

    def __init__(self, state: ExchangeState, margin: Margin, trim: Callable[[str, str], None]) -> None:
        self._state = state
        self._margin = margin
        self._trades = SystemTrades(state)
        self._trim = trim

    def close(self, pool: Pool, marks: dict[str, Decimal]) -> None:
        """Close all positions of a pool at these marks."""
        for coin in pool.positions():
            self._close(pool, coin, marks.get(coin) or self._state.mark(coin))

    def _close(self, pool: Pool, coin: str, px: Decimal) -> None:
        state, account = self._state, pool.account
        szi = account.on(pool.dex).szi(coin)
        left, side = abs(szi), Side.SELL if szi > 0 else Side.BUY
        px = round_px(state.universe.get(coin), px)
        mark = LiquidationMark(account.address, state.mark(coin))
        for winner in self.ranked(coin, side):
            sz = min(left, abs(winner.on(pool.dex).szi(coin)))
            self._trades.execute(SystemTrade(coin, px, sz, account.address, winner.address, side, ADL_DIR, mark))
            self._trim(winner.address, coin)
            left -= sz
            if not left:
                break

    def ranked(self, coin: str, side: Side) -> list[Account]:
        """Return the holders against whom an order of this side closes, the first to be deleveraged first."""
        holders = self._state.holders[coin].values()
        dex = self._state.universe.get(coin).dex
        found = [account for account in holders if account.on(dex).szi(coin) * side.sign > 0]
        return sorted(found, key=lambda account: (-self._rank(account, coin, dex), account.address))

    def _rank(self, account: Account, coin: str, dex: str) -> Decimal:
        position, mark = account.on(dex).positions[coin], self._state.mark(coin)
        size = abs(position.szi)
        entry = max(position.entry_ntl / size, _SMALLEST)
        profit = mark / entry if position.szi > 0 else entry / mark
        return profit * size * mark / max(self._margin.value(account, dex), _SMALLEST)
