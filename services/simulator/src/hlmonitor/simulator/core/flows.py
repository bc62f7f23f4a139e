"""What a ledger update did to a wallet, in dollars: what came in (or, below zero, left) without being earned.

What the wallet holds in a vault is not counted as its own, so that paying in is an outflow and being paid out an
inflow. Tokens are worth what the update says, or what they are worth today where it says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from .accounts import ZERO
from .instruments import MAIN_DEX
from .ledger_updates import (
    AccountClassTransfer,
    ActivateDexAbstraction,
    BorrowLend,
    CStakingTransfer,
    DeployGasAuction,
    Deposit,
    InternalTransfer,
    Liquidation,
    RewardsClaim,
    Send,
    SpotGenesis,
    SpotTransfer,
    SubAccountTransfer,
    VaultCreate,
    VaultDeposit,
    VaultDistribution,
    VaultLeaderCommission,
    VaultWithdraw,
    Withdraw,
)
from .transfers import SPOT

if TYPE_CHECKING:
    from decimal import Decimal

    from .ledger_updates import LedgerUpdate
    from .state import ExchangeState


@dataclass(frozen=True, slots=True)
class Flow:
    """Dollars into the perp margins, dollars into the spot balances, and units of a token among the latter."""

    perp: Decimal = ZERO
    spot: Decimal = ZERO
    token: str = ""
    units: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """Dollars into the wallet."""
        return self.perp + self.spot


def flow_of(update: LedgerUpdate, state: ExchangeState) -> Flow:  # noqa: C901, PLR0911, PLR0912 one case per type
    """Return what an update did to the wallet in whose ledger it stands."""
    me = update.address
    match update.delta:
        case Deposit(usdc):
            return Flow(usdc)
        case Withdraw(usdc, _, fee):
            return Flow(-usdc - fee)
        case InternalTransfer(usdc, user, _, fee):
            return Flow(-usdc - fee if me == user else usdc)
        case SubAccountTransfer(usdc, user):
            return Flow(-usdc if me == user else usdc)
        case AccountClassTransfer(usdc, to_perp):
            return Flow(usdc, -usdc) if to_perp else Flow(-usdc, usdc)
        case SpotTransfer() as sent:
            sign = -1 if me == sent.user else 1
            return Flow(ZERO, sign * sent.usdc_value - (sent.fee if sign < 0 else 0), sent.token, sign * sent.amount)
        case Send() as sent:
            return _sent(sent, me)
        case VaultCreate(vault, usdc, fee):
            return Flow(usdc if me == vault else -usdc - fee)
        case VaultDeposit(vault, usdc):
            return Flow(usdc if me == vault else -usdc)
        case VaultDistribution(vault, usdc):
            return Flow(-usdc if me == vault else usdc)
        case VaultWithdraw() as taken:
            return Flow(taken.net_withdrawn_usd if me == taken.user else -taken.net_withdrawn_usd - taken.commission)
        case VaultLeaderCommission(_, usdc):
            return Flow(usdc)
        case RewardsClaim(amount, token) | SpotGenesis(token, amount):
            return _tokens(state, token, amount)
        case DeployGasAuction(token, amount):
            return _tokens(state, token, -amount)
        case CStakingTransfer(token, amount, is_deposit):
            return _tokens(state, token, -amount if is_deposit else amount)
        case BorrowLend(token, operation, amount):
            return _tokens(state, token, amount if operation in {"borrow", "withdraw"} else -amount)
        case ActivateDexAbstraction(_, token, amount):
            return _followed(state, token, amount)
        case Liquidation():
            return Flow()
        case _:
            assert_never(update.delta)


def _sent(sent: Send, me: str) -> Flow:
    """Return both ends of a send that are this wallet's, which may be both."""
    perp = spot = units = ZERO
    if me == sent.user:
        worth = sent.usdc_value + sent.fee
        perp, spot = (perp, spot - worth) if sent.source_dex == SPOT else (perp - worth, spot)
        units -= sent.amount + sent.fee if sent.source_dex == SPOT else ZERO
    if me == sent.destination:
        on_spot = sent.destination_dex == SPOT
        perp, spot = (perp, spot + sent.usdc_value) if on_spot else (perp + sent.usdc_value, spot)
        units += sent.amount if on_spot else ZERO
    return Flow(perp, spot, sent.token, units)


def _tokens(state: ExchangeState, name: str, units: Decimal) -> Flow:
    token = next(token for token in state.universe.tokens if token.name == name)
    return Flow(ZERO, units * state.token_px(token.index), name, units)


def _followed(state: ExchangeState, token: str, amount: Decimal) -> Flow:
    """Return what followed an order to another dex: out of the main margin if it is of this token, else out of spot."""
    if token == state.universe.token_by_index[state.universe.collateral(MAIN_DEX)].name:
        return Flow()
    left = _tokens(state, token, -amount)
    return Flow(-left.spot, left.spot, token, left.units)


def net_inflow(state: ExchangeState, address: str) -> Decimal:
    """Return what a wallet was given less what it gave away, of the updates that are kept: the venue's `cumLedger`."""
    updates = state.ledger.latest(address).ledger_updates
    return sum((flow_of(update, state).total for update in updates), ZERO)
