"""What all whales can do; a style decides when."""

from __future__ import annotations

from abc import ABC, abstractmethod
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Final

from hlmonitor.simulator.core.accounts import ZERO
from hlmonitor.simulator.core.orders import OrderRequest, Side
from hlmonitor.simulator.core.precision import round_sz

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hlmonitor.simulator.core.dice import Dice
    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.instruments import Instrument
    from hlmonitor.simulator.core.orders import Order

_TAIL: Final = 1.3


class Whale(ABC):
    """One named wallet. `coins` are its favourites.

    It comes in with its first turn, so that a wallet that never acts costs next to nothing. All wallets draw
    from the same dice: their turns have one order.
    """

    __slots__ = ("_dice", "_entered", "address", "coins", "mean_pause_ms")

    style: ClassVar[str]
    eagerness: ClassVar[float] = 1.0
    """How often it acts, compared to a usual wallet."""
    own_pause_ms: ClassVar[int | None] = None
    """The usual pause of a style that keeps its own pace, whatever the others do."""
    stake: ClassVar[Decimal] = Decimal(5_000_000)
    usual_ntl: ClassVar[int] = 20_000
    most_ntl: ClassVar[int] = 250_000

    def __init__(self, address: str, coins: Sequence[str], dice: Dice) -> None:
        self.address = address
        self.coins = coins
        self._dice = dice
        self._entered = False
        self.mean_pause_ms = 0.0

    def enter(self, exchange: Exchange) -> None:
        """Bring money before the first trade."""
        for dex in self._dexes(exchange):
            exchange.deposit(self.address, self.stake, dex)

    def _dexes(self, exchange: Exchange) -> list[str]:
        """Return the dexes of its favourites, in their order."""
        return list(dict.fromkeys(exchange.state.universe.get(coin).dex for coin in self.coins))

    def act(self, exchange: Exchange, due_ms: int) -> int:
        """Take one turn; return when the next one is due."""
        if not self._entered:
            self._entered = True
            exchange.state.ledger.name(self.address)
            self.enter(exchange)
        self._refill(exchange)
        self._decide(exchange)
        return due_ms + self.pause_ms()

    def pause_ms(self) -> int:
        """Return how long until the next turn."""
        return 1 + int(self._dice.expovariate(1 / self.mean_pause_ms))

    @abstractmethod
    def _decide(self, exchange: Exchange) -> None:
        """Do what the style does in one turn."""

    def _refill(self, exchange: Exchange) -> None:
        account = exchange.state.account(self.address)
        for dex in self._dexes(exchange):
            if exchange.margin.value(account, dex) < self.stake / 4:
                exchange.deposit(self.address, self.stake, dex)

    def _coin(self) -> str:
        return self._dice.choice(self.coins)

    def _side(self) -> Side:
        return self._dice.choice((Side.BUY, Side.SELL))

    def _chance(self, percent: int) -> bool:
        return self._dice.randrange(100) < percent

    def _szi(self, exchange: Exchange, coin: str) -> Decimal:
        dex = exchange.state.universe.get(coin).dex
        return exchange.state.account(self.address).on(dex).szi(coin)

    def _held(self, exchange: Exchange) -> dict[str, Decimal]:
        """Return the favourites in which there is a position."""
        sizes = {coin: self._szi(exchange, coin) for coin in self.coins}
        return {coin: szi for coin, szi in sizes.items() if szi}

    def _size(self, exchange: Exchange, coin: str, times: int = 1) -> Decimal:
        """Return a heavy-tailed order size."""
        ntl = min(int(self.usual_ntl * times * self._dice.paretovariate(_TAIL)), self.most_ntl)
        return self._lots(exchange, coin, ntl / exchange.state.oracle[coin])

    @staticmethod
    def _lots(exchange: Exchange, coin: str, sz: Decimal) -> Decimal:
        return round_sz(exchange.state.universe.get(coin), sz)

    def _cloid(self) -> str | None:
        return f"0x{self._dice.getrandbits(128):032x}" if self._chance(50) else None

    def _market(
        self, exchange: Exchange, coin: str, side: Side, sz: Decimal, *, reduce_only: bool = False
    ) -> Order | None:
        if sz <= ZERO:
            return None
        request = OrderRequest(coin, side, sz, reduce_only=reduce_only, cloid=self._cloid())
        return exchange.place(self.address, request)[0]

    def _reduce(self, exchange: Exchange, coin: str, percent: int) -> None:
        """Close a part of the position at market; a last small rest goes with it."""
        szi = self._szi(exchange, coin)
        instrument: Instrument = exchange.state.universe.get(coin)
        part = round_sz(instrument, abs(szi) * percent / 100)
        if part * exchange.state.oracle[coin] < exchange.state.config.min_order_ntl:
            part = abs(szi)
        side = Side.SELL if szi > 0 else Side.BUY
        self._market(exchange, coin, side, part, reduce_only=self._chance(70))
