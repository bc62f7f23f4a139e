"""`webData3`: what the venue's page knows of its user beside positions and orders (facts 1.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hlmonitor.simulator.core.accounts import Abstraction
from hlmonitor.simulator.core.flows import net_inflow
from hlmonitor.simulator.core.instruments import MAIN_DEX

from .rows import amount
from .vaults import leading_vaults, total_vault_equity

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.instruments import Dex


def web_data_3(exchange: Exchange, user: str) -> dict[str, object]:
    """Write the user's state, and one state for each dex. No page has an agent in this exchange."""
    state = exchange.state
    account = state.accounts.get(user)
    user_state: dict[str, object] = {
        "agentAddress": None,
        "agentValidUntil": None,
        "cumLedger": amount(net_inflow(state, user)),
        "serverTime": state.now_ms,
        "isVault": user in exchange.vaults.by_address,
        "user": user,
    }
    if account is not None and account.abstraction is not Abstraction.DEFAULT:
        user_state["abstraction"] = account.abstraction
    if account is not None and account.abstracts_dexes:
        user_state["dexAbstractionEnabled"] = True
    if account is not None and account.keeps_dust:
        user_state["optOutOfSpotDusting"] = True
    return {"userState": user_state, "perpDexStates": [_dex_state(exchange, dex, user) for dex in state.universe.dexes]}


def _dex_state(exchange: Exchange, dex: Dex, user: str) -> dict[str, object]:
    """Write a dex. Lists that are empty are left out; vaults are of the main dex."""
    row: dict[str, object] = {"totalVaultEquity": "0.0"}
    if dex.name == MAIN_DEX:
        row["totalVaultEquity"] = total_vault_equity(exchange, user)
        leads = leading_vaults(exchange, user)
        if leads:
            row["leadingVaults"] = leads
    capped = [instrument.coin for instrument in dex.instruments if exchange.state.is_at_cap(instrument.coin)]
    if capped:
        row["perpsAtOpenInterestCap"] = capped
    return row
