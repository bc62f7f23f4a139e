"""Netting of opposite positions of vaults below one parent (facts 3.2, `Net Child Vaults`).

Once an hour (an assumption) what one child is long and another short changes hands at the mark price: sizes
change, no PnL is shown, there is no fee and no public trade.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .accounts import ZERO
from .durations import HOUR_MS
from .events import Fill
from .instruments import MAIN_DEX
from .orders import ZERO_HASH, Side
from .positions import Positions

if TYPE_CHECKING:
    from decimal import Decimal

    from .state import ExchangeState
    from .vaults import Vaults


class VaultNetting:
    """Nets the children of every parent when an hour begins, or on command."""

    def __init__(self, state: ExchangeState, vaults: Vaults) -> None:
        self._state = state
        self._vaults = vaults
        self._positions = Positions(state)
        self._hour = state.now_ms // HOUR_MS

    def run(self) -> None:
        """Net if this is the first block of an hour."""
        hour = self._state.now_ms // HOUR_MS
        if hour != self._hour:
            self._hour = hour
            parents = {vault.parent for vault in self._vaults.by_address.values() if vault.parent is not None}
            for parent in sorted(parents):
                self.net(parent)

    def net(self, parent: str) -> None:
        """Net the children of one parent, coin by coin."""
        children = [vault.address for vault in self._vaults.children(parent)]
        held = [self._state.account(address).on(MAIN_DEX).positions for address in children]
        for coin in sorted({coin for positions in held for coin in positions}):
            self._net_coin(children, coin)

    def _net_coin(self, children: list[str], coin: str) -> None:
        sizes = {address: self._state.account(address).on(MAIN_DEX).szi(coin) for address in children}
        longs = [address for address, szi in sizes.items() if szi > 0]
        shorts = [address for address, szi in sizes.items() if szi < 0]
        while longs and shorts:
            seller, buyer = longs[0], shorts[0]
            sz = min(sizes[seller], -sizes[buyer])
            self._exchange(seller, buyer, coin, sz)
            sizes[seller] -= sz
            sizes[buyer] += sz
            if not sizes[seller]:
                longs.pop(0)
            if not sizes[buyer]:
                shorts.pop(0)

    def _exchange(self, seller: str, buyer: str, coin: str, sz: Decimal) -> None:
        state, instrument = self._state, self._state.universe.get(coin)
        px, oids = state.mark(coin), {buyer: state.new_oid(), seller: state.new_oid()}
        tid = state.tid(oids[buyer], oids[seller])
        for address, side in ((buyer, Side.BUY), (seller, Side.SELL)):
            moved = self._positions.apply(state.account(address), instrument, sz * side.sign, px, ZERO)
            fill = Fill(
                address=address,
                coin=coin,
                px=px,
                sz=sz,
                side=side,
                time=state.now_ms,
                start_position=moved.start,
                dir="Net Child Vaults",
                closed_pnl=ZERO,
                hash=ZERO_HASH,
                oid=oids[address],
                crossed=side is Side.BUY,
                fee=ZERO,
                fee_token=state.universe.token_by_index[instrument.quote].name,
                tid=tid,
            )
            state.block.fills.append(fill)
            state.ledger.record_fill(fill)
