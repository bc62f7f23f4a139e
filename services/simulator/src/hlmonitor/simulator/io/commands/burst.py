"""Many fills at once: more than a snapshot holds, or more than the venue lets anybody page back to."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta

from hlmonitor.simulator.core.orders import OrderRequest, Side
from hlmonitor.simulator.core.precision import round_px
from hlmonitor.simulator.wire.addresses import Address

from .base import MarketCommand
from .checks import check_amount, check_coin

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.instruments import Instrument

_MONEY: Final = Decimal(1_000_000_000)
_COUNTERPARTY: Final = "0x" + blake2b(b"counterparty of bursts", digest_size=20).hexdigest()
_SPARE: Final = 2
Many = Annotated[int, Meta(ge=1, le=2_000)]


class BurstBody(MarketCommand, frozen=True):
    """A wallet buys and sells by turns, each at market and in a transaction of its own, all in one block.

    Spot it only buys, as fees take a part of what it would sell again.
    A house wallet with money of its own stands on the other side where the book has nothing better. `sz` is
    by default twice the least order value. The wallet's money must suffice; its position ends where it was
    after an even number of orders.
    """

    address: Address
    coin: str
    orders: Many = 100
    sz: Decimal | None = None

    def check(self, exchange: Exchange) -> None:
        """Raise BadInputError for what the exchange could not even look at."""
        check_coin(exchange, self.coin)
        if self.sz is not None:
            check_amount("sz", self.sz)

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Trade; tells how many fills the wallet got."""
        address, instrument = self.address.lower(), exchange.state.universe.get(self.coin)
        exchange.state.ledger.name(address)
        _fund_counterparty(exchange, instrument)
        before = len(exchange.state.block.fills)
        for number in range(self.orders):
            self._trade(exchange, instrument, address, Side.SELL if number % 2 and not instrument.is_spot else Side.BUY)
        fills = exchange.state.block.fills[before:]
        return {"fills": sum(fill.address == address for fill in fills), "time": exchange.state.now_ms}

    def _trade(self, exchange: Exchange, instrument: Instrument, address: str, side: Side) -> None:
        mark = exchange.state.mark(self.coin)
        sz = self.sz or _usual_size(exchange, instrument, mark)
        offer = OrderRequest(self.coin, side.opposite, sz, round_px(instrument, mark))
        (resting,) = exchange.place(_COUNTERPARTY, offer)
        exchange.place(address, OrderRequest(self.coin, side, sz))
        exchange.cancel(_COUNTERPARTY, resting.oid)


def _usual_size(exchange: Exchange, instrument: Instrument, mark: Decimal) -> Decimal:
    least = exchange.state.config.min_order_ntl * _SPARE / mark
    return least.quantize(Decimal(1).scaleb(-instrument.sz_decimals), rounding=ROUND_UP)


def _fund_counterparty(exchange: Exchange, instrument: Instrument) -> None:
    account = exchange.state.account(_COUNTERPARTY)
    account.house = True
    if instrument.is_spot:
        for token in (instrument.base, instrument.quote):
            if account.balance(token).total < _MONEY / 2:
                exchange.deposit_token(_COUNTERPARTY, token, _MONEY)
    elif exchange.margin.value(account, instrument.dex) < _MONEY / 2:
        exchange.deposit(_COUNTERPARTY, _MONEY, instrument.dex)
