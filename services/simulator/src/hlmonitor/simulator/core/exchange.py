"""The exchange as its users see it: blocks, orders, TWAPs, deposits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .delisting import Delister
from .dust import DustConverter
from .entry import OrderEntry
from .events import Block
from .funding import Funding
from .instruments import MAIN_DEX
from .lending import Lending
from .leverage import LeverageDesk
from .liquidation import Liquidator
from .margin import Margin
from .matching import Matcher
from .orders import Grouping, Order, OrderRequest, Status
from .outcome_listings import open_all
from .outcome_settlement import OutcomeSettler
from .outcomes import OutcomeDesk
from .roles import Roles
from .schedule import CancelSchedule
from .state import ExchangeConfig, ExchangeState
from .transfers import Transfers
from .triggers import TriggerDesk
from .twap_desk import TwapDesk
from .unified import Unifier
from .vault_netting import VaultNetting
from .vault_payouts import VaultPayouts
from .vaults import Vaults

if TYPE_CHECKING:
    from decimal import Decimal

    from .instruments import Universe
    from .ledger import Ledger
    from .twap import Twap, TwapRequest


class Exchange:
    """Between `begin_block` and `end_block` any number of actions may be taken; all share one time."""

    def __init__(self, universe: Universe, config: ExchangeConfig, ledger: Ledger, genesis_ms: int) -> None:
        self.state = ExchangeState(universe, config, ledger, genesis_ms)
        self.margin = Margin(self.state)
        matcher = Matcher(self.state, self.margin)
        self.triggers = TriggerDesk(self.state, self.margin, matcher)
        self._entry = OrderEntry(self.state, matcher, self.triggers)
        self.schedule = CancelSchedule(self.state, self._entry)
        self.twaps = TwapDesk(self.state, matcher)
        self.funding = Funding(self.state)
        self.leverage = LeverageDesk(self.state, self.margin)
        self._liquidator = Liquidator(self.state, self.margin, matcher)
        self.roles = Roles(self.state)
        self.transfers = Transfers(self.state, self.margin, self.roles)
        self.outcomes = OutcomeDesk(self.state, self.margin)
        self.outcome_settler = OutcomeSettler(self.state, self.outcomes, self._end_outcome_orders)
        self.vaults = Vaults(self.state, self.margin, self.transfers)
        self.vault_payouts = VaultPayouts(
            self.state, self.margin, matcher, self.transfers, self.vaults, self._withdraw_all
        )
        self.vault_netting = VaultNetting(self.state, self.vaults)
        self.unifier = Unifier(self.state, self.margin)
        self.lending = Lending(self.state, self.margin)
        self.dust = DustConverter(self.state, self.margin, matcher)
        self._delister = Delister(self.state)
        open_all(self.outcomes, genesis_ms, self.state.oracle["BTC"])

    def begin_block(self, now_ms: int) -> None:
        """Start the next block. Its time is `now_ms`, or a millisecond after the last block if later."""
        last = self.state.block
        self.state.block = Block(last.number + 1, max(now_ms, last.time_ms + 1))
        self.state.tx_hash = None
        self.schedule.run()

    def end_block(self) -> Block:
        """Run what the exchange does by itself (triggers, TWAPs, funding, liquidations) and return the block."""
        self.state.tx_hash = None
        self.triggers.run()
        self.twaps.run()
        self.funding.run()
        self.unifier.run()
        self._liquidator.run()
        self.outcome_settler.run()
        self.vault_netting.run()
        self.dust.run()
        self.triggers.settle_links()
        for update in self.state.block.order_updates:
            self.state.ledger.record_status(update)
        return self.state.block

    def place(self, address: str, *requests: OrderRequest, grouping: Grouping = Grouping.NONE) -> list[Order]:
        """Send orders in one transaction: they share a hash. The orders returned are live objects.

        Raises:
            RefusedError: the venue would answer with an error instead of orders.
        """
        if self.state.account(address).abstracts_dexes:
            for request in requests:
                self.unifier.prepare(address, request)
        return self._entry.place(address, requests, grouping)

    def cancel(self, address: str, *names: int | str) -> int:
        """Cancel open orders by oid or cloid; return how many there were."""
        return self._entry.cancel(address, names)

    def cancel_all(self, address: str) -> int:
        """Cancel everything open of an address, TWAPs excepted."""
        return self.cancel(address, *(order.oid for order in self.state.account(address).all_open()))

    def modify(self, address: str, name: int | str, request: OrderRequest) -> Order | None:
        """Replace an open order: a new oid under the same cloid. None when it is not open any more."""
        return self.batch_modify(address, (name, request))[0]

    def batch_modify(self, address: str, *changes: tuple[int | str, OrderRequest]) -> list[Order | None]:
        """Replace open orders in one transaction; None for each that is not open any more."""
        return self._entry.modify(address, changes)

    def schedule_cancel(self, address: str, time_ms: int | None) -> None:
        """Cancel everything open of an address at a time, or (None) not; raise RefusedError."""
        self.state.account(address)
        self.schedule.set(address, time_ms)

    def withdraw_orders(
        self, status: Status, *, address: str | None = None, coin: str | None = None, dex: str | None = None
    ) -> int:
        """Cancel, in the exchange's own name, what is open: of one wallet, of a coin, of a dex' perps, or of all three.

        `status` says why; return how many orders there were.
        """
        state = self.state
        accounts = state.accounts.values() if address is None else (state.account(address),)
        orders = [
            order
            for account in accounts
            for order in (*account.all_open(), *account.held_back.values())
            if coin in {None, order.coin} and (dex is None or self._is_perp_of(dex, order.coin))
        ]
        # In the exchange's own name means without a transaction, even in the middle of somebody's.
        tx_hash, state.tx_hash = state.tx_hash, None
        count = self._entry.withdraw(orders, status)
        state.tx_hash = tx_hash
        return count

    def _is_perp_of(self, dex: str, coin: str) -> bool:
        instrument = self.state.universe.get(coin)
        return not instrument.is_spot and instrument.dex == dex

    def delist(self, coin: str) -> None:
        """End trading in a perp or pair: orders are cancelled, new ones rejected, TWAPs end with an error.

        Positions are settled at the mark price.
        """
        self.state.delisted[self.state.universe.get(coin).coin] = None
        self.state.universe.retire(coin)
        self.state.tx_hash = None
        self.withdraw_orders(Status.DELISTED_CANCELED, coin=coin)
        self._delister.settle(coin)

    def _withdraw_all(self, address: str, status: Status) -> None:
        self.withdraw_orders(status, address=address)

    def _end_outcome_orders(self, coin: str) -> None:
        self.withdraw_orders(Status.OUTCOME_SETTLED_CANCELED, coin=coin)

    def set_open_interest_cap(self, coin: str, notional: Decimal | None) -> None:
        """Limit the open interest of a coin to a notional value, or (None) not."""
        coin = self.state.universe.get(coin).coin
        if notional is None:
            self.state.caps.pop(coin, None)
        else:
            self.state.caps[coin] = notional

    def approve_builder(self, address: str, builder: str, tenths_bp: int) -> None:
        """Let a builder take up to this fee, in tenths of a basis point, from a wallet's orders."""
        self.state.account(address).builders[builder] = tenths_bp

    def start_twap(self, address: str, request: TwapRequest) -> Twap:
        """Start a TWAP for an address."""
        self.state.account(address)
        return self.twaps.start(address, request)

    def deposit(self, address: str, amount: Decimal, dex: str = MAIN_DEX) -> None:
        """Add (or, negative, take away) collateral on a dex. It comes from outside the exchange."""
        self.transfers.bring(address, amount, dex)

    def deposit_token(self, address: str, token: int, amount: Decimal) -> None:
        """Add spot tokens from outside the exchange, at no cost basis."""
        self.transfers.bring_token(address, token, amount)

    def set_leverage(self, address: str, coin: str, leverage: int, *, isolated: bool | None = None) -> None:
        """Set leverage, cut to the coin's most, and (unless None) the margin mode; raise RefusedError."""
        self.leverage.set(address, coin, leverage, isolated=isolated)

    def add_isolated_margin(self, address: str, coin: str, amount: Decimal) -> None:
        """Move cash between cross margin and an isolated position (below zero: back); raise RefusedError."""
        self.leverage.add_margin(address, coin, amount)

    def set_oracle(self, coin: str, px: Decimal) -> None:
        """Set the reference price from which the mark follows."""
        instrument = self.state.universe.get(coin)
        self.state.oracle[instrument.coin] = px
        if instrument.dual:
            self.state.oracle[instrument.dual] = 1 - px
        self.state.repriced[coin] = None
