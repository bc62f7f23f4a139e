"""A gambler who bets a part of its money at a time, on isolated margin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hlmonitor.simulator.core.errors import RefusedError

from .styles import Gambler

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange


class IsolatedGambler(Gambler):
    """Loses a bet, not the account: each position has margin of its own, to which it may add a little."""

    __slots__ = ()

    style = "isolated"

    def _decide(self, exchange: Exchange) -> None:
        held = self._held(exchange)
        if held and self._chance(30):
            self._add(exchange, next(iter(held)))
        elif held and self._chance(15):
            self._reduce(exchange, self._dice.choice(list(held)), self._dice.choice((40, 100)))
        coin = self._coin()
        if coin in held:
            return
        most = exchange.state.universe.get(coin).max_leverage
        exchange.set_leverage(self.address, coin, most, isolated=True)
        value = exchange.margin.value(exchange.state.account(self.address), "")
        stake = value * self._dice.randint(10, 40) / 100
        sz = self._lots(exchange, coin, stake * most / exchange.state.oracle[coin])
        self._market(exchange, coin, self._side(), sz)

    def _add(self, exchange: Exchange, coin: str) -> None:
        """Add margin to a position, or see the exchange refuse it."""
        try:
            exchange.add_isolated_margin(self.address, coin, self.stake / 100)
        except RefusedError:
            self._reduce(exchange, coin, 100)
