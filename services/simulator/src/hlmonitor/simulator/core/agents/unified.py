"""Wallets whose collateral lies in the spot balance, whatever they trade with it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Final

from hlmonitor.simulator.core.accounts import Abstraction
from hlmonitor.simulator.core.instruments import USDC
from hlmonitor.simulator.core.lending import LendingOperation
from hlmonitor.simulator.core.orders import Side

from .styles import SpotTrader

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange

_LENT: Final = Decimal(200_000)
_BORROWED: Final = Decimal(50_000)


class UnifiedTrader(SpotTrader):
    """Trades perps of two dexes and spot pairs out of one balance."""

    __slots__ = ()

    style = "unified"
    abstraction: ClassVar[Abstraction] = Abstraction.UNIFIED

    def enter(self, exchange: Exchange) -> None:
        """Say where collateral is kept, and bring it there."""
        exchange.unifier.set(self.address, self.abstraction)
        exchange.deposit_token(self.address, USDC, self.stake)

    def _decide(self, exchange: Exchange) -> None:
        coin = self._coin()
        if exchange.state.universe.get(coin).is_spot:
            self._trade_pair(exchange, coin)
            return
        szi = self._szi(exchange, coin)
        if szi and self._chance(55):
            self._reduce(exchange, coin, self._dice.choice((40, 100)))
            return
        side = Side.SELL if szi > 0 else Side.BUY if szi < 0 else self._side()
        self._market(exchange, coin, side, abs(szi) + self._size(exchange, coin))


class PortfolioTrader(UnifiedTrader):
    """Also lends, and borrows against what it lent."""

    __slots__ = ()

    style = "portfolio"
    abstraction = Abstraction.PORTFOLIO

    def _decide(self, exchange: Exchange) -> None:
        if self._chance(15):
            self._lend(exchange)
        else:
            super()._decide(exchange)

    def _lend(self, exchange: Exchange) -> None:
        """Take the next step of lending, borrowing, repaying and taking back."""
        lending, address = exchange.lending, self.address
        supplied, owed = lending.supplied(address, USDC), lending.borrowed(address, USDC)
        if not supplied:
            lending.act(address, USDC, LendingOperation.SUPPLY, _LENT)
        elif owed:
            lending.act(address, USDC, LendingOperation.REPAY, owed)
        elif self._chance(50):
            lending.act(address, USDC, LendingOperation.BORROW, _BORROWED)
        else:
            lending.act(address, USDC, LendingOperation.WITHDRAW, supplied)
