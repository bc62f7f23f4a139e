"""Accounts that keep all their collateral in the spot balance (facts 4.3), and dex abstraction.

After every block a unified account has on each dex what its cross positions there need as initial margin,
and everything else in the spot balance of the collateral token (an assumption: where the line runs is not
documented). So gains arrive in spot, losses are paid from there, and only an account that has nothing left
in spot either can fall below maintenance margin. Its perp account value understates its equity.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR
from typing import TYPE_CHECKING

from .accounts import MICRO, ZERO, Abstraction, Account
from .errors import RefusedError
from .instruments import MAIN_DEX
from .ledger_updates import ActivateDexAbstraction
from .margin import Pool

if TYPE_CHECKING:
    from decimal import Decimal

    from .instruments import Dex
    from .margin import Margin
    from .orders import OrderRequest
    from .state import ExchangeState


class Unifier:
    """Moves collateral between dexes and spot for those who asked for it."""

    def __init__(self, state: ExchangeState, margin: Margin) -> None:
        self._state = state
        self._margin = margin
        self._unified: dict[str, None] = {}

    def set(self, address: str, abstraction: Abstraction) -> None:
        """Choose how an account keeps its collateral.

        Raises:
            RefusedError: the account has positions or orders, which would lose or gain their margin.
        """
        account = self._state.account(address)
        if account.open_orders or any(margin.positions for margin in account.margin.values()):
            raise RefusedError("Cannot change the abstraction with open orders or positions")
        self._state.new_hash()
        account.abstraction = abstraction
        if account.is_unified:
            self._unified[address] = None
            self._level(account)
        else:
            self._unified.pop(address, None)

    def run(self) -> None:
        """Level every unified account."""
        for address in self._unified:
            self._level(self._state.accounts[address])

    def _level(self, account: Account) -> None:
        for dex in self._state.universe.dexes:
            if dex.name in account.margin:
                self._level_on(account, dex)

    def _level_on(self, account: Account, dex: Dex) -> None:
        pool = Pool(account, dex.name)
        surplus = (self._margin.pool_value(pool) - self._margin.initial(pool)).quantize(MICRO, ROUND_FLOOR)
        if surplus < 0:
            spare = account.balance(dex.collateral).total - self._margin.hold(account, dex.collateral)
            surplus = -min(-surplus, max(spare, ZERO))
        if surplus:
            self._state.credit_perp(account.address, dex.name, -surplus)
            self._state.credit_token(account.address, dex.collateral, surplus)

    def prepare(self, address: str, request: OrderRequest) -> None:
        """For a wallet with dex abstraction: bring to a HIP-3 dex what an order there needs and it lacks.

        It comes from the main dex if that has the same collateral, else from the spot balance. What is not
        there does not come: then the order is refused as usual.
        """
        account, instrument = self._state.account(address), self._state.universe.get(request.coin)
        if instrument.is_spot or instrument.dex == MAIN_DEX:
            return
        px = self._state.mark(request.coin) if request.px is None else request.px
        need = request.sz * px / self._margin.leverage(account, instrument) - self._margin.free(account, instrument.dex)
        main = self._state.universe.collateral(MAIN_DEX) == instrument.quote
        spare = (
            self._margin.transferable(Pool(account, MAIN_DEX))
            if main
            else account.balance(instrument.quote).total - self._margin.hold(account, instrument.quote)
        )
        amount = min(need, spare).quantize(MICRO, ROUND_FLOOR) if need > 0 else ZERO
        if amount > 0:
            self._move(address, instrument.dex, instrument.quote, amount, from_main=main)

    def _move(self, address: str, dex: str, token: int, amount: Decimal, *, from_main: bool) -> None:
        state = self._state
        state.new_hash()
        if from_main:
            state.credit_perp(address, MAIN_DEX, -amount)
        else:
            state.credit_token(address, token, -amount)
        state.credit_perp(address, dex, amount)
        state.record(ActivateDexAbstraction(dex, state.universe.token_by_index[token].name, amount), address)
