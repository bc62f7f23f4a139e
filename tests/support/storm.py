"""Random wallets that do everything a wallet can do, on an exchange without agents.

Unlike the population it has no plan and little money, so that rare things happen all the time: rejections,
self-trades, isolated flips, liquidations by book, by vault and by deleveraging, hours of funding.
"""

from __future__ import annotations

import random
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.errors import RefusedError
from hlmonitor.simulator.core.exchange import Exchange
from hlmonitor.simulator.core.invariants import Invariants
from hlmonitor.simulator.core.ledger import Ledger
from hlmonitor.simulator.core.listings import default_universe
from hlmonitor.simulator.core.orders import Grouping, OrderRequest, Side, Tif, Tpsl, Trigger
from hlmonitor.simulator.core.precision import round_px, round_sz
from hlmonitor.simulator.core.state import ExchangeConfig
from hlmonitor.simulator.core.twap import TwapRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from hlmonitor.simulator.core.events import Block
    from hlmonitor.simulator.core.instruments import Instrument

COINS: Final = ("BTC", "ETH", "DOGE", "PURR", "xyz:CL", "flx:XMR", "hyna:BTC", "@142", "PURR/USDC")
GENESIS_MS: Final = 1_700_000_000_000
BLOCK_MS: Final = 100
_WALLETS: Final = 16
_MAKER: Final = f"0x{0xFA:040x}"
_PER_BLOCK: Final = 10
_STAKE: Final = Decimal(20_000)
_TOKENS: Final = {0: 200_000, 1: 300_000, 197: 2}
_PERCENT: Final = Decimal("0.01")


