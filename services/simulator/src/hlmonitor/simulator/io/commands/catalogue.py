"""The names of all commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import accounts, burst, faults, market, orders, products, server

if TYPE_CHECKING:
    from .base import MarketCommand, ServerCommand

COMMANDS: Final[dict[str, type[MarketCommand | ServerCommand]]] = {
    "order": orders.OrderBody,
    "group": orders.GroupBody,
    "cancel": orders.CancelBody,
    "withdraw": orders.WithdrawBody,
    "schedule_cancel": orders.ScheduleCancelBody,
    "approve_builder": orders.ApproveBuilderBody,
    "open_interest_cap": orders.OpenInterestCapBody,
    "twap": orders.TwapBody,
    "deposit": market.DepositBody,
    "leverage": market.LeverageBody,
    "isolated_margin": market.IsolatedMarginBody,
    "oracle": market.OracleBody,
    "new_dir": market.NewDirBody,
    "burst": burst.BurstBody,
    "withdraw_usdc": accounts.WithdrawUsdcBody,
    "send_usd": accounts.SendUsdBody,
    "class_transfer": accounts.ClassTransferBody,
    "send_token": accounts.SendTokenBody,
    "send_asset": accounts.SendAssetBody,
    "sub_account": accounts.SubAccountBody,
    "sub_account_transfer": accounts.SubAccountTransferBody,
    "agent": accounts.AgentBody,
    "stake": accounts.StakeBody,
    "rewards": accounts.RewardsBody,
    "genesis": accounts.GenesisBody,
    "deploy_gas": accounts.DeployGasBody,
    "borrow_lend": accounts.BorrowLendBody,
    "abstraction": accounts.AbstractionBody,
    "vault": products.VaultBody,
    "vault_action": products.VaultActionBody,
    "outcome": products.OutcomeBody,
    "settle_outcome": products.SettleOutcomeBody,
    "delist": products.DelistBody,
    "convert_dust": products.ConvertDustBody,
    "disconnect": server.DisconnectBody,
    "half_open": server.HalfOpenBody,
    "say": server.SayBody,
    "speed": server.SpeedBody,
    "load": server.LoadBody,
    "faults": faults.FaultsBody,
    "disturb": faults.DisturbBody,
    "stall": faults.StallBody,
    "omit": faults.OmitBody,
    "add": faults.AddBody,
    "replace": faults.ReplaceBody,
    "rest": faults.RestBody,
    "refuse": faults.RefuseBody,
    "clear": faults.ClearBody,
}
