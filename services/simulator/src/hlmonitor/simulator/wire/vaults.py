"""Vaults as `/info` shows them. Shares of something are plain numbers here, money is text, as on the venue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.accounts import ZERO
from hlmonitor.simulator.core.durations import DAY_MS
from hlmonitor.simulator.core.instruments import MAIN_DEX
from hlmonitor.simulator.core.margin import Pool
from hlmonitor.simulator.core.vaults import LEADER_COMMISSION

from .rows import amount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.vaults import Vault

_YEAR_DAYS: Final = 365


def vault_details(exchange: Exchange, address: str, user: str | None, portfolio: object) -> dict[str, object] | None:
    """Write a vault, null if there is none. `portfolio` is that of its account, as its own request shows it."""
    vault = exchange.vaults.by_address.get(address)
    if vault is None:
        return None
    free = exchange.margin.transferable(Pool(exchange.state.account(address), MAIN_DEX))
    leads = vault.holders.get(vault.leader)
    followed = user is not None and user in vault.holders
    return {
        "name": vault.name,
        "vaultAddress": address,
        "leader": vault.leader,
        "description": vault.description,
        "portfolio": portfolio,
        "apr": _apr(exchange, vault),
        "followerState": _holder(exchange, vault, user) if user is not None and followed else None,
        "leaderFraction": float(leads.shares / vault.total) if leads is not None and vault.total else 0.0,
        "leaderCommission": float(LEADER_COMMISSION),
        "followers": [_holder(exchange, vault, holder) for holder in vault.holders],
        "maxDistributable": float(free),
        "maxWithdrawable": float(min(free, exchange.vaults.share_equity(vault, user))) if user is not None else 0.0,
        "isClosed": vault.is_closed,
        "relationship": relationship(exchange, vault),
        "allowDeposits": vault.allows_deposits,
        "alwaysCloseOnWithdraw": vault.closes_on_withdraw,
    }


def relationship(exchange: Exchange, vault: Vault) -> dict[str, object]:
    """Write whether a vault is a parent, a child, or neither."""
    children = exchange.vaults.children(vault.address)
    if children:
        return {"type": "parent", "data": {"childAddresses": [child.address for child in children]}}
    return {"type": "normal" if vault.parent is None else "child"}


def _holder(exchange: Exchange, vault: Vault, user: str) -> dict[str, object]:
    share, worth = vault.holders[user], exchange.vaults.share_equity(vault, user)
    pnl = worth - share.basis
    return {
        "user": "Leader" if user == vault.leader else user,
        "vaultEquity": amount(worth),
        "pnl": amount(pnl),
        "allTimePnl": amount(pnl + share.realized),
        "daysFollowing": (exchange.state.now_ms - share.entered_ms) // DAY_MS,
        "vaultEntryTime": share.entered_ms,
        "lockupUntil": share.locked_until_ms,
    }


def _apr(exchange: Exchange, vault: Vault) -> float:
    """Return the yearly rate at which all who are in the vault now have gained since it was made."""
    paid = sum((share.basis for share in vault.holders.values()), ZERO)
    days = (exchange.state.now_ms - vault.created_ms) / DAY_MS
    if not paid or days < 1:
        return 0.0
    return float((exchange.vaults.equity(vault) - paid) / paid) * _YEAR_DAYS / days


def user_vault_equities(exchange: Exchange, user: str) -> list[dict[str, object]]:
    """Write what a wallet holds of vaults."""
    return [
        {
            "vaultAddress": vault.address,
            "equity": amount(exchange.vaults.share_equity(vault, user)),
            "lockedUntilTimestamp": vault.holders[user].locked_until_ms,
        }
        for vault in exchange.vaults.held_by(user)
    ]


def leading_vaults(exchange: Exchange, user: str) -> list[dict[str, object]]:
    """Write the vaults that a wallet leads."""
    return [{"address": vault.address, "name": vault.name} for vault in exchange.vaults.led_by(user)]


def total_vault_equity(exchange: Exchange, user: str) -> str:
    """Write what a wallet's shares of vaults are worth together."""
    shares = (exchange.vaults.share_equity(vault, user) for vault in exchange.vaults.held_by(user))
    return amount(sum(shares, ZERO))


def vault_summaries(exchange: Exchange) -> Sequence[dict[str, object]]:
    """Write all vaults in short; those below another one are left out, as are closed ones."""
    return [
        {
            "name": vault.name,
            "vaultAddress": vault.address,
            "leader": vault.leader,
            "tvl": amount(exchange.vaults.equity(vault)),
            "isClosed": vault.is_closed,
            "relationship": relationship(exchange, vault),
            "createTimeMillis": vault.created_ms,
        }
        for vault in exchange.vaults.by_address.values()
        if vault.parent is None and not vault.is_closed
    ]
