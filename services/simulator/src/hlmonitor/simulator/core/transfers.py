"""Moving money without trading: in and out, between wallets, between the parts of one wallet.

Every action is a transaction of its own and leaves a ledger update with each wallet that it touches. Amounts
are positive. What a wallet cannot spare is refused.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from .accounts import MICRO, ZERO
from .errors import RefusedError
from .instruments import MAIN_DEX, USDC
from .ledger_updates import (
    AccountClassTransfer,
    CStakingTransfer,
    DeployGasAuction,
    Deposit,
    InternalTransfer,
    RewardsClaim,
    Send,
    SpotGenesis,
    SpotTransfer,
    SubAccountTransfer,
    Withdraw,
)
from .margin import Pool

if TYPE_CHECKING:
    from .accounts import Account
    from .margin import Margin
    from .roles import Roles
    from .state import ExchangeState

SPOT: Final = "spot"
"""The name under which the spot balance is the source or destination of a `send`."""
_SYSTEM_ADDRESS: Final = 0x20 << 152
_NEW_ACCOUNT_FEE: Final = Decimal(1)
_WITHDRAW_FEE: Final = Decimal(1)
_STAKING: Final = "HYPE"


def system_address(token: int) -> str:
    """Return the address through which a token comes and goes between the venue's two chains."""
    return f"0x{_SYSTEM_ADDRESS + token:040x}"


