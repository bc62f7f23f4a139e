"""Cross margin: what an account is worth, what it must keep, and whether an order fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .accounts import ZERO, Account
from .orders import Order, Side

if TYPE_CHECKING:
    from decimal import Decimal

    from .instruments import Instrument
    from .state import ExchangeState


class Margin:
    """Reads accounts against mark prices. Changes nothing."""

    def __init__(self, state: ExchangeState) -> None:
        self._state = state

    def leverage(self, account: Account, instrument: Instrument) -> int:
        """Return the account's leverage on a coin; by default the usual one or the coin's most."""
        return self._state.leverage(account, instrument)

    def value(self, account: Account, dex: str) -> Decimal:
        """Return the account value on a dex: cash plus positions at mark."""
        margin = account.on(dex)
        held = (p.szi * self._state.mark(coin) for coin, p in margin.positions.items())
        return sum(held, margin.raw_usd)

    def notional(self, account: Account, dex: str) -> Decimal:
        """Return the sum of absolute position values at mark."""
        positions = account.on(dex).positions
        return sum((abs(p.szi) * self._state.mark(coin) for coin, p in positions.items()), ZERO)

    def used(self, account: Account, dex: str) -> Decimal:
        """Return the initial margin that the positions take."""
        total = ZERO
        for coin, position in account.on(dex).positions.items():
            instrument = self._state.universe.get(coin)
            total += abs(position.szi) * self._state.mark(coin) / self.leverage(account, instrument)
        return total

    def maintenance(self, account: Account, dex: str) -> Decimal:
        """Return the value below which the account is liquidated: half the margin at most leverage."""
        total = ZERO
        for coin, position in account.on(dex).positions.items():
            most = self._state.universe.get(coin).max_leverage
            total += abs(position.szi) * self._state.mark(coin) / (2 * most)
        return total

    def covers(self, account: Account, order: Order, px: Decimal, *, reserved: bool = True) -> bool:
        """Tell whether an account can carry what an order would add to its position at `px`.

        With `reserved`, the margin of other resting orders on the dex is set aside first.
        """
        if account.house:
            return True
        instrument = self._state.universe.get(order.coin)
        szi = account.on(instrument.dex).szi(order.coin)
        added = abs(szi + order.remaining * order.side.sign) - abs(szi)
        if added <= 0:
            return True
        free = self.value(account, instrument.dex) - self.used(account, instrument.dex)
        if reserved:
            free -= self._reserved(account, instrument.dex)
        return added * px / self.leverage(account, instrument) <= free

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
        """Tell whether the free balance pays for a spot order at its limit."""
        if account.house:
            return True
        instrument = self._state.universe.get(order.coin)
        token = instrument.quote if order.side is Side.BUY else instrument.base
        need = order.remaining * (order.limit_px if order.side is Side.BUY else 1)
        return need <= account.balance(token).total - self.hold(account, token)

    def reducible(self, order: Order) -> Decimal:
        """Return how much of the position a reduce-only order may still take off."""
        dex = self._state.universe.get(order.coin).dex
        szi = self._state.accounts[order.address].on(dex).szi(order.coin)
        return max(-szi * order.side.sign, ZERO)
