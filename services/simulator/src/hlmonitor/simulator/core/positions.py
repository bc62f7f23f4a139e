"""The only writer of perp positions, and of the cash that moves with them.

An isolated position has cash of its own. What opens takes its initial margin out of the cross cash; what
closes gives back its share of the position's cash. The fee of a fill that opens is paid out of the isolated
cash (as in the one recorded state of facts 1.8), that of a closing fill out of the cross cash, an assumption.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .accounts import MICRO, ZERO, Account, MarginAccount, Position

if TYPE_CHECKING:
    from decimal import Decimal

    from .instruments import Instrument
    from .state import ExchangeState


@dataclass(frozen=True, slots=True)
class Moved:
    """What a fill did to a position: the size before, and the realised PnL before fee."""

    start: Decimal
    pnl: Decimal


class Positions:
    """Keeps with each position who holds the coin, its open interest, and whose margin needs a new look."""

    def __init__(self, state: ExchangeState) -> None:
        self._state = state

    def apply(self, account: Account, instrument: Instrument, delta: Decimal, px: Decimal, fee: Decimal) -> Moved:
        """Add a signed fill and pay for it, fee included."""
        coin, margin = instrument.coin, account.on(instrument.dex)
        position = margin.positions.get(coin)
        if position is None:
            position = margin.positions[coin] = Position(raw_usd=self._own_cash(account, instrument))
        start = position.szi
        if position.raw_usd is None:
            margin.raw_usd -= delta * px + fee
        else:
            before = position.raw_usd
            position.raw_usd = self._isolated_cash(account, instrument, position, delta, px, fee)
            margin.raw_usd += before - position.raw_usd - delta * px - fee
        pnl = position.apply(delta, px)
        position.funding_since_change = ZERO
        if start * position.szi < 0:
            position.funding_since_open = ZERO
        self._index(account, instrument, margin, start, position.szi)
        return Moved(start, pnl)

    def put(self, account: Account, instrument: Instrument, szi: Decimal, entry_ntl: Decimal) -> None:
        """Put a cross position in the place of another, zero for none; its cash is the caller's business."""
        margin = account.on(instrument.dex)
        start = margin.szi(instrument.coin)
        if start or szi:
            margin.positions[instrument.coin] = Position(szi, entry_ntl)
            self._index(account, instrument, margin, start, szi)

    @staticmethod
    def _own_cash(account: Account, instrument: Instrument) -> Decimal | None:
        return ZERO if instrument.only_isolated or instrument.coin in account.isolated else None

    def _isolated_cash(
        self, account: Account, instrument: Instrument, position: Position, delta: Decimal, px: Decimal, fee: Decimal
    ) -> Decimal:
        """Return an isolated position's cash after a fill. What it gains or loses beside the fill, cross pays."""
        start, cash = position.szi, position.raw_usd or ZERO
        closing = min(abs(start), abs(delta)) if start * delta < 0 else ZERO
        if closing:
            cash -= cash if closing == abs(start) else (cash * closing / abs(start)).quantize(MICRO)
        opening = (abs(delta) - closing).copy_sign(delta)
        if not opening:
            return cash
        stake = (abs(opening) * px / self._state.leverage(account, instrument)).quantize(MICRO)
        return cash + stake - opening * px - fee

    def _index(
        self, account: Account, instrument: Instrument, margin: MarginAccount, start: Decimal, end: Decimal
    ) -> None:
        state, coin = self._state, instrument.coin
        if not end:
            del margin.positions[coin]
            state.holders[coin].pop(account.address, None)
        elif not start:
            state.holders[coin][account.address] = account
        state.open_interest[coin] += max(end, ZERO) - max(start, ZERO)
        state.unsettled[account.address, instrument.dex] = None