class Transfers:
    """Moves money. The fee for sending to a wallet that is not there yet is 1 of what is sent with, as on the venue."""

    def __init__(self, state: ExchangeState, margin: Margin, roles: Roles) -> None:
        self._state = state
        self._margin = margin
        self._roles = roles

    def bring(self, address: str, amount: Decimal, dex: str = MAIN_DEX) -> None:
        """Add collateral from outside (negative takes away, even what positions need).

        On the main dex it is a `deposit` or a free `withdraw`; to another dex it is sent from the bridge.
        """
        state = self._state
        state.new_hash()
        state.credit_perp(address, dex, amount)
        if dex == MAIN_DEX:
            moved = Deposit(amount) if amount >= 0 else Withdraw(-amount, state.now_ms, ZERO)
            state.record(moved, address)
            return
        token = state.universe.collateral(dex)
        bridge = system_address(token)
        sender, receiver = (bridge, address) if amount >= 0 else (address, bridge)
        source, target = (SPOT, dex) if amount >= 0 else (dex, SPOT)
        state.record(self._sent(sender, receiver, source, target, token, abs(amount), ZERO), address)

    def bring_token(self, address: str, token: int, amount: Decimal) -> None:
        """Add spot tokens from the other chain at no cost basis (negative takes away)."""
        state = self._state
        state.new_hash()
        state.credit_token(address, token, amount)
        bridge = system_address(token)
        sender, receiver = (bridge, address) if amount >= 0 else (address, bridge)
        state.record(self._spot_transfer(sender, receiver, token, abs(amount), ZERO), address)

    def withdraw(self, address: str, usdc: Decimal) -> None:
        """Take USDC of the main dex out; 1 USDC more is the fee."""
        self._state.new_hash()
        self.take(address, MAIN_DEX, usdc + _WITHDRAW_FEE)
        self.charge(MAIN_DEX, _WITHDRAW_FEE)
        self._state.record(Withdraw(usdc, self._state.now_ms, _WITHDRAW_FEE), address)

    def send_usd(self, sender: str, destination: str, usdc: Decimal) -> None:
        """Send USDC from one main margin to another."""
        state = self._state
        state.new_hash()
        fee = self._new_account_fee(destination)
        self.take(sender, MAIN_DEX, usdc + fee)
        self.charge(MAIN_DEX, fee)
        self.give(destination, MAIN_DEX, usdc)
        state.record(InternalTransfer(usdc, sender, destination, fee), sender, destination)

    def transfer_sub_account(self, master: str, sub: str, usdc: Decimal, *, to_sub: bool) -> None:
        """Move USDC between a master's main margin and that of one of its sub-accounts."""
        known = self._roles.sub_accounts.get(sub)
        if known is None or known.master != master:
            raise RefusedError(f"Invalid sub-account transfer from {master}")
        sender, destination = (master, sub) if to_sub else (sub, master)
        self._state.new_hash()
        self.take(sender, MAIN_DEX, usdc)
        self.give(destination, MAIN_DEX, usdc)
        self._state.record(SubAccountTransfer(usdc, sender, destination), sender, destination)

    def transfer_class(self, address: str, usdc: Decimal, *, to_perp: bool) -> None:
        """Move USDC between a wallet's spot balance and its main margin."""
        state = self._state
        if state.account(address).is_unified:
            raise RefusedError("Action disabled when unified account is active")
        state.new_hash()
        if to_perp:
            self._take_token(address, USDC, usdc)
            state.credit_perp(address, MAIN_DEX, usdc)
        else:
            self.take(address, MAIN_DEX, usdc)
            state.credit_token(address, USDC, usdc)
        state.record(AccountClassTransfer(usdc, to_perp), address)

    def send_token(self, sender: str, destination: str, token: int, amount: Decimal) -> None:
        """Send a spot token to another wallet."""
        state = self._state
        self._check_token(token)
        state.new_hash()
        fee = self._new_account_fee(destination)
        self._take_token(sender, USDC, fee)
        state.token_fees[USDC] = state.token_fees.get(USDC, ZERO) + fee
        state.token_deposits[USDC] = state.token_deposits.get(USDC, ZERO) + fee
        self._take_token(sender, token, amount)
        state.credit_token(destination, token, amount)
        state.record(self._spot_transfer(sender, destination, token, amount, fee), sender, destination)

    def send_asset(
        self, sender: str, destination: str, source_dex: str, destination_dex: str, token: int, amount: Decimal
    ) -> None:
        """Send a token between any two of: the main dex (""), a HIP-3 dex, the spot balance ("spot")."""
        state = self._state
        for dex in (source_dex, destination_dex):
            if dex != SPOT and state.universe.collateral(dex) != token:
                raise RefusedError(f"Token {token} is not the collateral of dex {dex!r}")
        self._check_token(token)
        state.new_hash()
        fee = self._new_account_fee(destination)
        if source_dex == SPOT:
            self._take_token(sender, token, amount + fee)
            state.token_fees[token] = state.token_fees.get(token, ZERO) + fee
            state.token_deposits[token] = state.token_deposits.get(token, ZERO) + fee
        else:
            self.take(sender, source_dex, amount + fee)
            self.charge(source_dex, fee)
        if destination_dex == SPOT:
            state.credit_token(destination, token, amount)
        else:
            self.give(destination, destination_dex, amount)
        sent = self._sent(sender, destination, source_dex, destination_dex, token, amount, fee)
        state.record(sent, sender, destination)

    def claim_rewards(self, address: str, token: int, amount: Decimal) -> None:
        """Pay rewards into the spot balance."""
        self._check_token(token)
        self._state.new_hash()
        self._state.credit_token(address, token, amount)
        self._state.record(RewardsClaim(amount, self._token_name(token)), address)

    def pay_deploy_gas(self, address: str, token: int, amount: Decimal) -> None:
        """Take the price of a deployment auction out of the spot balance."""
        self._check_token(token)
        self._state.new_hash()
        self._take_token(address, token, amount)
        self._state.record(DeployGasAuction(self._token_name(token), amount), address)

    def stake(self, address: str, amount: Decimal, *, is_deposit: bool) -> None:
        """Move HYPE between the spot balance and the staking balance."""
        state, account = self._state, self._state.account(address)
        token = next(t.index for t in state.universe.tokens if t.name == _STAKING)
        state.new_hash()
        if is_deposit:
            self._take_token(address, token, amount)
            account.staked += amount
        elif account.staked < amount:
            raise RefusedError("Insufficient staking balance")
        else:
            account.staked -= amount
            state.credit_token(address, token, amount)
        state.record(CStakingTransfer(_STAKING, amount, is_deposit), address)

    def give_genesis(self, address: str, token: int, amount: Decimal) -> None:
        """Hand out tokens of a token that has just been born."""
        self._check_token(token)
        self._state.new_hash()
        self._state.credit_token(address, token, amount)
        self._state.record(SpotGenesis(self._token_name(token), amount), address)

    def free(self, account: Account, dex: str) -> Decimal:
        """Return what may leave a dex: the cross margin less the margin that must stay, never below zero."""
        return self._margin.transferable(Pool(account, dex))

    def _check_token(self, token: int) -> None:
        if all(known.index != token for known in self._state.universe.tokens):
            raise RefusedError(f"Token {token} cannot be transferred")

    def take(self, address: str, dex: str, amount: Decimal) -> None:
        """Take collateral of a dex from a wallet, for a movement that the caller records; raise RefusedError."""
        account = self._state.account(address)
        if account.is_unified:
            self._take_token(address, self._state.universe.collateral(dex), amount)
            return
        if not account.house and amount > self.free(account, dex):
            raise RefusedError(f"Insufficient balance: {address} cannot spare {amount} on dex {dex!r}")
        self._state.credit_perp(address, dex, -amount)

    def give(self, address: str, dex: str, amount: Decimal) -> None:
        """Give a wallet collateral of a dex, for a movement that the caller records."""
        if self._state.account(address).is_unified:
            self._state.credit_token(address, self._state.universe.collateral(dex), amount)
        else:
            self._state.credit_perp(address, dex, amount)

    def _take_token(self, address: str, token: int, amount: Decimal) -> None:
        account = self._state.account(address)
        balance = account.balance(token)
        spare = balance.total - self._margin.hold(account, token)
        if not account.house and amount > spare:
            raise RefusedError(f"Insufficient balance: {address} cannot spare {amount} of token {token}")
        cost = (balance.entry_ntl * amount / balance.total).quantize(MICRO) if balance.total > 0 else ZERO
        self._state.credit_token(address, token, -amount, -cost)

    def charge(self, dex: str, fee: Decimal) -> None:
        """Count what was taken from a wallet as a fee."""
        state = self._state
        state.perp_fees[dex] = state.perp_fees.get(dex, ZERO) + fee
        state.perp_deposits[dex] = state.perp_deposits.get(dex, ZERO) + fee

    def _new_account_fee(self, destination: str) -> Decimal:
        return ZERO if destination in self._state.accounts else _NEW_ACCOUNT_FEE

    def _token_name(self, token: int) -> str:
        return self._state.universe.token_by_index[token].name

    def _spot_transfer(self, sender: str, destination: str, token: int, amount: Decimal, fee: Decimal) -> SpotTransfer:
        state = self._state
        worth = (amount * state.token_px(token)).quantize(MICRO)
        return SpotTransfer(
            self._token_name(token), amount, worth, sender, destination, fee, ZERO, state.now_ms, "USDC"
        )

    def _sent(
        self,
        sender: str,
        destination: str,
        source_dex: str,
        destination_dex: str,
        token: int,
        amount: Decimal,
        fee: Decimal,
    ) -> Send:
        name = self._token_name(token)
        worth = (amount * self._state.token_px(token)).quantize(MICRO)
        return Send(
            sender,
            destination,
            source_dex,
            destination_dex,
            name,
            amount,
            worth,
            fee,
            ZERO,
            self._state.now_ms,
            name if fee else "",
        )
