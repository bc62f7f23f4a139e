"""Trades that no order made: takeovers by the liquidator, deleveraging, and whatever else the system settles.

They cost no fee and have a zero hash. Where the system gives the trade a text of its own, both sides show it
(node files have one `trade_dir_override` per trade), except that only the liquidated side is `Liquidated …`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .accounts import ZERO
from .events import Fill, LiquidationMark, Trade
from .orders import ZERO_HASH, Side
from .positions import Positions
from .settlement import liquidated_dir, perp_dir

if TYPE_CHECKING:
    from decimal import Decimal

    from .state import ExchangeState


@dataclass(frozen=True, slots=True)
class SystemTrade:
    """`taker` trades `sz` with `maker` in the direction `side`.

    `text` is the `dir` of both sides; None gives each side its ordinary text, and the taker that of a
    liquidation when it is the liquidated one.
    """

    coin: str
    px: Decimal
    sz: Decimal
    taker: str
    maker: str
    side: Side
    text: str | None = None
    liquidation: LiquidationMark | None = None


class SystemTrades:
    """Executes them on perp positions, in the fills and trades of the block."""

    def __init__(self, state: ExchangeState) -> None:
        self._state = state
        self._positions = Positions(state)

    def execute(self, trade: SystemTrade) -> None:
        """Move both positions; write both fills and the public trade."""
        state = self._state
        buyer, seller = (trade.taker, trade.maker) if trade.side is Side.BUY else (trade.maker, trade.taker)
        oids = {buyer: state.new_oid(), seller: state.new_oid()}
        tid = state.tid(oids[buyer], oids[seller])
        for address, side in ((trade.taker, trade.side), (trade.maker, trade.side.opposite)):
            fill = self._fill(trade, address, side, oids[address], tid)
            state.block.fills.append(fill)
            state.ledger.record_fill(fill)
        state.publish(Trade(trade.coin, trade.side, trade.px, trade.sz, state.now_ms, ZERO_HASH, tid, buyer, seller))

    def _fill(self, trade: SystemTrade, address: str, side: Side, oid: int, tid: int) -> Fill:
        state, instrument = self._state, self._state.universe.get(trade.coin)
        account = state.account(address)
        position = account.on(instrument.dex).positions.get(trade.coin)
        text = trade.text
        is_victim = trade.liquidation is not None and trade.liquidation.liquidated_user == address
        if text is None and is_victim and position is not None:
            text = liquidated_dir(position)
        moved = self._positions.apply(account, instrument, trade.sz * side.sign, trade.px, ZERO)
        return Fill(
            address=address,
            coin=trade.coin,
            px=trade.px,
            sz=trade.sz,
            side=side,
            time=state.now_ms,
            start_position=moved.start,
            dir=perp_dir(moved.start, side, trade.sz) if text is None else text,
            closed_pnl=moved.pnl,
            hash=ZERO_HASH,
            oid=oid,
            crossed=side is trade.side,
            fee=ZERO,
            fee_token=state.universe.token_by_index[instrument.quote].name,
            tid=tid,
            liquidation=trade.liquidation,
        )
