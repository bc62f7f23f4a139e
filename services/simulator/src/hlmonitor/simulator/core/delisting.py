"""How trading in a perp ends: orders are cancelled, positions are settled at the mark price.

Each holder has one fill of the system for its whole position, without fee, hash or public trade.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .accounts import ZERO
from .events import Fill
from .orders import ZERO_HASH, Side
from .positions import Positions

if TYPE_CHECKING:
    from decimal import Decimal

    from .accounts import Account
    from .instruments import Instrument
    from .state import ExchangeState


class Delister:
    """Settles positions. Since they sum to zero, so do the payments."""

    def __init__(self, state: ExchangeState) -> None:
        self._state = state
        self._positions = Positions(state)

    def settle(self, coin: str) -> None:
        """Close everybody's position in a coin at its mark price."""
        instrument = self._state.universe.get(coin)
        px = self._state.mark(coin)
        for account in list(self._state.holders[coin].values()):
            self._close(account, instrument, px)

    def _close(self, account: Account, instrument: Instrument, px: Decimal) -> None:
        state, szi = self._state, account.on(instrument.dex).szi(instrument.coin)
        moved, oid = self._positions.apply(account, instrument, -szi, px, ZERO), state.new_oid()
        fill = Fill(
            address=account.address,
            coin=instrument.coin,
            px=px,
            sz=abs(szi),
            side=Side.SELL if szi > 0 else Side.BUY,
            time=state.now_ms,
            start_position=moved.start,
            dir="Settlement",
            closed_pnl=moved.pnl,
            hash=ZERO_HASH,
            oid=oid,
            crossed=True,
            fee=ZERO,
            fee_token=state.universe.token_by_index[instrument.quote].name,
            tid=state.tid(oid, 0),
        )
        state.block.fills.append(fill)
        state.ledger.record_fill(fill)
