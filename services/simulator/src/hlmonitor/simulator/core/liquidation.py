"""Closing pools of margin that fell below maintenance, in the venue's three steps.

1. Market orders. Positions over 100,000 are sold by a fifth first; for 30 s after that the whole position is
   sent. The orders stop at the price at which the pool would be worth nothing, an assumption: so a
   liquidation in the book never leaves debts.
2. Backstop, when the pool is worth less than two thirds of its maintenance margin although whole positions
   were sent: the liquidator vault takes positions and cash over. Positions change hands at the mark price, and
   what the pool is still worth moves with the cash (an assumption: the sum is what the venue's rule says).
3. Auto-deleveraging, when the pool is worth less than nothing already.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from .accounts import ZERO
from .adl import Deleverager
from .events import Liquidation, LiquidationMark
from .ledger_updates import LiquidatedPosition
from .ledger_updates import Liquidation as LiquidationDelta
from .orders import ZERO_HASH, Order, Origin, Side, Status, Tif
from .precision import round_px, round_sz
from .risk import RiskWatch
from .system_trades import SystemTrade, SystemTrades

if TYPE_CHECKING:
    from .margin import Margin, Pool
    from .matching import Matcher
    from .state import ExchangeState

LIQUIDATOR: Final = "0x" + blake2b(b"liquidator vault", digest_size=20).hexdigest()
"""The vault that takes over what the book does not. It has credit without limit."""

_PARTIAL_ABOVE: Final = Decimal(100_000)
_PARTIAL: Final = Decimal("0.2")
_COOLDOWN_MS: Final = 30_000
_BACKSTOP: Final = Decimal(2) / 3


class Liquidator:
    """Looks once a block at every account that may be in danger."""

    def __init__(self, state: ExchangeState, margin: Margin, matcher: Matcher) -> None:
        self._state = state
        self._margin = margin
        self._matcher = matcher
        self._watch = RiskWatch(state, margin)
        self._trades = SystemTrades(state)
        self._deleverager = Deleverager(state, margin, matcher.drop_idle_reduce_only)
        self._marks: dict[str, Decimal] = {}
        self._marks_before: dict[str, Decimal] = {}
        self._whole_until: dict[str, int] = {}
        self._lid = state.now_ms // 1000
        state.account(LIQUIDATOR).house = True

    def run(self) -> None:
        """Liquidate whoever is under maintenance. What finds no liquidity is tried again next block."""
        for key in self._watch.due(self._new_marks()):
            address, dex = key
            pools = self._margin.pools(self._state.accounts[address], dex)
            in_danger = [pool for pool in pools if self._is_under(pool)]
            for pool in in_danger:
                self._liquidate(pool)
            self._watch.calm(key)
            if in_danger:
                self._state.unsettled[key] = None

    def _new_marks(self) -> dict[str, Decimal]:
        """Return the marks that changed, and keep those of the block before."""
        state = self._state
        repriced, state.repriced = state.repriced, {}
        marks = {coin: state.mark(coin) for coin in repriced if not state.universe.get(coin).is_spot}
        changed = {coin: mark for coin, mark in marks.items() if self._marks.get(coin) != mark}
        self._marks_before = {coin: self._marks[coin] for coin in changed if coin in self._marks}
        self._marks.update(changed)
        return changed

    def _is_under(self, pool: Pool) -> bool:
        return bool(pool.positions()) and self._margin.pool_value(pool) < self._margin.pool_maintenance(pool)

    def _liquidate(self, pool: Pool) -> None:
        self._cancel_orders(pool)
        before, ntl, value = self._sizes(pool), self._margin.notional(pool), self._margin.pool_value(pool)
        # What a pool has beside its positions: closing them brings its worth here.
        aside = ZERO if pool.coin is None else pool.account.on(pool.dex).raw_usd
        method = "market"
        if value < 0:
            method = "adl"
            self._deleverager.close(pool, self._marks | self._marks_before)
            self._pay(pool, min(pool.account.on(pool.dex).raw_usd - aside, ZERO))
        elif self._sell(pool) and self._is_beyond_rescue(pool):
            method = "backstop"
            self._take_over(pool)
            self._pay(pool, pool.account.on(pool.dex).raw_usd - aside)
        if self._sizes(pool) != before:
            self._tell(pool, before, ntl, value, method)

    def _cancel_orders(self, pool: Pool) -> None:
        for order in list(pool.account.all_open()):
            instrument = self._state.universe.get(order.coin)
            is_in_pool = instrument.dex == pool.dex if pool.coin is None else order.coin == pool.coin
            if is_in_pool and not instrument.is_spot:
                self._state.withdraw(order, Status.LIQUIDATED_CANCELED)

    def _sell(self, pool: Pool) -> bool:
        """Send market orders until the pool is safe; tell whether all of them were for whole positions."""
        state, address = self._state, pool.account.address
        is_cooling = self._whole_until.get(address, 0) > state.now_ms
        whole = True
        for coin, position in pool.positions().items():
            if not self._is_under(pool):
                break
            sz = abs(position.szi)
            if sz * state.mark(coin) > _PARTIAL_ABOVE and not is_cooling:
                sz = round_sz(state.universe.get(coin), sz * _PARTIAL) or sz
                whole = False
                self._whole_until[address] = state.now_ms + _COOLDOWN_MS
            self._send(pool, coin, sz)
        return whole

    def _send(self, pool: Pool, coin: str, sz: Decimal) -> None:
        state, szi = self._state, pool.positions()[coin].szi
        side = Side.SELL if szi > 0 else Side.BUY
        order = Order(
            oid=state.new_oid(),
            address=pool.account.address,
            coin=coin,
            side=side,
            limit_px=self._limit_px(pool, coin, side),
            orig_sz=sz,
            remaining=sz,
            tif=Tif.LIQUIDATION,
            reduce_only=False,
            cloid=None,
            placed_ms=state.now_ms,
            tx_hash=ZERO_HASH,
            origin=Origin.LIQUIDATION,
        )
        self._matcher.submit(order)
        if order.filled:
            state.ledger.record_order(order)

    def _limit_px(self, pool: Pool, coin: str, side: Side) -> Decimal:
        """Return the worst price to sell or buy at: so far from the mark, or where nothing would be left."""
        state, instrument = self._state, self._state.universe.get(coin)
        mark, size = state.mark(coin), abs(pool.positions()[coin].szi)
        fee = state.config.fees.perp_taker * state.config.fees.builder_dex_factor
        left = self._margin.pool_value(pool) / size
        broke = (mark - left * side.opposite.sign) / (1 - fee * side.opposite.sign)
        bound = mark * (1 + state.config.liquidation_slippage * side.sign)
        if side is Side.SELL:
            return round_px(instrument, max(bound, broke), ROUND_CEILING)
        return round_px(instrument, min(bound, broke), ROUND_FLOOR)

    def _is_beyond_rescue(self, pool: Pool) -> bool:
        value, needed = self._margin.pool_value(pool), self._margin.pool_maintenance(pool)
        return bool(pool.positions()) and value < needed * _BACKSTOP

    def _take_over(self, pool: Pool) -> None:
        """Give the positions to the liquidator vault, at the mark price."""
        state, address = self._state, pool.account.address
        for coin, position in pool.positions().items():
            mark = state.mark(coin)
            side = Side.SELL if position.szi > 0 else Side.BUY
            px = round_px(state.universe.get(coin), mark)
            label = LiquidationMark(address, mark, "backstop")
            self._trades.execute(SystemTrade(coin, px, abs(position.szi), address, LIQUIDATOR, side, liquidation=label))

    def _pay(self, pool: Pool, amount: Decimal) -> None:
        """Let the liquidator vault have what is left of a pool, or (below zero) pay what it owes."""
        if amount:
            self._state.move_cash(pool.account.address, pool.dex, -amount)
            self._state.move_cash(LIQUIDATOR, pool.dex, amount)

    @staticmethod
    def _sizes(pool: Pool) -> tuple[tuple[str, Decimal], ...]:
        return tuple((coin, position.szi) for coin, position in pool.positions().items())

    def _tell(
        self, pool: Pool, sizes: tuple[tuple[str, Decimal], ...], ntl: Decimal, value: Decimal, method: str
    ) -> None:
        state = self._state
        self._lid += 1
        liquidation = Liquidation(
            lid=self._lid,
            address=pool.account.address,
            liquidator=LIQUIDATOR,
            time=state.now_ms,
            hash=ZERO_HASH,
            method=method,
            leverage_type="Cross" if pool.coin is None else "Isolated",
            ntl=ntl,
            account_value=value,
            positions=sizes,
        )
        state.block.liquidations.append(liquidation)
        positions = tuple(LiquidatedPosition(coin, szi) for coin, szi in sizes)
        state.record(LiquidationDelta(ntl, value, liquidation.leverage_type, positions), pool.account.address)
