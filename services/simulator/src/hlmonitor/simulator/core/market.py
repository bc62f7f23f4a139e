"""The exchange with its inhabitants, advanced one block at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .exchange import Exchange
from .invariants import Invariants
from .ledger import Ledger
from .listings import Listing, universe_of
from .population import Population, PopulationConfig
from .state import ExchangeConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .dice import DiceFactory
    from .events import Block

    Command = Callable[[Exchange], None]


@dataclass(frozen=True, slots=True)
class MarketConfig:
    """What a market is made of. Without agents nothing happens but what commands do."""

    exchange: ExchangeConfig = field(default_factory=ExchangeConfig)
    population: PopulationConfig = field(default_factory=PopulationConfig)
    agents: bool = True
    ledger_limit: int = 1_000_000
    listing: Listing = Listing.DEFAULT
    invariants: bool = True
    """Whether each block is checked (see `invariants`); what breaks a rule ends the market."""


class Market:
    """Same configuration, dice, times and commands: same blocks."""

    def __init__(self, config: MarketConfig, dice: DiceFactory, genesis_ms: int) -> None:
        self.ledger = Ledger(config.ledger_limit)
        self.exchange = Exchange(universe_of(config.listing), config.exchange, self.ledger, genesis_ms)
        self.population: Population | None = None
        self._trading = config.agents
        if config.agents:
            self.population = Population(config.population, self.exchange, dice)
            self.exchange.begin_block(genesis_ms)
            self.population.enter(self.exchange)
            self.exchange.end_block()
        self._invariants = Invariants(self.exchange) if config.invariants else None

    @property
    def is_trading(self) -> bool:
        """Tell whether agents still act."""
        return self._trading

    def step(self, now_ms: int, commands: Iterable[Command] = ()) -> Block:
        """Make one block: commands first, then the agents' actions, then the exchange's own.

        Raises:
            BrokenInvariantError: the exchange broke a rule of its own.
        """
        self.exchange.begin_block(now_ms)
        for command in commands:
            command(self.exchange)
        if self.population is not None and self._trading:
            self.population.step(self.exchange)
        block = self.exchange.end_block()
        if self._invariants is not None:
            self._invariants.check(block)
        return block

    def quiesce(self, exchange: Exchange) -> None:
        """Stop the agents; cancel every named wallet's orders and every TWAP. A command for `step`."""
        self._trading = False
        for address in self.ledger.named():
            if address in exchange.state.accounts:
                exchange.cancel_all(address)
        for twap_id in list(exchange.twaps.active):
            exchange.twaps.terminate(twap_id)
