"""What a sent block does to the accounts of the exchange on which its wallets live."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.accounts import ZERO
from hlmonitor.simulator.core.instruments import MAIN_DEX
from hlmonitor.simulator.core.positions import Positions

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange

    from .plan import LoadBlock, LoadPlan

_MONEY: Final = Decimal(1_000_000_000)


class LoadAccounts:
    """Keeps positions and cash of the load's wallets as the last sent block leaves them."""

    def __init__(self, plan: LoadPlan, exchange: Exchange) -> None:
        self._plan = plan
        self._exchange = exchange
        self._positions = Positions(exchange.state)

    def enter(self) -> None:
        """Let the wallets come in with money and credit, so that nothing but the plan moves them."""
        for address in self._plan.addresses:
            self._exchange.state.account(address).house = True
            self._exchange.state.ledger.name(address)
            self._exchange.deposit(address, _MONEY)

    def apply(self, load: LoadBlock) -> None:
        """Bring the accounts to where a block leaves them."""
        state = self._exchange.state
        for after in load.positions:
            instrument = state.universe.get(after.coin)
            self._positions.put(state.accounts[after.address], instrument, after.szi, after.entry_ntl)
        for address, gain in load.cash:
            state.accounts[address].on(MAIN_DEX).raw_usd += gain
        state.perp_fees[MAIN_DEX] = state.perp_fees.get(MAIN_DEX, ZERO) + load.fees
        state.ledger.orders_total += len(load.orders)
        state.ledger.fills_total += len(load.block.fills)
