"""Fills that no order made, on token balances: outcome conversions, settlement of outcomes, dust.

They cost no fee, have a zero hash and no public trade. What they exchange the tokens for, their caller moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .accounts import MICRO, ZERO
from .events import Fill
from .orders import ZERO_HASH, Side

if TYPE_CHECKING:
    from decimal import Decimal

    from .instruments import Instrument
    from .state import ExchangeState


@dataclass(frozen=True, slots=True)
class _Booked:
    """What such a fill says."""

    side: Side
    sz: Decimal
    px: Decimal
    start: Decimal
    pnl: Decimal
    text: str
    has_tid: bool = True


class BalanceFills:
    """Adds tokens to a wallet or takes them away, each time with a fill under a given `dir`."""

    def __init__(self, state: ExchangeState) -> None:
        self._state = state

    def add(self, address: str, instrument: Instrument, sz: Decimal, px: Decimal, text: str) -> None:
        """Give a wallet tokens that cost it `px` each."""
        start = self._state.account(address).balance(instrument.base).total
        self._state.credit_token(address, instrument.base, sz, (sz * px).quantize(MICRO))
        self._write(address, instrument, _Booked(Side.BUY, sz, px, start, ZERO, text))

    def take(
        self, address: str, instrument: Instrument, sz: Decimal, px: Decimal, text: str, *, has_tid: bool = True
    ) -> None:
        """Take tokens from a wallet at `px` each; what they cost in proportion makes the PnL."""
        balance = self._state.account(address).balance(instrument.base)
        start = balance.total
        cost = balance.entry_ntl if sz == start else (balance.entry_ntl * sz / start).quantize(MICRO)
        self._state.credit_token(address, instrument.base, -sz, -cost)
        pnl = (sz * px).quantize(MICRO) - cost
        self._write(address, instrument, _Booked(Side.SELL, sz, px, start, pnl, text, has_tid))

    def _write(self, address: str, instrument: Instrument, booked: _Booked) -> None:
        state, oid = self._state, self._state.new_oid()
        fill = Fill(
            address=address,
            coin=instrument.coin,
            px=booked.px,
            sz=booked.sz,
            side=booked.side,
            time=state.now_ms,
            start_position=booked.start,
            dir=booked.text,
            closed_pnl=booked.pnl,
            hash=ZERO_HASH,
            oid=oid,
            crossed=True,
            fee=ZERO,
            fee_token=state.universe.token_by_index[instrument.quote].name,
            # A fill of one party: no other order has a part in its trade id.
            tid=state.tid(oid, 0) if booked.has_tid else 0,
        )
        state.block.fills.append(fill)
        state.ledger.record_fill(fill)
