"""Making a plan: wallets of one coin each trade with one another on an exchange of their own, and end flat."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.accounts import ZERO
from hlmonitor.simulator.core.events import Block
from hlmonitor.simulator.core.exchange import Exchange
from hlmonitor.simulator.core.instruments import MAIN_DEX
from hlmonitor.simulator.core.ledger import Ledger
from hlmonitor.simulator.core.listings import default_universe
from hlmonitor.simulator.core.orders import OrderRequest, Side, Tif
from hlmonitor.simulator.core.population import address_of
from hlmonitor.simulator.core.precision import round_px, round_sz
from hlmonitor.simulator.core.state import ExchangeConfig

from .plan import CYCLE_MARK, OID_STEP, TID_STEP, TIME_MARK, LoadBlock, LoadPlan, PositionAfter, mark_hash

if TYPE_CHECKING:
    from hlmonitor.simulator.core.dice import Dice
    from hlmonitor.simulator.core.events import Fill, OrderUpdate, Trade
    from hlmonitor.simulator.core.orders import Order

COINS: Final = ("BTC", "ETH", "SOL", "HYPE", "DOGE", "XRP", "AVAX", "kPEPE")
_LONGEST_FILLS: Final = 60_000
_SECONDS: Final = 10
_GENESIS_MS: Final = 1
_BASIS: Final = 10_000
_USUAL_NTL: Final = 3_000
_MOST_NTL: Final = 400_000
_TAIL: Final = 1.2
_MAKERS: Final = (1, 1, 1, 2, 2, 3, 5)
_LEFT_OVER: Final = 4


@dataclass(frozen=True, slots=True)
class LoadConfig:
    """`rate` is fills per second, both sides of a trade counted; a plan has blocks for `block_ms` of it each.

    A plan lasts ten seconds, or less when that would be more than 60,000 fills.
    """

    rate: int
    wallets: int = 1_000
    block_ms: int = 50
    seed: int = 1

    @property
    def fills_per_block(self) -> int:
        """How many fills a block has at least."""
        return max(2, self.rate * self.block_ms // 1000)

    @property
    def fills(self) -> int:
        """How many fills a plan has, about. It lasts a second at least, or cycles would outrun their numbers."""
        return min(self.rate * _SECONDS, max(_LONGEST_FILLS, self.rate))


def make_plan(config: LoadConfig, dice: Dice) -> LoadPlan:
    """Trade until there are enough fills, then close every position."""
    return _Trading(config, dice).run()


class _Trading:
    def __init__(self, config: LoadConfig, dice: Dice) -> None:
        self._config = config
        self._dice = dice
        self._exchange = Exchange(default_universe(), ExchangeConfig(), Ledger(), _GENESIS_MS)
        self._state = self._exchange.state
        self.addresses = tuple(address_of(config.seed, "load", number) for number in range(config.wallets))
        coins = COINS[: max(1, min(len(COINS), config.wallets // 2))]
        self._traders = {coin: self.addresses[place :: len(coins)] for place, coin in enumerate(coins)}
        for address in self.addresses:
            self._state.account(address).house = True
        self._cash: dict[str, Decimal] = {}
        self._orders: list[Order] = []
        self._holding: dict[tuple[str, str], None] = {}
        self._px = {coin: self._state.universe.get(coin).start_px for coin in coins}
        self._ids: dict[int, int] = {}
        self._tids: dict[int, int] = {}
        self._fills = 0

    def run(self) -> LoadPlan:
        blocks: list[LoadBlock] = []
        while self._fills + 2 * len(self._holding) < self._config.fills:
            blocks.append(self._block(closing=False))
        while self._holding:
            blocks.append(self._block(closing=True))
        return LoadPlan(self.addresses, tuple(blocks))

    def _block(self, *, closing: bool) -> LoadBlock:
        exchange, state = self._exchange, self._state
        exchange.begin_block(state.now_ms + 1)
        self._orders = []
        fees = state.perp_fees.get(MAIN_DEX, ZERO)
        while len(state.block.fills) < self._config.fills_per_block and (self._holding or not closing):
            if closing:
                self._close_some()
            else:
                self._trade(self._dice.choice(tuple(self._traders)))
        block = exchange.end_block()
        self._fills += len(block.fills)
        return LoadBlock(
            self._marked(block),
            tuple(self._marked_order(order) for order in self._orders),
            self._positions(block),
            self._gains(block),
            state.perp_fees.get(MAIN_DEX, ZERO) - fees,
        )

    def _gains(self, block: Block) -> tuple[tuple[str, Decimal], ...]:
        gains = []
        for address in dict.fromkeys(fill.address for fill in block.fills):
            cash = self._state.account(address).on(MAIN_DEX).raw_usd
            gains.append((address, cash - self._cash.get(address, ZERO)))
            self._cash[address] = cash
        return tuple(gains)

    def _positions(self, block: Block) -> tuple[PositionAfter, ...]:
        after = []
        for address, coin in dict.fromkeys((fill.address, fill.coin) for fill in block.fills):
            position = self._state.account(address).on(MAIN_DEX).positions.get(coin)
            szi, entry_ntl = (ZERO, ZERO) if position is None else (position.szi, position.entry_ntl)
            after.append(PositionAfter(address, coin, szi, entry_ntl))
        return tuple(after)

    def _trade(self, coin: str) -> None:
        """Let some rest at a price and one take from them; what is left of the last one is cancelled."""
        instrument, dice = self._state.universe.get(coin), self._dice
        px = round_px(instrument, self._px[coin] * (_BASIS + dice.randint(-30, 30)) / _BASIS)
        some = [dice.choice(self._traders[coin]) for _ in range(1 + dice.choice(_MAKERS))]
        taker, *makers = dict.fromkeys(some)
        if not makers:
            return
        side = dice.choice((Side.BUY, Side.SELL))
        least = round_sz(instrument, 20 / px) + Decimal(1).scaleb(-instrument.sz_decimals)
        sizes = [max(least, round_sz(instrument, self._ntl() / px)) for _ in makers]
        left_over = sizes[-1] if dice.randrange(_LEFT_OVER) == 0 else ZERO
        resting = [
            self._place(maker, OrderRequest(coin, side.opposite, sz, px))
            for maker, sz in zip(makers, [*sizes[:-1], sizes[-1] + left_over], strict=True)
        ]
        self._place(taker, OrderRequest(coin, side, sum(sizes, ZERO), px, Tif.IOC))
        self._exchange.cancel(makers[-1], resting[-1].oid)
        self._remember(coin, (taker, *makers))

    def _ntl(self) -> Decimal:
        return Decimal(min(int(_USUAL_NTL * self._dice.paretovariate(_TAIL)), _MOST_NTL))

    def _place(self, address: str, request: OrderRequest) -> Order:
        order = self._exchange.place(address, request)[0]
        self._orders.append(order)
        return order

    def _remember(self, coin: str, addresses: tuple[str, ...]) -> None:
        for address in addresses:
            if self._state.account(address).on(MAIN_DEX).szi(coin):
                self._holding[address, coin] = None
            else:
                self._holding.pop((address, coin), None)

    def _close_some(self) -> None:
        """Let the first who holds something trade it away with one who holds the opposite: there is one."""
        (address, coin), *others = self._holding
        szi = self._state.account(address).on(MAIN_DEX).szi(coin)
        for other, held in others:
            against = self._state.account(other).on(MAIN_DEX).szi(held)
            if held == coin and szi * against < 0:
                sz, px = min(abs(szi), abs(against)), round_px(self._state.universe.get(coin), self._px[coin])
                side = Side.SELL if szi > 0 else Side.BUY
                self._place(address, OrderRequest(coin, side, sz, px, reduce_only=True))
                self._place(other, OrderRequest(coin, side.opposite, sz, px, Tif.IOC, reduce_only=True))
                self._remember(coin, (address, other))
                return
        raise AssertionError(f"nobody holds the opposite of {address} in {coin}: positions do not sum to zero")

    def _oid(self, oid: int) -> int:
        return CYCLE_MARK * OID_STEP + self._ids.setdefault(oid, len(self._ids))

    def _tid(self, tid: int) -> int:
        return CYCLE_MARK * TID_STEP + self._tids.setdefault(tid, len(self._tids))

    def _marked_order(self, order: Order) -> Order:
        tx_hash = mark_hash(order.tx_hash)
        return replace(order, oid=self._oid(order.oid), placed_ms=TIME_MARK, status_ms=TIME_MARK, tx_hash=tx_hash)

    def _marked(self, block: Block) -> Block:
        """Return the block with marks in the place of ids and times."""
        return Block(
            block.number,
            TIME_MARK,
            fills=[self._marked_fill(fill) for fill in block.fills],
            trades=[self._marked_trade(trade) for trade in block.trades],
            order_updates=[self._marked_update(update) for update in block.order_updates],
        )

    def _marked_fill(self, fill: Fill) -> Fill:
        tx_hash = mark_hash(fill.hash)
        return replace(fill, time=TIME_MARK, oid=self._oid(fill.oid), tid=self._tid(fill.tid), hash=tx_hash)

    def _marked_trade(self, trade: Trade) -> Trade:
        return replace(trade, time=TIME_MARK, tid=self._tid(trade.tid), hash=mark_hash(trade.hash))

    def _marked_update(self, update: OrderUpdate) -> OrderUpdate:
        return replace(
            update,
            oid=self._oid(update.oid),
            timestamp=TIME_MARK,
            status_ms=TIME_MARK,
            tx_hash=None if update.tx_hash is None else mark_hash(update.tx_hash),
            order=self._marked_order(update.order),
        )
