"""Rows of `userNonFundingLedgerUpdates`, one model for each `delta.type`."""

from typing import Literal

from msgspec import Struct

from .values import Address, Amount, Coin, Hash, Id, Millis, Strict, Unsigned


def _tag(name: str) -> str:
    return name[0].lower() + name[1:]


class _Delta(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", tag_field="type", tag=_tag):
    """A change of what an account owns that is no funding."""


class Deposit(_Delta, frozen=True):
    usdc: Unsigned


class Withdraw(_Delta, frozen=True):
    usdc: Unsigned
    nonce: Id
    fee: Unsigned


class InternalTransfer(_Delta, frozen=True):
    usdc: Unsigned
    user: Address
    destination: Address
    fee: Unsigned


class SubAccountTransfer(_Delta, frozen=True):
    usdc: Unsigned
    user: Address
    destination: Address


class AccountClassTransfer(_Delta, frozen=True):
    usdc: Unsigned
    to_perp: bool


class SpotTransfer(_Delta, frozen=True):
    token: Coin
    amount: Unsigned
    usdc_value: Unsigned
    user: Address
    destination: Address
    fee: Unsigned
    native_token_fee: Unsigned
    nonce: Id | None
    fee_token: str


class Send(_Delta, frozen=True):
    user: Address
    destination: Address
    source_dex: str
    destination_dex: str
    token: Coin
    amount: Unsigned
    usdc_value: Unsigned
    fee: Unsigned
    native_token_fee: Unsigned
    nonce: Id
    fee_token: str


class LiquidatedPosition(Strict, frozen=True):
    coin: Coin
    szi: Amount


class Liquidation(_Delta, frozen=True):
    liquidated_ntl_pos: Unsigned
    account_value: Amount
    leverage_type: Literal["Cross", "Isolated"]
    liquidated_positions: list[LiquidatedPosition]


class VaultCreate(_Delta, frozen=True):
    vault: Address
    usdc: Unsigned
    fee: Unsigned


class VaultDeposit(_Delta, frozen=True):
    vault: Address
    usdc: Unsigned


class VaultDistribution(_Delta, frozen=True):
    vault: Address
    usdc: Unsigned


class VaultWithdraw(_Delta, frozen=True):
    vault: Address
    user: Address
    requested_usd: Unsigned
    commission: Unsigned
    closing_cost: Unsigned
    basis: Unsigned
    net_withdrawn_usd: Unsigned


class VaultLeaderCommission(_Delta, frozen=True):
    user: Address
    usdc: Unsigned


class RewardsClaim(_Delta, frozen=True):
    amount: Unsigned
    token: Coin


class DeployGasAuction(_Delta, frozen=True):
    token: Coin
    amount: Unsigned


class CStakingTransfer(_Delta, frozen=True):
    token: Coin
    amount: Unsigned
    is_deposit: bool


class BorrowLend(_Delta, frozen=True):
    token: Coin
    operation: Literal["supply", "withdraw", "repay", "borrow"]
    amount: Unsigned
    interest_amount: Unsigned


class SpotGenesis(_Delta, frozen=True):
    token: Coin
    amount: Unsigned


class ActivateDexAbstraction(_Delta, frozen=True):
    dex: str
    token: Coin
    amount: Unsigned


Delta = (
    Deposit
    | Withdraw
    | InternalTransfer
    | SubAccountTransfer
    | AccountClassTransfer
    | SpotTransfer
    | Send
    | Liquidation
    | VaultCreate
    | VaultDeposit
    | VaultDistribution
    | VaultWithdraw
    | VaultLeaderCommission
    | RewardsClaim
    | DeployGasAuction
    | CStakingTransfer
    | BorrowLend
    | SpotGenesis
    | ActivateDexAbstraction
)


class LedgerUpdate(Strict, frozen=True):
    time: Millis
    hash: Hash
    delta: Delta
