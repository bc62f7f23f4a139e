"""Everything the exchange knows, in one place that matching, margin, TWAPs and liquidation share."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from .accounts import ZERO, Account
from .book import Book, DualBook
from .candles import CoinCandles
from .events import Block, OrderUpdate, Trade
from .instruments import USDC
from .ledger_updates import LedgerUpdate
from .orders import ZERO_HASH, Order, Origin, Side, Status
from .trigger_book import TriggerBook

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .instruments import Instrument, Token, Universe
    from .ledger import Ledger
    from .ledger_updates import Delta

_RECENT_TRADES: Final = 30
_TID_BITS: Final = 50


@dataclass(frozen=True, slots=True)
class Fees:
    """Fee rates as fractions of what is traded. HIP-3 dexes charge twice the main one."""

    perp_taker: Decimal = Decimal("0.00045")
    perp_maker: Decimal = Decimal("0.00015")
    spot_taker: Decimal = Decimal("0.0007")
    spot_maker: Decimal = Decimal("0.0004")
    house_maker: Decimal = Decimal("-0.00002")
    builder_dex_factor: int = 2

    @property
    def deployer_share(self) -> Decimal:
        """The part of a HIP-3 fee that is its deployer's: what comes on top of the main dex' fee."""
        return 1 - Decimal(1) / self.builder_dex_factor


@dataclass(frozen=True, slots=True)
class ExchangeConfig:
    """What can be set about the exchange. `block_ms` turns durations into numbers of blocks."""

    block_ms: int = 100
    twap_slice_ms: int = 30_000
    min_order_ntl: Decimal = Decimal(10)
    market_slippage: Decimal = Decimal("0.05")
    twap_slippage: Decimal = Decimal("0.03")
    liquidation_slippage: Decimal = Decimal("0.08")
    trigger_slippage: Decimal = Decimal("0.1")
    oracle_band: Decimal = Decimal("0.95")
    cap_band: Decimal = Decimal("0.01")
    open_orders: int = 1_000
    most_open_orders: int = 5_000
    volume_per_open_order: Decimal = Decimal(5_000_000)
    scheduled_cancel_volume: Decimal = Decimal(1_000_000)
    default_leverage: int = 20
    fees: Fees = field(default_factory=Fees)


class ExchangeState:
    """Books, accounts, reference prices, counters and the block under construction.

    `genesis_ms` seeds the order ids, so that a restarted exchange does not reuse those of its last run.
    """

    def __init__(self, universe: Universe, config: ExchangeConfig, ledger: Ledger, genesis_ms: int) -> None:
        self.universe = universe
        self.config = config
        self.ledger = ledger
        self.books = {coin: Book() for coin in universe.by_coin}
        self.oracle = {coin: instrument.start_px for coin, instrument in universe.by_coin.items()}
        self.accounts: dict[str, Account] = {}
        self.trigger_books: dict[str, TriggerBook] = {}
        self.linked_ends: deque[Order] = deque()
        """Orders with children or siblings that ended, until those are told."""
        self.caps: dict[str, Decimal] = {}
        """Open interest caps in notional; a coin without one has none."""
        self.recent_trades: dict[str, deque[Trade]] = {coin: deque(maxlen=_RECENT_TRADES) for coin in universe.by_coin}
        self.candles: defaultdict[str, CoinCandles] = defaultdict(CoinCandles)
        self.perp_fees: dict[str, Decimal] = {}
        self.perp_deposits: dict[str, Decimal] = {}
        self.builder_fees: dict[tuple[str, int], Decimal] = {}
        """What builders took so far, by builder and token. It is a part of the fees, waiting to be claimed."""
        self.token_fees: dict[int, Decimal] = {}
        self.token_deposits: dict[int, Decimal] = {}
        self.holders: dict[str, dict[str, Account]] = {coin: {} for coin in universe.by_coin}
        """Who has a position in a coin, by address, those who opened first first."""
        self.open_interest = dict.fromkeys(universe.by_coin, ZERO)
        """The sum of all long positions, by coin."""
        self.repriced: dict[str, None] = {}
        """Coins whose mark price may have changed since the last look at margins."""
        self.unsettled: dict[tuple[str, str], None] = {}
        """Accounts, as (address, dex), whose cash or positions changed since the last look at margins."""
        self.escrow: dict[int, Decimal] = {}
        """What is kept for outcome pairs, by quote token."""
        self.delisted = {coin: None for coin, instrument in universe.by_coin.items() if instrument.delisted}
        self._dollar_pairs = {pair.base: pair.coin for pair in universe.spot if pair.quote == USDC}
        self.new_dirs: dict[str, str] = {}
        """Texts that trades carry in place of the usual `dir`, as when the venue invents new ones."""
        self.block = Block(0, genesis_ms)
        self.tx_hash: str | None = None
        """Of the transaction under way; None while the exchange acts by itself."""
        self._next_oid = genesis_ms * 4
        self._actions = 0

    @property
    def now_ms(self) -> int:
        """The clock of the block under construction."""
        return self.block.time_ms

    def account(self, address: str) -> Account:
        """Return the account of a lower-case address, made at first use."""
        account = self.accounts.get(address)
        if account is None:
            account = self.accounts[address] = Account(address)
        return account

    def move_cash(self, address: str, dex: str, amount: Decimal) -> None:
        """Add cross cash on a dex, or (below zero) take it away."""
        self.account(address).on(dex).raw_usd += amount
        self.unsettled[address, dex] = None

    def leverage(self, account: Account, instrument: Instrument) -> int:
        """Return the account's leverage on a coin; by default the usual one or the coin's most."""
        chosen = account.leverage.get(instrument.coin)
        return min(self.config.default_leverage, instrument.max_leverage) if chosen is None else chosen

    def add_outcome(self, *sides: tuple[Instrument, Token]) -> None:
        """List both sides of an outcome: empty books that are merged, and start prices for oracles."""
        books = DualBook(), DualBook()
        books[0].join(books[1])
        for (instrument, token), book in zip(sides, books, strict=True):
            self.universe.add(instrument, token)
            coin = instrument.coin
            self.books[coin], self.oracle[coin] = book, instrument.start_px
            self.recent_trades[coin] = deque(maxlen=_RECENT_TRADES)
            self.open_interest[coin] = ZERO
            self.holders[coin] = {}

    def keep_pairs(self, quote: int, tokens: Iterable[int], sz: Decimal) -> None:
        """Count outcome pairs that came about (below zero: vanished); their price is kept as long as they are there."""
        self.escrow[quote] = self.escrow.get(quote, ZERO) + sz
        self.token_deposits[quote] = self.token_deposits.get(quote, ZERO) - sz
        for token in tokens:
            self.token_deposits[token] = self.token_deposits.get(token, ZERO) + sz

    def token_px(self, token: int) -> Decimal:
        """Return what a token is worth in USDC: the mark of its pair, 1 for USDC, 0 without a pair."""
        if token == USDC:
            return Decimal(1)
        pair = self._dollar_pairs.get(token)
        return ZERO if pair is None else self.mark(pair)

    def credit_perp(self, address: str, dex: str, amount: Decimal) -> None:
        """Add cash to a dex (negative takes away) from anywhere but that dex; the deposits count it."""
        self.move_cash(address, dex, amount)
        self.perp_deposits[dex] = self.perp_deposits.get(dex, ZERO) + amount

    def credit_token(self, address: str, token: int, amount: Decimal, cost: Decimal = ZERO) -> None:
        """Add tokens (negative takes away) from anywhere but another spot balance; the deposits count it."""
        balance = self.account(address).balance(token)
        balance.total += amount
        balance.entry_ntl += cost
        self.token_deposits[token] = self.token_deposits.get(token, ZERO) + amount
        self.block.spot_changed.add(address)

    def record(self, delta: Delta, *addresses: str) -> None:
        """Keep a movement of money in the ledgers of these wallets, each once, under the current transaction."""
        tx_hash = self.tx_hash or ZERO_HASH
        for address in dict.fromkeys(addresses):
            update = LedgerUpdate(address, self.block.time_ms, tx_hash, delta)
            self.block.ledger_updates.append(update)
            self.ledger.record_update(update)

    def new_oid(self) -> int:
        """Return the next order id."""
        self._next_oid += 1
        return self._next_oid

    def new_hash(self) -> str:
        """Begin the next transaction of this block; return its hash."""
        self._actions += 1
        seed = f"tx:{self.block.number}:{self._actions}".encode()
        self.tx_hash = "0x" + blake2b(seed, digest_size=32).hexdigest()
        return self.tx_hash

    @staticmethod
    def tid(buyer_oid: int, seller_oid: int) -> int:
        """Return the trade id: a 50-bit hash of both order ids (facts 1.8, trades)."""
        digest = blake2b(f"{buyer_oid}:{seller_oid}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") >> (64 - _TID_BITS) or 1

    def mark(self, coin: str) -> Decimal:
        """Return the mark price: median of best bid, best ask and oracle; the oracle if a side is empty."""
        book, oracle = self.books[coin], self.oracle[coin]
        bid, ask = book.best_px(Side.BUY), book.best_px(Side.SELL)
        if bid is None or ask is None:
            return oracle
        return max(bid, min(ask, oracle))

    def room(self, coin: str) -> Decimal:
        """Return how much notional may still be opened in a coin that has a cap."""
        return self.caps[coin] - self.open_interest[coin] * self.mark(coin)

    def is_at_cap(self, coin: str) -> bool:
        """Tell whether a coin's open interest has reached its cap."""
        return coin in self.caps and self.room(coin) <= 0

    def publish(self, trade: Trade) -> None:
        """Print a trade in public, and count it in its candle."""
        self.block.trades.append(trade)
        self.recent_trades[trade.coin].append(trade)
        self.candles[trade.coin].add(trade.px, trade.sz, trade.time)

    def report(self, order: Order, status: Status) -> None:
        """Give an order a status at block time, and tell its owner if the order is an ordinary one."""
        order.status, order.status_ms = status, self.block.time_ms
        if (order.children or order.siblings) and not status.is_live:
            self.linked_ends.append(order)
        if order.origin is not Origin.ORDINARY:
            return
        self.block.order_updates.append(
            OrderUpdate(
                order.address,
                order.coin,
                order.side,
                order.limit_px,
                order.shown_sz,
                order.oid,
                order.placed_ms,
                order.orig_sz,
                order.cloid,
                order.reduce_only,
                status,
                self.block.time_ms,
                self.tx_hash,
                order,
            )
        )

    def rest(self, order: Order) -> None:
        """Put what remains of an order into its book."""
        self.repriced[order.coin] = None
        self.books[order.coin].add(order)
        self.accounts[order.address].open_orders[order.oid] = order
        self.report(order, Status.OPEN)

    def unrest(self, order: Order, status: Status) -> None:
        """Take a resting order out of its book with a terminal status."""
        self.repriced[order.coin] = None
        self.books[order.coin].remove(order)
        del self.accounts[order.address].open_orders[order.oid]
        self.report(order, status)

    def wait(self, order: Order) -> None:
        """Let a trigger order wait for its price."""
        if order.trigger is None:
            raise ValueError(f"order {order.oid} has no trigger: it can only rest")
        book = self.trigger_books.setdefault(order.coin, TriggerBook())
        book.add(order, order.trigger)
        self.accounts[order.address].waiting[order.oid] = order
        self.report(order, Status.OPEN)

    def wake(self, order: Order) -> None:
        """Take a trigger order away from where it waits, without a status."""
        if order.trigger is None:
            raise ValueError(f"order {order.oid} has no trigger: it does not wait")
        del self.accounts[order.address].waiting[order.oid]
        self.trigger_books[order.coin].remove(order, order.trigger)

    def withdraw(self, order: Order, status: Status) -> None:
        """Take an open order away with a terminal status, wherever it is: book, trigger book, or behind its parent."""
        account = self.accounts[order.address]
        if order.oid in account.open_orders:
            self.unrest(order, status)
        elif order.oid in account.waiting:
            self.wake(order)
            self.report(order, status)
        elif account.held_back.pop(order.oid, None) is not None:
            self.ledger.record_order(order)
            self.report(order, status)
