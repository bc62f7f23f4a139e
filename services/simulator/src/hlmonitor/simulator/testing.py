"""For tests: a scripted exchange without I/O, and the whole simulator on a free port."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from hlmonitor.simulator.core.exchange import Exchange
from hlmonitor.simulator.core.invariants import Invariants
from hlmonitor.simulator.core.ledger import Ledger
from hlmonitor.simulator.core.listings import default_universe
from hlmonitor.simulator.core.market import MarketConfig
from hlmonitor.simulator.core.orders import Order, OrderRequest, Side, Tif
from hlmonitor.simulator.core.state import ExchangeConfig
from hlmonitor.simulator.io.app import Listener
from hlmonitor.simulator.io.config import ServerConfig
from hlmonitor.simulator.io.server import Simulator, now_ms, run_blocks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from hlmonitor.simulator.core.events import Block, Fill, OrderUpdate
    from hlmonitor.simulator.core.twap import Twap, TwapRequest

GENESIS_MS = 1_700_000_000_000
BLOCK_MS = 100
QUIET_MARKET = MarketConfig(exchange=ExchangeConfig(block_ms=5), agents=False)


def wallet(number: int) -> str:
    """Return a readable address."""
    return f"0x{number:040x}"


class Desk:
    """An exchange driven by hand. Each call is a block of its own; `block` runs several actions in one.

    Unless not `checked`, all of the exchange's invariants are counted anew after every block.
    """

    def __init__(self, config: ExchangeConfig | None = None, *, checked: bool = True) -> None:
        self.ledger = Ledger()
        self.exchange = Exchange(default_universe(), config or ExchangeConfig(), self.ledger, GENESIS_MS)
        self.blocks: list[Block] = []
        self._invariants = Invariants(self.exchange, full_every=1) if checked else None

    def block(self, *actions: Callable[[Exchange], object]) -> Block:
        """Make one block out of these actions."""
        self.exchange.begin_block(GENESIS_MS + BLOCK_MS * (len(self.blocks) + 1))
        for action in actions:
            action(self.exchange)
        self.blocks.append(self.exchange.end_block())
        if self._invariants is not None:
            self._invariants.check(self.blocks[-1])
        return self.blocks[-1]

    def fund(self, address: str, amount: int = 1_000_000, dex: str = "") -> str:
        """Give a wallet collateral; return its address."""
        self.ledger.name(address)
        self.block(lambda exchange: exchange.deposit(address, Decimal(amount), dex))
        return address

    def give(self, address: str, token: int, amount: int | str) -> None:
        """Give a wallet spot tokens."""
        self.ledger.name(address)
        self.block(lambda exchange: exchange.deposit_token(address, token, Decimal(amount)))

    def send(self, address: str, *requests: OrderRequest) -> list[Order]:
        """Send orders in one transaction."""
        orders: list[Order] = []
        self.block(lambda exchange: orders.extend(exchange.place(address, *requests)))
        return orders

    def buy(self, address: str, sz: str, px: str | None = None, *, coin: str = "BTC", tif: Tif = Tif.GTC) -> Order:
        """Buy: a limit order, or without a price a market order."""
        return self.send(address, request(Side.BUY, sz, px, coin=coin, tif=tif))[0]

    def sell(self, address: str, sz: str, px: str | None = None, *, coin: str = "BTC", tif: Tif = Tif.GTC) -> Order:
        """Sell: a limit order, or without a price a market order."""
        return self.send(address, request(Side.SELL, sz, px, coin=coin, tif=tif))[0]

    def twap(self, address: str, wanted: TwapRequest) -> Twap:
        """Start a TWAP; its first slice is in the same block."""
        twaps: list[Twap] = []
        self.block(lambda exchange: twaps.append(exchange.start_twap(address, wanted)))
        return twaps[0]

    def position(self, address: str, coin: str = "BTC") -> Decimal:
        """Return a signed position size."""
        dex = self.exchange.state.universe.get(coin).dex
        return self.exchange.state.account(address).on(dex).szi(coin)

    def fills(self, address: str) -> list[Fill]:
        """Return all fills of a wallet."""
        return list(self.ledger.of(address).fills)

    def updates(self, address: str) -> list[OrderUpdate]:
        """Return all order updates of a wallet."""
        return [update for block in self.blocks for update in block.order_updates if update.address == address]


def request(
    side: Side, sz: str, px: str | None = None, *, coin: str = "BTC", tif: Tif = Tif.GTC, reduce_only: bool = False
) -> OrderRequest:
    """Return an order request from plain texts."""
    return OrderRequest(coin, side, Decimal(sz), None if px is None else Decimal(px), tif, reduce_only)


class ForwardClock:
    """The wall clock in milliseconds, which a test sets forward instead of waiting."""

    def __init__(self) -> None:
        self._ahead_ms = 0

    def __call__(self) -> int:
        """Return its time."""
        return now_ms() + self._ahead_ms

    def forward(self, by_ms: int) -> None:
        """Set it forward."""
        self._ahead_ms += by_ms


@dataclass(frozen=True, slots=True)
class Running:
    """A simulator that serves."""

    simulator: Simulator
    port: int

    @property
    def url(self) -> str:
        """Base of its HTTP addresses."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """Address of its WebSocket."""
        return f"ws://127.0.0.1:{self.port}/ws"


@asynccontextmanager
async def running(
    market: MarketConfig = QUIET_MARKET,
    server: ServerConfig | None = None,
    *,
    warmup_blocks: int = 0,
    clock_ms: Callable[[], int] = now_ms,
) -> AsyncIterator[Running]:
    """Run a whole simulator, blocks included, on a free port of this process."""
    simulator = Simulator(
        market, server or ServerConfig(), seed=market.population.seed, warmup_blocks=warmup_blocks, clock_ms=clock_ms
    )
    listener = Listener(simulator)
    await listener.start("127.0.0.1", 0)
    blocks = asyncio.create_task(run_blocks(simulator))
    try:
        yield Running(simulator, listener.port)
    finally:
        blocks.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await blocks
        await listener.stop()
