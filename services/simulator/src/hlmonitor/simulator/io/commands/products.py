"""Commands about vaults and outcomes, and what the exchange settles by itself."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from hlmonitor.simulator.wire.addresses import Address

from .base import BadInputError, MarketCommand
from .checks import check_amount, check_coin

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange


class VaultBody(MarketCommand, frozen=True):
    """A vault with its leader's first deposit; the reply has its address. Place its orders under that."""

    address: Address
    name: str
    amount: Decimal
    description: str = ""
    parent: Address | None = None

    def check(self, _exchange: Exchange) -> None:
        """Raise BadInputError for an amount that is none."""
        check_amount("amount", self.amount)

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Make it; raise RefusedError."""
        leader = self.address.lower()
        parent = None if self.parent is None else self.parent.lower()
        vault = exchange.vaults.create(leader, self.name, self.description, self.amount, parent=parent)
        exchange.state.ledger.name(vault.address)
        return {"address": vault.address, "time": exchange.state.now_ms}


class VaultAction(StrEnum):
    """What can be done with a vault."""

    DEPOSIT = "deposit"
    WITHDRAW = "withdraw"
    DISTRIBUTE = "distribute"
    CLOSE = "close"
    NET = "net"


class VaultActionBody(MarketCommand, frozen=True):
    """Money of `address` into a vault or out of it; or, without it: `distribute`, `close`, `net` its children."""

    vault: Address
    action: VaultAction
    address: Address | None = None
    amount: Decimal | None = None

    def check(self, _exchange: Exchange) -> None:
        """Raise BadInputError for what the action lacks."""
        moves = self.action in {VaultAction.DEPOSIT, VaultAction.WITHDRAW}
        if moves and self.address is None:
            raise BadInputError(f"address: {self.action.value} needs one")
        if moves or self.action is VaultAction.DISTRIBUTE:
            if self.amount is None:
                raise BadInputError(f"amount: {self.action.value} needs one")
            check_amount("amount", self.amount)

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Do it; raise RefusedError."""
        vault, user, amount = self.vault.lower(), (self.address or "").lower(), self.amount or Decimal(0)
        match self.action:
            case VaultAction.DEPOSIT:
                exchange.vaults.deposit(vault, user, amount)
            case VaultAction.WITHDRAW:
                exchange.vault_payouts.withdraw(vault, user, amount)
            case VaultAction.DISTRIBUTE:
                exchange.vault_payouts.distribute(vault, amount)
            case VaultAction.CLOSE:
                exchange.vault_payouts.close(vault)
            case VaultAction.NET:
                exchange.vault_netting.net(exchange.vaults.get(vault).address)
            case _:
                assert_never(self.action)
        return {"time": exchange.state.now_ms}


class Conversion(StrEnum):
    """Ways to turn outcome tokens into each other."""

    SPLIT = "split"
    MERGE = "merge"
    NEGATE = "negate"
    MERGE_QUESTION = "merge_question"


class OutcomeBody(MarketCommand, frozen=True):
    """Outcome tokens of a wallet. `number` is that of the outcome, for `merge_question` that of the question."""

    address: Address
    conversion: Conversion
    number: int
    amount: Decimal

    def check(self, _exchange: Exchange) -> None:
        """Raise BadInputError for an amount that is none."""
        check_amount("amount", self.amount)

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Convert; raise RefusedError."""
        address, desk = self.address.lower(), exchange.outcomes
        exchange.state.ledger.name(address)
        convert = {
            Conversion.SPLIT: desk.split,
            Conversion.MERGE: desk.merge,
            Conversion.NEGATE: desk.negate,
            Conversion.MERGE_QUESTION: desk.merge_question,
        }[self.conversion]
        convert(address, self.number, self.amount)
        return {"time": exchange.state.now_ms}


class SettleOutcomeBody(MarketCommand, frozen=True):
    """The end of an outcome: what its first side is worth, from 0 to 1."""

    outcome: int
    fraction: Decimal
    details: str = ""

    def check(self, _exchange: Exchange) -> None:
        """Raise BadInputError for a fraction that is no number."""
        if not self.fraction.is_finite():
            raise BadInputError("fraction: must be a number")

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Settle; raise RefusedError."""
        exchange.outcome_settler.settle(self.outcome, self.fraction, self.details)
        return {"time": exchange.state.now_ms}


class DelistBody(MarketCommand, frozen=True):
    """The end of a perp or pair: orders are cancelled, positions settled at the mark price."""

    coin: str

    def check(self, exchange: Exchange) -> None:
        """Raise BadInputError for an unknown coin."""
        check_coin(exchange, self.coin)

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Delist it."""
        exchange.delist(self.coin)
        return {"time": exchange.state.now_ms}


class ConvertDustBody(MarketCommand, frozen=True):
    """The daily conversion of spot dust, now."""

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Convert."""
        exchange.dust.convert()
        return {"time": exchange.state.now_ms}
