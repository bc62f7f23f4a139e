"""Leverage, cross or isolated, and the cash of isolated positions, as a wallet sets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .accounts import MICRO, ZERO, Account, Position
from .errors import RefusedError
from .margin import Pool

if TYPE_CHECKING:
    from decimal import Decimal

    from .instruments import Instrument
    from .margin import Margin
    from .state import ExchangeState

STRICT_ISOLATED: Final = "strictIsolated"


class LeverageDesk:
    """Changes what positions must be backed by. What a wallet cannot back is refused, and nothing changes."""

    def __init__(self, state: ExchangeState, margin: Margin) -> None:
        self._state = state
        self._margin = margin

    def set(self, address: str, coin: str, leverage: int, *, isolated: bool | None = None) -> None:
        """Set leverage, cut to the coin's most, and (unless None) whether positions are isolated.

        Lower leverage takes more margin: an isolated position gets what it lacks from the cross cash. Higher
        leverage leaves an isolated position's cash where it is.

        Raises:
            RefusedError: the coin is isolated only, a position is open in the other mode, or the margin lacks.
        """
        instrument, account = self._state.universe.get(coin), self._state.account(address)
        if isolated is False and instrument.only_isolated:
            raise RefusedError("Cross margin is not allowed for this asset.")
        position = account.on(instrument.dex).positions.get(coin)
        if position is not None and isolated is not None and isolated != (position.raw_usd is not None):
            raise RefusedError("Cannot switch leverage type with open position.")
        chosen = max(1, min(leverage, instrument.max_leverage))
        if position is not None and chosen < self._margin.leverage(account, instrument):
            self._back(account, instrument, position, chosen)
        account.leverage[coin] = chosen
        if isolated is not None:
            (account.isolated.add if isolated else account.isolated.discard)(coin)

    def _back(self, account: Account, instrument: Instrument, position: Position, leverage: int) -> None:
        """Make sure that a position has its margin at a lower leverage."""
        notional = abs(position.szi) * self._state.mark(instrument.coin)
        free = self._margin.free(account, instrument.dex)
        lacking = notional / leverage - notional / self._margin.leverage(account, instrument)
        if position.raw_usd is not None:
            lacking = notional / leverage - self._margin.pool_value(Pool(account, instrument.dex, instrument.coin))
        if lacking > max(free, ZERO):
            raise RefusedError("Insufficient margin to set this leverage.")
        if position.raw_usd is not None and lacking > 0:
            self._shift(account, instrument, position, lacking.quantize(MICRO))

    def add_margin(self, address: str, coin: str, amount: Decimal) -> None:
        """Move cash from cross to an isolated position, or (below zero) back.

        Raises:
            RefusedError: there is no isolated position, or the pool that pays cannot spare so much.
        """
        instrument, account = self._state.universe.get(coin), self._state.account(address)
        position = account.on(instrument.dex).positions.get(coin)
        if position is None or position.raw_usd is None:
            raise RefusedError("Must have isolated position to update isolated margin.")
        if amount < 0 and instrument.margin_mode == STRICT_ISOLATED:
            raise RefusedError("Cannot remove margin from strict isolated position.")
        payer = Pool(account, instrument.dex, coin if amount < 0 else None)
        spare = self._margin.transferable(payer)
        if abs(amount) > spare:
            raise RefusedError("Insufficient margin for this transfer.")
        self._shift(account, instrument, position, amount)

    def _shift(self, account: Account, instrument: Instrument, position: Position, amount: Decimal) -> None:
        position.raw_usd = (position.raw_usd or ZERO) + amount
        self._state.move_cash(account.address, instrument.dex, -amount)
