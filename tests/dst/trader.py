"""Decides what happens at the venue: orders that fill in parts, flips, ends, TWAPs, the venue's own interventions."""

import random
from dataclasses import dataclass
from fractions import Fraction

from market import SYSTEM_DIRS, Market
from oracle import TrueOrder, is_spot

COINS = ("BTC", "BTC", "BTC", "xyz:CL", "@107")
ENDS = ("filled", "filled", "filled", "canceled", "marginCanceled")
TWAP_ENDS = ("finished", "terminated")
INTERVENTIONS = ("Liquidated Cross Long", "Auto-Deleveraging", "Settlement")


@dataclass(slots=True)
class Trader:
    """Trades for every wallet, as its seed says."""

    market: Market
    chance: random.Random
    wallets: tuple[str, ...]

    def act(self) -> None:
        """Mostly one thing that happens, now and then many at once."""
        for _ in range(self.chance.randrange(5, 20) if self.chance.random() < 0.05 else 1):
            self._step()

    def _step(self) -> None:
        orders = self._live()
        roll = self.chance.random()
        if not orders or roll < 0.35:
            self._place()
        elif roll < 0.38:
            self._intervene()
        elif roll < 0.42:
            self._reject()
        elif roll < 0.62:
            self._end(self.chance.choice(orders))
        else:
            self._fill(self.chance.choice(orders))

    def end_all(self) -> None:
        """Every order ends."""
        for order in self._live():
            self._end(order)

    def _live(self) -> list[TrueOrder]:
        return [order for order in self.market.orders if not order.is_system and order.end is None]

    def _place(self) -> None:
        chance = self.chance
        is_twap = chance.random() < 0.12
        order = self.market.place(
            chance.choice(self.wallets),
            chance.choice(COINS),
            chance.choice("BA"),
            cloid=chance.random() < 0.3,
            twap=is_twap,
        )
        self._fill(order)
        if not is_twap and chance.random() < 0.4:
            # A market order: all of it at once, and its end in the same breath.
            for _ in range(chance.randrange(3)):
                self._fill(order, after_ms=0)
            self._end(order)

    def _reject(self) -> None:
        order = self.market.place(self.chance.choice(self.wallets), "BTC", self.chance.choice("BA"))
        self.market.say(order, self.chance.choice(("perpMarginRejected", "canceled")), Fraction(1))

    def _fill(self, order: TrueOrder, after_ms: int | None = None) -> None:
        chance = self.chance
        pause_ms = chance.choice((0, 0, 1, 7)) if after_ms is None else after_ms
        px, fee = Fraction(chance.randrange(1, 10**6), 100), Fraction(chance.randrange(-50, 10**4), 10**6)
        pnl = Fraction(chance.randrange(-(10**5), 10**5), 10**4)
        self.market.execute(order, self._size(order), px, fee, pnl, pause_ms)

    def _size(self, order: TrueOrder) -> Fraction:
        position = abs(self.market.positions.get((order.address, order.coin), Fraction(0)))
        some = Fraction(self.chance.randrange(1, 10**5), self.chance.choice((1, 100, 10**5)))
        if not position or is_spot(order.coin):
            return some
        return self.chance.choice((position, position + some, some))

    def _end(self, order: TrueOrder) -> None:
        if order.twap_id is not None:
            text = self.chance.choice(TWAP_ENDS)
            self.market.say(order, text, Fraction(0) if text == "finished" else Fraction(3))
            return
        text = self.chance.choice(ENDS)
        self.market.say(order, text, Fraction(0) if text == "filled" else Fraction(1, 2))

    def _intervene(self) -> None:
        text = self.chance.choice(INTERVENTIONS)
        assert text in SYSTEM_DIRS
        sizes = [Fraction(self.chance.randrange(1, 500), 10) for _ in range(self.chance.randrange(1, 4))]
        self.market.intervene(self.chance.choice(self.wallets), "BTC", text, sizes, Fraction(100))
