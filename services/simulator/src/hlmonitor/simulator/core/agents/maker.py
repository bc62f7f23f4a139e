"""Market makers: two of them quote every coin around its fair price."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.orders import OrderRequest, Side, Tif
from hlmonitor.simulator.core.precision import round_px, round_sz

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hlmonitor.simulator.core.dice import Dice
    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.instruments import Instrument

_LEVELS: Final = 6
_STEP: Final = Decimal("0.0003")
_LEVEL_NTL: Final = (8_000, 60_000)


class MarketMaker:
    """Quotes one coin from several wallets."""

    def __init__(self, instrument: Instrument, addresses: Sequence[str], dice: Dice) -> None:
        self._instrument = instrument
        self.addresses = addresses
        self._dice = dice

    def quote(self, exchange: Exchange) -> None:
        """Renew the quotes."""
        fair = exchange.state.oracle[self._instrument.coin]
        for address in self.addresses:
            exchange.cancel_all(address)
        self._snipe(exchange, fair)
        for place, address in enumerate(self.addresses):
            exchange.place(address, *self._ladder(fair, place))

    def _snipe(self, exchange: Exchange, fair: Decimal) -> None:
        """Take what others left resting on the wrong side of the fair price."""
        for side, rounding in ((Side.BUY, ROUND_FLOOR), (Side.SELL, ROUND_CEILING)):
            best = exchange.state.books[self._instrument.coin].best_px(side.opposite)
            if best is not None and (fair - best) * side.sign > 0:
                px = round_px(self._instrument, fair, rounding)
                sz = self._size(fair)
                if sz * px >= exchange.state.config.min_order_ntl:
                    request = OrderRequest(self._instrument.coin, side, sz, px, Tif.IOC)
                    exchange.place(self.addresses[0], request)

    def _ladder(self, fair: Decimal, place: int) -> list[OrderRequest]:
        requests = []
        for level in range(_LEVELS):
            # The second wallet quotes half a step behind the first, so that their levels interleave.
            distance = _STEP * (1 + level) + _STEP * place / 2
            for side, rounding in ((Side.BUY, ROUND_FLOOR), (Side.SELL, ROUND_CEILING)):
                px = round_px(self._instrument, fair * (1 - distance * side.sign), rounding)
                requests.append(OrderRequest(self._instrument.coin, side, self._size(fair), px, Tif.ALO))
        return requests

    def _size(self, fair: Decimal) -> Decimal:
        return round_sz(self._instrument, self._dice.randint(*_LEVEL_NTL) / fair)


class Crowd:
    """Small takers without a plan: the noise that fills resting orders."""

    def __init__(self, addresses: Sequence[str], dice: Dice) -> None:
        self.addresses = addresses
        self._dice = dice

    def trade(self, exchange: Exchange, instruments: Sequence[Instrument]) -> None:
        """Let somebody take from one coin's book."""
        instrument = self._dice.choice(instruments)
        side = self._dice.choice((Side.BUY, Side.SELL))
        ntl = Decimal(min(int(900 * self._dice.paretovariate(1.1)), 40_000))
        sz = round_sz(instrument, ntl / exchange.state.oracle[instrument.coin])
        if sz * exchange.state.oracle[instrument.coin] >= exchange.state.config.min_order_ntl * 2:
            exchange.place(self._dice.choice(self.addresses), OrderRequest(instrument.coin, side, sz))
