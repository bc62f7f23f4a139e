"""The two ends of activity: a wallet that never rests, and one that nearly always does."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, ClassVar, Final

from hlmonitor.simulator.core.orders import OrderRequest, Side, Tif
from hlmonitor.simulator.core.precision import round_px

from .whale import Whale

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange

_NEAR: Final = (2, 40)
_BASIS: Final = 10_000


class Quoter(Whale):
    """A market maker with thousands of order updates a minute: it always moves its oldest quotes.

    One such wallet was seen to get 1,471 order updates within a minute on the venue (facts, 6).
    """

    __slots__ = ()

    style = "maker"
    stake = Decimal(20_000_000)
    usual_ntl = 4_000
    most_ntl = 30_000
    own_pause_ms = 250
    moved: ClassVar[int] = 2
    kept: ClassVar[int] = 12
    most_held_ntl: ClassVar[int] = 150_000

    def _decide(self, exchange: Exchange) -> None:
        coin = self._coin()
        mine = [o for o in exchange.state.account(self.address).open_orders.values() if o.coin == coin]
        if len(mine) >= self.kept:
            oldest = mine[: len(mine) - self.kept + 2 * self.moved]
            exchange.cancel(self.address, *(order.oid for order in oldest))
        held = self._szi(exchange, coin) * exchange.state.oracle[coin]
        if abs(held) > self.most_held_ntl:
            self._reduce(exchange, coin, 50)
        # The side that would add to a large position is not quoted.
        sides = [side for side in Side if held * side.sign < self.most_held_ntl / 2]
        quotes = [self._quote(exchange, coin, side) for side in sides for _ in range(self.moved)]
        exchange.place(self.address, *(quote for quote in quotes if quote.sz))

    def _quote(self, exchange: Exchange, coin: str, side: Side) -> OrderRequest:
        fair, instrument = exchange.state.oracle[coin], exchange.state.universe.get(coin)
        px = fair * (1 - Decimal(self._dice.randint(*_NEAR)) / _BASIS * side.sign)
        return OrderRequest(coin, side, self._size(exchange, coin), round_px(instrument, px, ROUND_DOWN), Tif.ALO)


class Dormant(Whale):
    """Buys once, then does nothing for hours but change its position a little now and then."""

    __slots__ = ()

    style = "dormant"
    eagerness = 0.003
    usual_ntl = 6_000

    def _decide(self, exchange: Exchange) -> None:
        held = self._held(exchange)
        if held and self._chance(50):
            self._reduce(exchange, next(iter(held)), self._dice.choice((10, 25, 100)))
            return
        coin = next(iter(held), None) or self._coin()
        self._market(exchange, coin, Side.BUY, self._size(exchange, coin))
