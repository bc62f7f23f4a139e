"""The whole market's inhabitants, from one seed: addresses, agents, and one step per block."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from .agents.maker import Crowd, MarketMaker
from .agents.prices import PriceFeed
from .agents.styles import STYLES, Gambler

if TYPE_CHECKING:
    from .agents.whale import Whale
    from .dice import DiceFactory
    from .exchange import Exchange

_HOUSE_MONEY: Final = Decimal(1_000_000_000)
_CROWD: Final = 12
_DICE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class PopulationConfig:
    """How many whales there are and how often they act, all together, per second."""

    seed: int = 1
    whales: int = 20
    rate: Decimal = Decimal(8)


def address_of(seed: int, role: str, number: int) -> str:
    """Return the wallet address of the `number`th inhabitant in a role."""
    return "0x" + blake2b(f"{seed}:{role}:{number}".encode(), digest_size=20).hexdigest()


class Population:
    """Makes the market live. `step` is called once inside every block.

    `dice` gives a source of randomness for a name; the same names and seed give the same market.
    """

    def __init__(self, config: PopulationConfig, exchange: Exchange, dice: DiceFactory) -> None:
        self._config = config
        self._turns = dice("turns")
        self.whales = [self._whale(number, dice) for number in range(config.whales)]
        hunted = [whale.address for whale in self.whales if isinstance(whale, Gambler)]
        self._prices = PriceFeed(dice("prices"), hunted)
        self._makers = {
            instrument.coin: MarketMaker(
                instrument,
                self._house(exchange, f"maker:{instrument.coin}", 2),
                dice(f"maker:{instrument.coin}"),
            )
            for instrument in exchange.state.universe.quoted()
        }
        crowd = self._house(exchange, "crowd", _CROWD)
        self._crowd = Crowd(crowd, dice("crowd"))
        chance = config.rate * exchange.state.config.block_ms / 1000 / max(config.whales, 1)
        self._chance = int(chance * _DICE)

    def _whale(self, number: int, dice: DiceFactory) -> Whale:
        kind, coins = STYLES[number % len(STYLES)]
        address = address_of(self._config.seed, "whale", number)
        return kind(address, coins, dice(address))

    def _house(self, exchange: Exchange, role: str, count: int) -> list[str]:
        addresses = [address_of(self._config.seed, role, number) for number in range(count)]
        for address in addresses:
            exchange.state.account(address).house = True
        return addresses

    def enter(self, exchange: Exchange) -> None:
        """Fund everybody and put up the first quotes. Call inside a block."""
        for address, account in list(exchange.state.accounts.items()):
            if account.house:
                for dex in exchange.state.universe.dexes:
                    exchange.deposit(address, _HOUSE_MONEY, dex.name)
                for token in exchange.state.universe.tokens:
                    exchange.deposit_token(address, token.index, _HOUSE_MONEY)
        for whale in self.whales:
            exchange.state.ledger.name(whale.address)
            whale.enter(exchange)
        for maker in self._makers.values():
            maker.step(exchange, at_once=True)

    def step(self, exchange: Exchange) -> None:
        """Let prices move and everybody act."""
        shocked = self._prices.step(exchange)
        for coin, maker in self._makers.items():
            maker.step(exchange, at_once=coin in shocked)
        self._crowd.step(exchange)
        for whale in self.whales:
            if self._turns.randrange(_DICE) < self._chance:
                whale.act(exchange)
