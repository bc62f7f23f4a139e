"""Reserves: wallets supply tokens and earn what those who borrow them pay.

One reserve for each token, at a fixed yearly rate (the venue's depends on use; the figure is an assumption).
Debts grow by the reserve's index; what is supplied is a share of cash and debts together, so every unit of
interest that one side earns the other owes. Borrowing needs a portfolio margin account, and is worth at most
half of what the wallet supplies.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_DOWN, Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from .accounts import ZERO, Abstraction
from .durations import DAY_MS
from .errors import RefusedError
from .ledger_updates import BorrowLend

if TYPE_CHECKING:
    from .margin import Margin
    from .state import ExchangeState

YEARLY_RATE: Final = Decimal("0.05")
LOAN_TO_VALUE: Final = Decimal("0.5")
_YEAR_MS: Final = 365 * DAY_MS
_UNIT: Final = Decimal("0.00000001")


class LendingOperation(StrEnum):
    """What can be done with a reserve, in the venue's words."""

    SUPPLY = "supply"
    WITHDRAW = "withdraw"
    BORROW = "borrow"
    REPAY = "repay"


@dataclass(slots=True)
class _Stake:
    """What a wallet put in or owes: `shares` of the reserve or of its debts, and the principal behind them."""

    shares: Decimal = ZERO
    principal: Decimal = ZERO


@dataclass(slots=True)
class Reserve:
    """A token's pool. `index` is what one share of debt has grown to."""

    updated_ms: int
    cash: Decimal = ZERO
    index: Decimal = Decimal(1)
    supplied: dict[str, _Stake] = field(default_factory=dict)
    borrowed: dict[str, _Stake] = field(default_factory=dict)

    @property
    def debts(self) -> Decimal:
        """All that is owed, interest included."""
        return sum((stake.shares for stake in self.borrowed.values()), ZERO) * self.index

    @property
    def supply_shares(self) -> Decimal:
        """All shares of the reserve."""
        return sum((stake.shares for stake in self.supplied.values()), ZERO)


class Lending:
    """Keeps the reserves."""

    def __init__(self, state: ExchangeState, margin: Margin) -> None:
        self._state = state
        self._margin = margin
        self._reserves: dict[int, Reserve] = {}

    def reserve(self, token: int) -> Reserve:
        """Return a token's reserve, with interest up to now."""
        reserve = self._reserves[token] = self._as_of_now(token)
        return reserve

    def _as_of_now(self, token: int) -> Reserve:
        """Return a token's reserve without touching it: interest is compounded by what is done, not by who looks."""
        now = self._state.now_ms
        reserve = self._reserves.get(token) or Reserve(now)
        grown = 1 + YEARLY_RATE * (now - reserve.updated_ms) / _YEAR_MS
        return replace(reserve, index=reserve.index * grown, updated_ms=now)

    def supplied(self, address: str, token: int) -> Decimal:
        """Return what a wallet's supply is worth now."""
        reserve = self._as_of_now(token)
        stake = reserve.supplied.get(address)
        if stake is None:
            return ZERO
        total = reserve.cash + reserve.debts
        return (total * stake.shares / reserve.supply_shares).quantize(_UNIT, ROUND_DOWN)

    def borrowed(self, address: str, token: int) -> Decimal:
        """Return what a wallet owes now."""
        reserve = self._as_of_now(token)
        stake = reserve.borrowed.get(address)
        return ZERO if stake is None else (stake.shares * reserve.index).quantize(_UNIT, ROUND_CEILING)

    def act(self, address: str, token: int, operation: LendingOperation, amount: Decimal) -> None:
        """Do one operation; raise RefusedError."""
        if all(known.index != token for known in self._state.universe.tokens):
            raise RefusedError(f"Token {token} has no reserve")
        interest = {
            LendingOperation.SUPPLY: self._supply,
            LendingOperation.WITHDRAW: self._withdraw,
            LendingOperation.BORROW: self._borrow,
            LendingOperation.REPAY: self._repay,
        }[operation](address, token, amount)
        name = self._state.universe.token_by_index[token].name
        self._state.record(BorrowLend(name, operation.value, amount, interest), address)

    def _supply(self, address: str, token: int, amount: Decimal) -> Decimal:
        reserve = self.reserve(token)
        self._take(address, token, amount)
        total = reserve.cash + reserve.debts
        stake = reserve.supplied.setdefault(address, _Stake())
        stake.shares += amount * reserve.supply_shares / total if total and reserve.supply_shares else amount
        stake.principal += amount
        reserve.cash += amount
        return ZERO

    def _withdraw(self, address: str, token: int, amount: Decimal) -> Decimal:
        reserve, worth = self.reserve(token), self.supplied(address, token)
        if amount > min(worth, reserve.cash):
            raise RefusedError(f"Cannot withdraw {amount}: {worth} is supplied, {reserve.cash} is there")
        stake = reserve.supplied[address]
        if self._debt_usd(address) > (self._supply_usd(address) - amount * self._state.token_px(token)) * LOAN_TO_VALUE:
            raise RefusedError("Cannot withdraw what stands for a debt")
        part = stake.principal * amount / worth
        stake.shares -= stake.shares * amount / worth
        stake.principal -= part
        if amount == worth:
            del reserve.supplied[address]
        self._give(address, token, amount)
        return max(amount - part, ZERO).quantize(_UNIT)

    def _borrow(self, address: str, token: int, amount: Decimal) -> Decimal:
        reserve = self.reserve(token)
        if self._state.account(address).abstraction is not Abstraction.PORTFOLIO:
            raise RefusedError("Borrowing needs a portfolio margin account")
        if amount > reserve.cash:
            raise RefusedError(f"The reserve has only {reserve.cash}")
        debt = self._debt_usd(address) + amount * self._state.token_px(token)
        if debt > self._supply_usd(address) * LOAN_TO_VALUE:
            raise RefusedError("Not enough supplied to borrow that much")
        stake = reserve.borrowed.setdefault(address, _Stake())
        stake.shares += amount / reserve.index
        stake.principal += amount
        self._give(address, token, amount)
        return ZERO

    def _repay(self, address: str, token: int, amount: Decimal) -> Decimal:
        reserve, debt = self.reserve(token), self.borrowed(address, token)
        if not 0 < amount <= debt:
            raise RefusedError(f"Cannot repay {amount}: {debt} is owed")
        self._take(address, token, amount)
        stake = reserve.borrowed[address]
        part = stake.principal * amount / debt
        stake.shares -= stake.shares * amount / debt
        stake.principal -= part
        if amount == debt:
            del reserve.borrowed[address]
        reserve.cash += amount
        return max(amount - part, ZERO).quantize(_UNIT)

    def _supply_usd(self, address: str) -> Decimal:
        return sum((self.supplied(address, t) * self._state.token_px(t) for t in list(self._reserves)), ZERO)

    def _debt_usd(self, address: str) -> Decimal:
        return sum((self.borrowed(address, t) * self._state.token_px(t) for t in list(self._reserves)), ZERO)

    def _take(self, address: str, token: int, amount: Decimal) -> None:
        account = self._state.account(address)
        balance = account.balance(token)
        if amount <= 0 or amount > balance.total - self._margin.hold(account, token):
            raise RefusedError(f"Insufficient balance: {address} cannot spare {amount} of token {token}")
        cost = (balance.entry_ntl * amount / balance.total).quantize(_UNIT)
        self._state.new_hash()
        self._state.credit_token(address, token, -amount, -cost)

    def _give(self, address: str, token: int, amount: Decimal) -> None:
        self._state.new_hash()
        self._state.credit_token(address, token, amount)
        self.reserve(token).cash -= amount
