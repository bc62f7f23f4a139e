"""Commands about wallets: transfers, sub-accounts, agents, how collateral is kept, lending."""

from __future__ import annotations

from abc import abstractmethod
from decimal import Decimal
from typing import TYPE_CHECKING

from hlmonitor.simulator.core.accounts import Abstraction
from hlmonitor.simulator.core.lending import LendingOperation
from hlmonitor.simulator.core.transfers import SPOT
from hlmonitor.simulator.wire.addresses import Address

from .base import BadInputError, MarketCommand
from .checks import check_amount

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange


class _MoneyBody(MarketCommand, frozen=True):
    """Money of a wallet; raise RefusedError if it cannot spare it."""

    address: Address
    amount: Decimal

    def check(self, exchange: Exchange) -> None:
        """Raise BadInputError for an amount that is none; from now on everything of the wallet is kept."""
        check_amount("amount", self.amount)
        exchange.state.ledger.name(self.address.lower())

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Move it."""
        self.move(exchange, self.address.lower())
        return {"time": exchange.state.now_ms}

    @abstractmethod
    def move(self, exchange: Exchange, address: str) -> None:
        """Move the money of this wallet."""


class WithdrawUsdcBody(_MoneyBody, frozen=True):
    """USDC out of the main dex; a dollar more is the fee."""

    def move(self, exchange: Exchange, address: str) -> None:
        """Withdraw."""
        exchange.transfers.withdraw(address, self.amount)


class SendUsdBody(_MoneyBody, frozen=True, kw_only=True):
    """USDC from one wallet's main margin to another's."""

    destination: Address

    def move(self, exchange: Exchange, address: str) -> None:
        """Send."""
        exchange.transfers.send_usd(address, self.destination.lower(), self.amount)


class ClassTransferBody(_MoneyBody, frozen=True, kw_only=True):
    """USDC between a wallet's spot balance and its main margin."""

    to_perp: bool

    def move(self, exchange: Exchange, address: str) -> None:
        """Transfer."""
        exchange.transfers.transfer_class(address, self.amount, to_perp=self.to_perp)


class SendTokenBody(_MoneyBody, frozen=True, kw_only=True):
    """A spot token from one wallet to another."""

    destination: Address
    token: int

    def move(self, exchange: Exchange, address: str) -> None:
        """Send."""
        exchange.transfers.send_token(address, self.destination.lower(), self.token, self.amount)


class SendAssetBody(_MoneyBody, frozen=True, kw_only=True):
    """A token between dexes (`""`, `xyz`, …) and spot balances (`spot`), of one wallet or two."""

    token: int
    source_dex: str
    destination_dex: str
    destination: Address | None = None

    def check(self, exchange: Exchange) -> None:
        """Raise BadInputError for a dex that is not listed."""
        _MoneyBody.check(self, exchange)
        for name, dex in (("source_dex", self.source_dex), ("destination_dex", self.destination_dex)):
            if dex != SPOT and exchange.state.universe.dex(dex) is None:
                raise BadInputError(f"{name}: {dex!r} is not listed by perpDexs, nor is it {SPOT!r}")

    def move(self, exchange: Exchange, address: str) -> None:
        """Send."""
        target = address if self.destination is None else self.destination.lower()
        exchange.transfers.send_asset(address, target, self.source_dex, self.destination_dex, self.token, self.amount)


class SubAccountBody(MarketCommand, frozen=True):
    """A sub-account of a wallet; the reply has its address."""

    address: Address
    name: str

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Make it; raise RefusedError."""
        sub = exchange.roles.create_sub_account(self.address.lower(), self.name)
        exchange.state.ledger.name(sub.address)
        return {"address": sub.address, "time": exchange.state.now_ms}


class SubAccountTransferBody(_MoneyBody, frozen=True, kw_only=True):
    """USDC from a master to one of its sub-accounts, or back."""

    sub: Address
    to_sub: bool = True

    def move(self, exchange: Exchange, address: str) -> None:
        """Transfer."""
        exchange.transfers.transfer_sub_account(address, self.sub.lower(), self.amount, to_sub=self.to_sub)


class AgentBody(MarketCommand, frozen=True):
    """An agent wallet of a user: asked about it, the exchange answers empty."""

    address: Address
    agent: Address

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Approve it; raise RefusedError."""
        exchange.roles.approve_agent(self.address.lower(), self.agent.lower())
        return {"time": exchange.state.now_ms}


class StakeBody(_MoneyBody, frozen=True, kw_only=True):
    """HYPE from the spot balance to the staking balance, or back."""

    deposit: bool = True

    def move(self, exchange: Exchange, address: str) -> None:
        """Stake."""
        exchange.transfers.stake(address, self.amount, is_deposit=self.deposit)


class _TokenBody(_MoneyBody, frozen=True, kw_only=True):
    """An amount of a token."""

    token: int


class RewardsBody(_TokenBody, frozen=True, kw_only=True):
    """Rewards that a wallet claims."""

    def move(self, exchange: Exchange, address: str) -> None:
        """Pay them."""
        exchange.transfers.claim_rewards(address, self.token, self.amount)


class GenesisBody(_TokenBody, frozen=True, kw_only=True):
    """Tokens handed out at their birth."""

    def move(self, exchange: Exchange, address: str) -> None:
        """Give them."""
        exchange.transfers.give_genesis(address, self.token, self.amount)


class DeployGasBody(_TokenBody, frozen=True, kw_only=True):
    """The price of a deployment auction."""

    def move(self, exchange: Exchange, address: str) -> None:
        """Pay it."""
        exchange.transfers.pay_deploy_gas(address, self.token, self.amount)


class BorrowLendBody(_TokenBody, frozen=True, kw_only=True):
    """Supply to a reserve, withdraw from it, borrow, repay."""

    operation: LendingOperation

    def move(self, exchange: Exchange, address: str) -> None:
        """Do it."""
        exchange.lending.act(address, self.token, self.operation, self.amount)


class AbstractionBody(MarketCommand, frozen=True):
    """How a wallet keeps its collateral, whether orders bring it along to other dexes, and whether dust is kept."""

    address: Address
    abstraction: Abstraction | None = None
    dexes: bool | None = None
    keeps_dust: bool | None = None

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Set what is given; raise RefusedError."""
        address = self.address.lower()
        account = exchange.state.account(address)
        if self.abstraction is not None:
            exchange.unifier.set(address, self.abstraction)
        if self.dexes is not None:
            account.abstracts_dexes = self.dexes
        if self.keeps_dust is not None:
            account.keeps_dust = self.keeps_dust
        return {"time": exchange.state.now_ms}
