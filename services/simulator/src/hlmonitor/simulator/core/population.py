"""The whole market's inhabitants, from one seed: addresses, agents, and who acts when."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from .agenda import Agenda
from .agents.maker import Crowd, MarketMaker
from .agents.mix import LIVELY, STYLES, deal, read_mix
from .agents.prices import STEP_MS, PriceFeed
from .agents.styles import Gambler
from .agents.unwinder import UNWIND_MS, unwind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .agents.whale import Whale
    from .dice import DiceFactory
    from .exchange import Exchange
    from .instruments import Instrument

    Turn = Callable[[Exchange, int], int | None]

_HOUSE_MONEY: Final = Decimal(1_000_000_000)
_HOUSE_PAIRS: Final = Decimal(5_000_000)
_CROWD: Final = 12
_SECOND_MS: Final = 1_000
_MADE_UP_BLOCKS: Final = 2
# Usual pauses at activity 1: of a coin's quotes, and between trades of the crowd on one coin.
_QUOTE_MS: Final = 900
_CROWD_MS: Final = 1_250
# A wallet's share of all turns is heavy-tailed, but none is more than 20 times as busy as the calmest.
_TAIL: Final = 1.3
_BUSIEST: Final = 20.0


@dataclass(frozen=True, slots=True)
class PopulationConfig:
    """How many named wallets there are, of which styles, and how often they act.

    `rate` is how many turns the wallets take per second, all together; those of styles with a pace of their
    own (market makers) come on top. `activity` slows everybody down, the house included: a day that is
    replayed in a minute needs less trading than a minute that is watched.
    """

    seed: int = 1
    whales: int = 20
    rate: Decimal = Decimal(8)
    mix: str = LIVELY
    activity: Decimal = Decimal(1)
    shock_ms: int = 4_500
    """Usual time between two price shocks at activity 1. The default makes a short run see liquidations."""


def address_of(seed: int, role: str, number: int) -> str:
    """Return the wallet address of the `number`th inhabitant in a role."""
    return "0x" + blake2b(f"{seed}:{role}:{number}".encode(), digest_size=20).hexdigest()


class Population:
    """Makes the market live. `step` is called once inside every block.

    `dice` gives a source of randomness for a name; the same names and seed give the same market. Nobody is
    asked whether to act: turns wait in an agenda, so that a block costs what happens in it.
    """

    def __init__(self, config: PopulationConfig, exchange: Exchange, dice: DiceFactory) -> None:
        self._config = config
        self._activity = float(config.activity)
        self._instruments: tuple[Instrument, ...] = ()
        self._dice = dice
        self._turns = dice("turns")
        self._agenda: Agenda[Turn] = Agenda()
        whale_dice = dice("whales")
        self.whales: list[Whale] = []
        for number, style in enumerate(deal(read_mix(config.mix), config.whales)):
            kind, coins = STYLES[style]
            self.whales.append(kind(address_of(config.seed, "whale", number), coins, whale_dice))
        hunted = [whale.address for whale in self.whales if isinstance(whale, Gambler)]
        self._prices = PriceFeed(dice("prices"), hunted)
        self._makers: dict[str, MarketMaker] = {}
        self._idle: list[Sequence[str]] = []
        self._follow_listing(exchange)
        crowd = self._house(exchange, "crowd", _CROWD)
        self._crowd = Crowd(crowd, dice("crowd"))

    def _follow_listing(self, exchange: Exchange) -> list[Instrument]:
        """Give each new coin a maker, if possible the wallets of one whose coin ended; return the new ones."""
        self._instruments = exchange.state.universe.quoted()
        known = self._makers
        self._makers = {i.coin: known[i.coin] for i in self._instruments if i.coin in known}
        self._idle += [maker.addresses for coin, maker in known.items() if coin not in self._makers]
        for instrument in self._instruments:
            if instrument.coin not in known:
                role = f"maker:{instrument.coin}"
                wallets = self._idle.pop() if self._idle else self._house(exchange, role, 2)
                self._makers[instrument.coin] = MarketMaker(instrument, wallets, self._dice(role))
        return [instrument for instrument in self._instruments if instrument.coin not in known]

    def _house(self, exchange: Exchange, role: str, count: int) -> list[str]:
        addresses = [address_of(self._config.seed, role, number) for number in range(count)]
        for address in addresses:
            exchange.state.account(address).house = True
        return addresses

    def enter(self, exchange: Exchange) -> None:
        """Fund the house, put up the first quotes, and draw everybody's first turn. Call inside a block."""
        for address, account in list(exchange.state.accounts.items()):
            if account.house:
                self._fund_house(exchange, address)
        for maker in self._makers.values():
            maker.quote(exchange)
        now_ms = exchange.state.now_ms
        self._enter_house(now_ms)
        self._enter_whales(now_ms)
        self._agenda.put(now_ms + UNWIND_MS, unwind)

    def _fund_house(self, exchange: Exchange, address: str) -> None:
        for dex in exchange.state.universe.dexes:
            exchange.deposit(address, _HOUSE_MONEY, dex.name)
        for token in exchange.state.universe.tokens:
            exchange.deposit_token(address, token.index, _HOUSE_MONEY)
        self._bring_pairs(exchange, address)

    def _bring_pairs(self, exchange: Exchange, address: str) -> None:
        """Split quote tokens into both sides of what is traded: in outcomes even the house has no credit."""
        for instrument in self._instruments:
            if instrument.is_outcome and not exchange.state.account(address).balance(instrument.base).total:
                exchange.outcomes.split(address, instrument.index // 10, _HOUSE_PAIRS)

    def _enter_house(self, now_ms: int) -> None:
        for place, instrument in enumerate(self._instruments):
            self._attend(instrument, now_ms, now_ms + 1 + place * STEP_MS // len(self._instruments))
        if self._activity:
            self._agenda.put(now_ms + self._crowd_pause_ms(), self._trade)
            self._agenda.put(now_ms + self._pause_ms(self._config.shock_ms), self._shock)

    def _attend(self, instrument: Instrument, now_ms: int, first_walk_ms: int) -> None:
        self._agenda.put(first_walk_ms, partial(self._walk, instrument))
        if self._activity:
            self._agenda.put(now_ms + self._pause_ms(_QUOTE_MS), partial(self._quote, instrument.coin))

    def _welcome(self, exchange: Exchange) -> None:
        """Take up coins that were listed since the last block."""
        now_ms = exchange.state.now_ms
        for instrument in self._follow_listing(exchange):
            for address in self._makers[instrument.coin].addresses:
                if exchange.state.account(address).margin:
                    self._bring_pairs(exchange, address)
                else:
                    self._fund_house(exchange, address)
            self._makers[instrument.coin].quote(exchange)
            self._attend(instrument, now_ms, now_ms + STEP_MS)
        for address in self._crowd.addresses:
            self._bring_pairs(exchange, address)

    def _enter_whales(self, now_ms: int) -> None:
        """Share out the turns, and let everybody's first one come as if they had been here for long."""
        tails = [min(self._turns.paretovariate(_TAIL), _BUSIEST) * whale.eagerness for whale in self.whales]
        shared = sum(tail for tail, whale in zip(tails, self.whales, strict=True) if whale.own_pause_ms is None)
        rate = float(self._config.rate) * self._activity
        for tail, whale in zip(tails, self.whales, strict=True):
            if rate:
                own = whale.own_pause_ms
                pause_ms = _SECOND_MS * shared / tail / rate if own is None else own / self._activity
                whale.mean_pause_ms = pause_ms
                self._agenda.put(now_ms + whale.pause_ms(), whale.act)

    def step(self, exchange: Exchange) -> None:
        """Give their turns to all that are due in this block."""
        if exchange.state.universe.quoted() is not self._instruments:
            self._welcome(exchange)
        # After a late block in real time only the latest turns are made up for, or each would make the next later.
        earliest = exchange.state.now_ms - _MADE_UP_BLOCKS * exchange.state.config.block_ms
        for due_ms, turn in self._agenda.due(exchange.state.now_ms):
            next_ms = turn(exchange, max(due_ms, earliest))
            if next_ms is not None:
                self._agenda.put(next_ms, turn)

    def _pause_ms(self, mean_ms: int) -> int:
        return 1 + int(self._turns.expovariate(self._activity / mean_ms))

    def _crowd_pause_ms(self) -> int:
        return 1 + int(self._turns.expovariate(self._activity * len(self._instruments) / _CROWD_MS))

    def _walk(self, instrument: Instrument, exchange: Exchange, due_ms: int) -> int | None:
        """Move a price; in blocks longer than its step it makes up for the time between.

        A coin that was delisted is left alone from then on.
        """
        if exchange.state.universe.get(instrument.coin).delisted:
            return None
        now_ms = exchange.state.now_ms
        self._prices.walk(exchange, instrument, STEP_MS + now_ms - due_ms)
        return now_ms + STEP_MS

    def _quote(self, coin: str, exchange: Exchange, _due_ms: int) -> int | None:
        """Quote a coin anew; once a block is enough."""
        if exchange.state.universe.get(coin).delisted:
            return None
        self._makers[coin].quote(exchange)
        return exchange.state.now_ms + self._pause_ms(_QUOTE_MS)

    def _trade(self, exchange: Exchange, due_ms: int) -> int:
        self._crowd.trade(exchange, self._instruments)
        return due_ms + self._crowd_pause_ms()

    def _shock(self, exchange: Exchange, due_ms: int) -> int:
        coin = self._prices.shock(exchange, self._instruments)
        self._makers[coin].quote(exchange)
        return due_ms + self._pause_ms(self._config.shock_ms)
