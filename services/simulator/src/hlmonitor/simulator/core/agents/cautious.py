"""A wallet that protects what it opens: stops and profits under an entry or of a position, and entries on a stop."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Final

from hlmonitor.simulator.core.orders import Grouping, OrderRequest, Side, Tpsl, Trigger
from hlmonitor.simulator.core.precision import round_px

from .whale import Whale

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange

_NEAR: Final = (3, 25)
_BASIS: Final = 10_000


class Cautious(Whale):
    """Never without a way out. Its stops are near, so that the market's usual moves reach them."""

    __slots__ = ()

    style = "cautious"
    usual_ntl = 12_000
    most_waiting: ClassVar[int] = 6

    def _decide(self, exchange: Exchange) -> None:
        account = exchange.state.account(self.address)
        waiting = list(account.waiting.values())
        held = self._held(exchange)
        if len(waiting) >= self.most_waiting or (waiting and self._chance(5)):
            exchange.cancel(self.address, waiting[0].oid)
        elif held and not waiting:
            self._guard(exchange, self._dice.choice(list(held)))
        elif held:
            if self._chance(10):
                self._reduce(exchange, self._dice.choice(list(held)), 100)
        elif self._chance(25):
            self._enter_on_stop(exchange)
        elif self._chance(50):
            self._enter_guarded(exchange)
        else:
            coin = self._coin()
            self._market(exchange, coin, self._side(), self._size(exchange, coin))

    def _enter_guarded(self, exchange: Exchange) -> None:
        """Open a position with a profit and a stop that become active with the fill."""
        coin, side = self._coin(), self._side()
        sz = self._size(exchange, coin)
        if sz:
            entry = OrderRequest(coin, side, sz, cloid=self._cloid())
            exchange.place(self.address, entry, *self._guards(exchange, coin, side, sz), grouping=Grouping.NORMAL)

    def _guard(self, exchange: Exchange, coin: str) -> None:
        """Protect a whole position, whatever size it will have by then."""
        side = Side.BUY if self._szi(exchange, coin) > 0 else Side.SELL
        guards = self._guards(exchange, coin, side, Decimal(0))
        exchange.place(self.address, *guards, grouping=Grouping.POSITION)

    def _guards(self, exchange: Exchange, coin: str, side: Side, sz: Decimal) -> list[OrderRequest]:
        return [
            OrderRequest(
                coin,
                side.opposite,
                sz,
                reduce_only=True,
                trigger=Trigger(self._away(exchange, coin, side if tpsl is Tpsl.TAKE_PROFIT else side.opposite), tpsl),
            )
            for tpsl in Tpsl
        ]

    def _enter_on_stop(self, exchange: Exchange) -> None:
        """Wait for the price to run, then follow it at a limit."""
        coin, side = self._coin(), self._side()
        sz, px = self._size(exchange, coin), self._away(exchange, coin, side)
        if sz:
            limit = round_px(exchange.state.universe.get(coin), px * (1 + side.sign * Decimal("0.001")))
            trigger = Trigger(px, Tpsl.STOP_LOSS, is_market=False)
            exchange.place(self.address, OrderRequest(coin, side, sz, limit, trigger=trigger))

    def _away(self, exchange: Exchange, coin: str, side: Side) -> Decimal:
        """Return a price a little above (for a buy) or below the mark price."""
        distance = Decimal(self._dice.randint(*_NEAR)) / _BASIS * side.sign
        return round_px(exchange.state.universe.get(coin), exchange.state.mark(coin) * (1 + distance))
