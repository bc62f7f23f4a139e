"""Movements of money that are neither trades nor funding: the venue's ledger updates (facts 1.8).

One class for each `delta` type, under the venue's name for it; fields carry the venue's names in snake case,
so that the wire can write them without knowing each. Amounts are exact decimals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

if TYPE_CHECKING:
    from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Deposit:
    """USDC that came from outside into the main dex' margin."""

    type: ClassVar[str] = "deposit"
    usdc: Decimal


@dataclass(frozen=True, slots=True)
class Withdraw:
    """USDC that left; `fee` is taken beside it."""

    type: ClassVar[str] = "withdraw"
    usdc: Decimal
    nonce: int
    fee: Decimal


@dataclass(frozen=True, slots=True)
class InternalTransfer:
    """USDC of one wallet's main margin sent to another's."""

    type: ClassVar[str] = "internalTransfer"
    usdc: Decimal
    user: str
    destination: str
    fee: Decimal


@dataclass(frozen=True, slots=True)
class SubAccountTransfer:
    """USDC between a master account and one of its sub-accounts."""

    type: ClassVar[str] = "subAccountTransfer"
    usdc: Decimal
    user: str
    destination: str


@dataclass(frozen=True, slots=True)
class AccountClassTransfer:
    """USDC between a wallet's own spot balance and main margin."""

    type: ClassVar[str] = "accountClassTransfer"
    usdc: Decimal
    to_perp: bool


@dataclass(frozen=True, slots=True)
class SpotTransfer:
    """A spot token sent to another wallet. `native_token_fee` is paid in HYPE."""

    type: ClassVar[str] = "spotTransfer"
    token: str
    amount: Decimal
    usdc_value: Decimal
    user: str
    destination: str
    fee: Decimal
    native_token_fee: Decimal
    nonce: int | None
    fee_token: str


@dataclass(frozen=True, slots=True)
class Send:
    """A token moved between dexes or wallets; a dex is "" for the main one and "spot" for the spot balance."""

    type: ClassVar[str] = "send"
    user: str
    destination: str
    source_dex: str
    destination_dex: str
    token: str
    amount: Decimal
    usdc_value: Decimal
    fee: Decimal
    native_token_fee: Decimal
    nonce: int
    fee_token: str


@dataclass(frozen=True, slots=True)
class LiquidatedPosition:
    """A position that a liquidation found; `szi` is signed."""

    coin: str
    szi: Decimal


@dataclass(frozen=True, slots=True)
class Liquidation:
    """A liquidation of the wallet. `leverage_type` is "Cross" or "Isolated"."""

    type: ClassVar[str] = "liquidation"
    liquidated_ntl_pos: Decimal
    account_value: Decimal
    leverage_type: str
    liquidated_positions: tuple[LiquidatedPosition, ...]


@dataclass(frozen=True, slots=True)
class VaultCreate:
    """A vault made by its leader, with its first deposit."""

    type: ClassVar[str] = "vaultCreate"
    vault: str
    usdc: Decimal
    fee: Decimal


@dataclass(frozen=True, slots=True)
class VaultDeposit:
    """USDC put into a vault."""

    type: ClassVar[str] = "vaultDeposit"
    vault: str
    usdc: Decimal


@dataclass(frozen=True, slots=True)
class VaultDistribution:
    """USDC that a vault paid out to all who hold a share of it."""

    type: ClassVar[str] = "vaultDistribution"
    vault: str
    usdc: Decimal


@dataclass(frozen=True, slots=True)
class VaultWithdraw:
    """A share taken out of a vault. Net = requested less commission and closing cost; `basis` is what it cost."""

    type: ClassVar[str] = "vaultWithdraw"
    vault: str
    user: str
    requested_usd: Decimal
    commission: Decimal
    closing_cost: Decimal
    basis: Decimal
    net_withdrawn_usd: Decimal


@dataclass(frozen=True, slots=True)
class VaultLeaderCommission:
    """A leader's part of a follower's profit. `user` is the leader."""

    type: ClassVar[str] = "vaultLeaderCommission"
    user: str
    usdc: Decimal


@dataclass(frozen=True, slots=True)
class RewardsClaim:
    """Rewards paid into the spot balance."""

    type: ClassVar[str] = "rewardsClaim"
    amount: Decimal
    token: str


@dataclass(frozen=True, slots=True)
class DeployGasAuction:
    """What winning a deployment auction cost."""

    type: ClassVar[str] = "deployGasAuction"
    token: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class CStakingTransfer:
    """HYPE between the spot balance and the staking balance."""

    type: ClassVar[str] = "cStakingTransfer"
    token: str
    amount: Decimal
    is_deposit: bool


@dataclass(frozen=True, slots=True)
class BorrowLend:
    """A movement to or from a reserve. `operation` is supply, withdraw, repay or borrow."""

    type: ClassVar[str] = "borrowLend"
    token: str
    operation: str
    amount: Decimal
    interest_amount: Decimal


@dataclass(frozen=True, slots=True)
class SpotGenesis:
    """Tokens received when their token was born."""

    type: ClassVar[str] = "spotGenesis"
    token: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class ActivateDexAbstraction:
    """Collateral that moved to a dex when an order there first needed it."""

    type: ClassVar[str] = "activateDexAbstraction"
    dex: str
    token: str
    amount: Decimal


Delta: TypeAlias = (
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


@dataclass(frozen=True, slots=True)
class LedgerUpdate:
    """A row of a wallet's ledger; both sides of a transfer have one with the same delta."""

    address: str
    time_ms: int
    hash: str
    delta: Delta
