"""The ways in which whales trade. Together they produce every kind of order that a monitor must handle."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, ClassVar, Final

from hlmonitor.simulator.core.instruments import USDC
from hlmonitor.simulator.core.orders import OrderRequest, Side, Tif
from hlmonitor.simulator.core.precision import round_px
from hlmonitor.simulator.core.twap import TwapRequest

from .whale import Whale

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.orders import Order

PERPS: Final = ("BTC", "ETH", "SOL", "HYPE", "DOGE", "XRP", "AVAX", "kPEPE")
LEVERAGED: Final = ("BTC", "ETH", "SOL", "XRP")
SPOT: Final = ("PURR/USDC", "@1", "@107", "@142", "@151", "@156")
HIP3: Final = ("xyz:CL", "xyz:NVDA", "xyz:TSLA", "xyz:GOLD")
OTHER_COLLATERAL: Final = ("flx:TSLA", "hyna:BTC")


class Scalper(Whale):
    """In and out of one coin after the other."""

    __slots__ = ()

    style = "scalper"

    def _decide(self, exchange: Exchange) -> None:
        held = self._held(exchange)
        if held and self._chance(75):
            self._reduce(exchange, self._dice.choice(list(held)), 100)
            return
        coin = self._coin()
        self._market(exchange, coin, self._side(), self._size(exchange, coin))


class SwingTrader(Whale):
    """Builds a large position with sweeps and leaves it in parts."""

    __slots__ = ()

    style = "swing"
    most_ntl = 400_000

    def _decide(self, exchange: Exchange) -> None:
        held = self._held(exchange)
        if held and self._chance(65):
            self._reduce(exchange, self._dice.choice(list(held)), self._dice.choice((30, 50, 100)))
            return
        coin = self._dice.choice(list(held)) if held and self._chance(50) else self._coin()
        szi = self._szi(exchange, coin)
        side = self._side() if not szi else Side.BUY if szi > 0 else Side.SELL
        self._market(exchange, coin, side, self._size(exchange, coin, times=4))


class Flipper(Whale):
    """Always in the market, turning from long to short in one order."""

    __slots__ = ()

    style = "flipper"

    def _decide(self, exchange: Exchange) -> None:
        coin = self._coin()
        szi = self._szi(exchange, coin)
        side = Side.SELL if szi > 0 else Side.BUY if szi < 0 else self._side()
        self._market(exchange, coin, side, abs(szi) + self._size(exchange, coin))


class Hip3Trader(Whale):
    """Trades the builder dex: opens, flips and closes."""

    __slots__ = ()

    style = "hip3"

    def _decide(self, exchange: Exchange) -> None:
        coin = self._coin()
        szi = self._szi(exchange, coin)
        if szi and self._chance(50):
            self._reduce(exchange, coin, self._dice.choice((40, 100)))
            return
        side = Side.SELL if szi > 0 else Side.BUY
        self._market(exchange, coin, side, abs(szi) + self._size(exchange, coin))


class CollateralTrader(Hip3Trader):
    """Trades the builder dexes that are not backed by USDC, with collateral of each."""

    __slots__ = ()

    style = "collateral"


class SpotTrader(Whale):
    """Buys tokens and sells parts of them; fees come out of what it receives."""

    __slots__ = ()

    style = "spot"

    def enter(self, exchange: Exchange) -> None:
        """Bring quote tokens."""
        exchange.deposit_token(self.address, USDC, self.stake)

    def _refill(self, exchange: Exchange) -> None:
        if exchange.state.account(self.address).balance(USDC).total < self.stake / 4:
            exchange.deposit_token(self.address, USDC, self.stake)

    def _decide(self, exchange: Exchange) -> None:
        self._trade_pair(exchange, self._coin())

    def _trade_pair(self, exchange: Exchange, coin: str) -> None:
        instrument = exchange.state.universe.get(coin)
        account = exchange.state.account(self.address)
        owned = self._lots(exchange, coin, account.balance(instrument.base).total)
        worth = owned * exchange.state.oracle[coin]
        if worth > exchange.state.config.min_order_ntl * 2 and self._chance(50):
            part = self._lots(exchange, coin, owned * self._dice.choice((50, 100)) / 100)
            self._market(exchange, coin, Side.SELL, part)
        else:
            self._market(exchange, coin, Side.BUY, self._size(exchange, coin))


class TwapUser(Whale):
    """Trades by TWAP, and sometimes stops one before its end."""

    __slots__ = ()

    style = "twap"
    slice_ms: ClassVar[int] = 1_000

    def _decide(self, exchange: Exchange) -> None:
        active = [t for t in exchange.twaps.active.values() if t.address == self.address]
        if active:
            if self._chance(20):
                exchange.twaps.terminate(active[0].twap_id)
            return
        coin = self._coin()
        szi = self._szi(exchange, coin)
        side = Side.SELL if szi > 0 else Side.BUY if szi < 0 else self._side()
        slices = self._dice.randint(3, 7)
        sz = abs(szi) if szi and self._chance(40) else abs(szi) + self._size(exchange, coin, times=3)
        request = TwapRequest(coin, side, sz, slices * self.slice_ms, slice_ms=self.slice_ms)
        exchange.start_twap(self.address, request)


class Gambler(Whale):
    """Bets everything at most leverage, is liquidated, and comes back with new money."""

    __slots__ = ()

    style = "gambler"
    stake = Decimal(12_000)

    def _refill(self, exchange: Exchange) -> None:
        account = exchange.state.account(self.address)
        if not self._held(exchange):
            missing = (self.stake - exchange.margin.value(account, "")).quantize(Decimal(1))
            if missing > self.stake / 2:
                exchange.deposit(self.address, missing)

    def _decide(self, exchange: Exchange) -> None:
        held = self._held(exchange)
        if held:
            if self._chance(10):
                self._reduce(exchange, next(iter(held)), 100)
            return
        coin = self._coin()
        instrument = exchange.state.universe.get(coin)
        exchange.set_leverage(self.address, coin, instrument.max_leverage)
        value = exchange.margin.value(exchange.state.account(self.address), "")
        worth = value * instrument.max_leverage * 9 / 10
        sz = self._lots(exchange, coin, worth / exchange.state.oracle[coin])
        self._market(exchange, coin, self._side(), sz)


class Patient(Whale):
    """Rests limit orders inside the spread, moves them, and cancels some that filled in part."""

    __slots__ = ()

    style = "patient"
    usual_ntl = 9_000
    most_open: ClassVar[int] = 4

    def _decide(self, exchange: Exchange) -> None:
        mine = list(exchange.state.account(self.address).open_orders.values())
        partial = [order for order in mine if order.filled]
        if partial and self._chance(60):
            exchange.cancel(self.address, partial[0].oid)
        elif mine and self._chance(15):
            self._move(exchange, mine[0])
        elif len(mine) >= self.most_open:
            exchange.cancel(self.address, mine[0].oid)
        self._rest(exchange)

    def _rest(self, exchange: Exchange) -> None:
        coin, side = self._coin(), self._side()
        px = self._px(exchange, coin, side)
        sz = self._size(exchange, coin)
        if sz:
            request = OrderRequest(coin, side, sz, px, Tif.GTC, cloid=self._cloid())
            exchange.place(self.address, request)

    def _move(self, exchange: Exchange, order: Order) -> None:
        px = self._px(exchange, order.coin, order.side)
        sz = self._size(exchange, order.coin)
        if sz:
            request = OrderRequest(order.coin, order.side, sz, px, Tif.GTC, cloid=order.cloid)
            exchange.modify(self.address, order.oid, request)

    def _px(self, exchange: Exchange, coin: str, side: Side) -> Decimal:
        """Return a price between the best quote of this side and the fair price."""
        fair = exchange.state.oracle[coin]
        best = exchange.state.books[coin].best_px(side) or fair
        near = best + (fair - best) * self._dice.randint(0, 9) / 10
        return round_px(exchange.state.universe.get(coin), near, ROUND_DOWN)
