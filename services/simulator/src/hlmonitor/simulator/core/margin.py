"""Margin: what accounts are worth, what they must keep, and whether an order fits.

A pool is what is liquidated together: all cross positions of a wallet on a dex with the cross cash, or one
isolated position with its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from .accounts import ZERO, Account
from .orders import Order, Side
from .tiers import table_of

if TYPE_CHECKING:
    from .accounts import Position
    from .instruments import Instrument
    from .state import ExchangeState

_TRANSFER_RATE: Final = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Pool:
    """One pool of margin; `coin` is None for the cross one."""

    account: Account
    dex: str
    coin: str | None = None

    def positions(self) -> dict[str, Position]:
        """Return the pool's positions by coin."""
        held = self.account.on(self.dex).positions
        if self.coin is not None:
            return {self.coin: held[self.coin]} if self.coin in held else {}
        return {coin: position for coin, position in held.items() if position.raw_usd is None}

    @property
    def cash(self) -> Decimal:
        """The pool's cash."""
        margin = self.account.on(self.dex)
        if self.coin is None:
            return margin.raw_usd
        position = margin.positions.get(self.coin)
        return ZERO if position is None or position.raw_usd is None else position.raw_usd


class Margin:
    """Reads accounts against mark prices. Changes nothing."""

    def __init__(self, state: ExchangeState) -> None:
        self._state = state

    def leverage(self, account: Account, instrument: Instrument) -> int:
        """Return the account's leverage on a coin; by default the usual one or the coin's most."""
        return self._state.leverage(account, instrument)

    def pools(self, account: Account, dex: str) -> list[Pool]:
        """Return the pools that hold positions, the cross one first."""
        pools: dict[str | None, Pool] = {}
        for coin, position in account.on(dex).positions.items():
            key = None if position.raw_usd is None else coin
            if key not in pools:
                pools[key] = Pool(account, dex, key)
        return sorted(pools.values(), key=lambda pool: pool.coin is not None)

    def pool_value(self, pool: Pool) -> Decimal:
        """Return what a pool is worth: cash plus positions at mark."""
        held = (position.szi * self._state.mark(coin) for coin, position in pool.positions().items())
        return sum(held, pool.cash)

    def pool_maintenance(self, pool: Pool) -> Decimal:
        """Return the worth below which a pool is liquidated."""
        return sum((self._kept(coin, position) for coin, position in pool.positions().items()), ZERO)

    def _kept(self, coin: str, position: Position) -> Decimal:
        table = table_of(self._state.universe.get(coin))
        return table.maintenance(abs(position.szi) * self._state.mark(coin))

    def value(self, account: Account, dex: str) -> Decimal:
        """Return all that an account is worth on a dex, isolated positions included."""
        margin = account.on(dex)
        held = (p.szi * self._state.mark(coin) for coin, p in margin.positions.items())
        return sum(held, margin.cash)

    def notional(self, pool: Pool) -> Decimal:
        """Return the sum of absolute position values at mark."""
        return sum((abs(p.szi) * self._state.mark(coin) for coin, p in pool.positions().items()), ZERO)

    def initial(self, pool: Pool) -> Decimal:
        """Return the initial margin that a pool's positions take at the account's leverages."""
        total = ZERO
        for coin, position in pool.positions().items():
            instrument = self._state.universe.get(coin)
            total += abs(position.szi) * self._state.mark(coin) / self.leverage(pool.account, instrument)
        return total

    def free(self, account: Account, dex: str) -> Decimal:
        """Return the cross margin that new positions may take, isolated ones included.

        A unified account's spot balance counts too: what it needs is moved at the end of the block.
        """
        cross = Pool(account, dex)
        spare = self.pool_value(cross) - self.initial(cross)
        if account.is_unified:
            token = self._state.universe.collateral(dex)
            spare += max(account.balance(token).total - self.hold(account, token), ZERO)
        return spare

    def transferable(self, pool: Pool) -> Decimal:
        """Return what may leave a pool: it must keep the initial margin and a tenth of its notional."""
        keep = max(self.initial(pool), self.notional(pool) * _TRANSFER_RATE)
        return max(self.pool_value(pool) - keep, ZERO)

    def covers(self, account: Account, order: Order, px: Decimal, *, reserved: bool = True) -> bool:
        """Tell whether an account can carry what an order would add to its position at `px`.

        With `reserved`, the margin of other resting orders on the dex is set aside first.
        """
        if account.house:
            return True
        instrument = self._state.universe.get(order.coin)
        szi = account.on(instrument.dex).szi(order.coin)
        end = abs(szi + order.remaining * order.side.sign)
        if end <= abs(szi):
            return True
        free = self.free(account, instrument.dex)
        if reserved:
            free -= self._reserved(account, instrument.dex)
        leverage = min(self.leverage(account, instrument), table_of(instrument).max_leverage(end * px))
        return (end - abs(szi)) * px / leverage <= free

    def _reserved(self, account: Account, dex: str) -> Decimal:
        total = ZERO
        for order in account.open_orders.values():
            instrument = self._state.universe.get(order.coin)
            if not order.reduce_only and not instrument.is_spot and instrument.dex == dex:
                total += order.remaining * order.limit_px / self.leverage(account, instrument)
        return total

    def hold(self, account: Account, token: int) -> Decimal:
        """Return how much of a token the resting spot orders need."""
        total = ZERO
        for order in account.open_orders.values():
            instrument = self._state.universe.get(order.coin)
            if not instrument.is_spot:
                continue
            if order.side is Side.BUY and instrument.quote == token:
                total += order.remaining * order.limit_px
            elif order.side is Side.SELL and instrument.base == token:
                total += order.remaining
        return total

    def affords(self, account: Account, order: Order) -> bool:
        """Tell whether the free balance pays for a spot order at its limit. In outcomes nobody has credit."""
        instrument = self._state.universe.get(order.coin)
        if account.house and not instrument.is_outcome:
            return True
        token = instrument.quote if order.side is Side.BUY else instrument.base
        need = order.remaining * (order.limit_px if order.side is Side.BUY else 1)
        return need <= account.balance(token).total - self.hold(account, token)

    def reducible(self, order: Order) -> Decimal:
        """Return how much of the position a reduce-only order may still take off."""
        dex = self._state.universe.get(order.coin).dex
        szi = self._state.accounts[order.address].on(dex).szi(order.coin)
        return max(-szi * order.side.sign, ZERO)