class Storm:
    """One storm for each seed. `rounds` of it make blocks whose invariants are checked."""

    def __init__(self, seed: int, *, full_every: int = 100) -> None:
        self.ledger = Ledger()
        self.exchange = Exchange(default_universe(), ExchangeConfig(), self.ledger, GENESIS_MS)
        self.seen: set[str] = set()
        self._dice = random.Random(seed)
        self._wallets = [f"0x{number:040x}" for number in range(1, _WALLETS + 1)]
        self._now_ms = GENESIS_MS
        self._fair = {coin: self.exchange.state.oracle[coin] for coin in COINS}
        self._invariants = Invariants(self.exchange, full_every=full_every)
        self._acts: list[Callable[[str], object]] = [
            *[self._place] * 10,
            *[self._stop] * 2,
            self._cancel,
            self._modify,
            self._twap,
            self._leverage,
            self._shift,
            self._move_money,
        ]
        self._block(self._enter)

    def run(self, orders: int) -> None:
        """Go on until that many more orders were sent; raise BrokenInvariantError."""
        goal = self.ledger.orders_total + orders
        while self.ledger.orders_total < goal:
            self._block(self._round)
        self._invariants.check_all()

    def _block(self, action: Callable[[], None]) -> None:
        # Now and then an hour passes at once, so that funding is paid.
        self._now_ms += 3_600_000 if self._dice.randrange(40) == 0 else BLOCK_MS
        self.exchange.begin_block(self._now_ms)
        action()
        block = self.exchange.end_block()
        self._invariants.check(block)
        self._note(block)

    def _note(self, block: Block) -> None:
        """Remember what kinds of things happened."""
        self.seen |= {fill.dir for fill in block.fills}
        self.seen |= {update.status.value for update in block.order_updates}
        self.seen |= {liquidation.method for liquidation in block.liquidations}
        self.seen |= {"funding" for _ in block.fundings[:1]}

    def _enter(self) -> None:
        for address in self._wallets:
            for dex in self.exchange.state.universe.dexes:
                self.exchange.deposit(address, _STAKE, dex.name)
            for token, units in _TOKENS.items():
                self.exchange.deposit_token(address, token, Decimal(units))
        self.exchange.state.account(_MAKER).house = True

    def _round(self) -> None:
        self._move_prices()
        self._quote(self._dice.choice(COINS))
        for _ in range(_PER_BLOCK):
            address = self._dice.choice(self._wallets)
            try:
                self._dice.choice(self._acts)(address)
            except RefusedError:
                self.seen.add("refused")

    def _move_prices(self) -> None:
        coin = self._dice.choice(COINS)
        step = self._dice.choice((1, 1, 1, 2, 2, 3, 5, 12)) * self._dice.choice((-1, 1))
        start = self.exchange.state.universe.get(coin).start_px
        fair = self._fair[coin] * (1 + step * _PERCENT)
        self._fair[coin] = max(start / 2, min(fair, start * 2))
        self.exchange.set_oracle(coin, round_px(self.exchange.state.universe.get(coin), self._fair[coin]))

    def _quote(self, coin: str) -> None:
        """Let the maker stand on both sides of a coin, not too large."""
        fair, instrument = self._fair[coin], self.exchange.state.universe.get(coin)
        mine = self.exchange.state.account(_MAKER).open_orders.values()
        self.exchange.cancel(_MAKER, *(order.oid for order in mine if order.coin == coin))
        for level in (1, 3):
            sz = round_sz(instrument, self._dice.randint(2_000, 60_000) / fair)
            for side in Side:
                px = round_px(instrument, fair * (1 - side.sign * level * _PERCENT / 5))
                self.exchange.place(_MAKER, OrderRequest(coin, side, sz, px))

    def _some(self) -> tuple[Instrument, Side, Decimal]:
        """Return a coin, a side, and a size that a wallet can often, not always, carry."""
        instrument = self.exchange.state.universe.get(self._dice.choice(COINS))
        ntl = min(int(400 * self._dice.paretovariate(0.7)), 300_000)
        return instrument, self._dice.choice(list(Side)), round_sz(instrument, ntl / self._fair[instrument.coin])

    def _near(self, instrument: Instrument) -> Decimal:
        return round_px(instrument, self._fair[instrument.coin] * (1 + self._dice.randint(-30, 30) * _PERCENT / 10))

    def _place(self, address: str) -> None:
        instrument, side, sz = self._some()
        px = None if self._dice.randrange(3) == 0 else self._near(instrument)
        tif = self._dice.choice((Tif.GTC, Tif.GTC, Tif.IOC, Tif.ALO))
        self.exchange.place(address, OrderRequest(instrument.coin, side, sz, px, tif, self._dice.randrange(6) == 0))

    def _stop(self, address: str) -> None:
        instrument, side, sz = self._some()
        kind = self._dice.choice(list(Tpsl))
        trigger = Trigger(self._near(instrument), kind, self._dice.randrange(2) == 0)
        px = self._near(instrument)
        child = OrderRequest(instrument.coin, side.opposite, sz, px, reduce_only=True, trigger=trigger)
        if self._dice.randrange(2):
            parent = OrderRequest(instrument.coin, side, sz, self._near(instrument))
            self.exchange.place(address, parent, child, grouping=Grouping.NORMAL)
        else:
            self.exchange.place(address, child)

    def _open(self, address: str) -> list[int]:
        return [order.oid for order in self.exchange.state.account(address).all_open()]

    def _cancel(self, address: str) -> None:
        mine = self._open(address)
        self.exchange.cancel(address, *mine[: self._dice.randint(1, 4)])

    def _modify(self, address: str) -> None:
        mine = self._open(address)
        if mine:
            instrument, side, sz = self._some()
            px = self._near(instrument)
            self.exchange.modify(address, self._dice.choice(mine), OrderRequest(instrument.coin, side, sz, px))

    def _twap(self, address: str) -> None:
        instrument, side, sz = self._some()
        self.exchange.start_twap(address, TwapRequest(instrument.coin, side, sz, 500, slice_ms=BLOCK_MS))

    def _leverage(self, address: str) -> None:
        coin = self._dice.choice(COINS[:7])
        self.exchange.set_leverage(
            address, coin, self._dice.choice((1, 3, 20, 40)), isolated=self._dice.choice((None, False, True))
        )

    def _shift(self, address: str) -> None:
        amount = Decimal(self._dice.randint(-2_000, 2_000))
        self.exchange.add_isolated_margin(address, self._dice.choice(COINS[:7]), amount)

    def _move_money(self, address: str) -> None:
        usdc, other = Decimal(self._dice.randint(1, 3_000)), self._dice.choice(self._wallets)
        if self._dice.randrange(2):
            self.exchange.transfers.transfer_class(address, usdc, to_perp=self._dice.randrange(3) > 0)
        elif other != address:
            self.exchange.transfers.send_usd(address, other, usdc)
