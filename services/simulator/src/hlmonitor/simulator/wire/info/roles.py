"""What an address is, and who may act for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.instruments import MAIN_DEX
from hlmonitor.simulator.wire.requests import roles as asked
from hlmonitor.simulator.wire.spot_states import spot_state
from hlmonitor.simulator.wire.states import all_dexs_states, clearinghouse_state

from .topic import Topic

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.roles import SubAccount

TOPIC = Topic()

# Agents are approved without an end here; the venue writes the end of time for those, which is an assumption.
_FOR_EVER: Final = 253_402_300_799_999


@TOPIC.answers_to(asked.UserRole)
def _user_role(request: asked.UserRole, exchange: Exchange) -> object:
    user, roles = request.user.lower(), exchange.roles
    if user in roles.agents:
        return {"role": "agent", "data": {"user": roles.agents[user]}}
    if user in roles.sub_accounts:
        return {"role": "subAccount", "data": {"master": roles.sub_accounts[user].master}}
    if user in exchange.vaults.by_address:
        return {"role": "vault"}
    return {"role": "user" if user in exchange.state.accounts else "missing"}


@TOPIC.answers_to(asked.UserAbstraction)
def _user_abstraction(request: asked.UserAbstraction, exchange: Exchange) -> object:
    account = exchange.state.accounts.get(request.user.lower())
    return "disabled" if account is None else account.abstraction


@TOPIC.answers_to(asked.UserDexAbstraction)
def _user_dex_abstraction(request: asked.UserDexAbstraction, exchange: Exchange) -> object:
    """Null for a wallet that never said whether it should."""
    account = exchange.state.accounts.get(request.user.lower())
    return True if account is not None and account.abstracts_dexes else None


@TOPIC.answers_to(asked.SubAccounts)
def _sub_accounts(request: asked.SubAccounts, exchange: Exchange) -> object:
    """Null, not an empty list, without any."""
    return [
        _names(sub)
        | {
            "clearinghouseState": clearinghouse_state(exchange, sub.address, MAIN_DEX),
            "spotState": spot_state(exchange, sub.address),
        }
        for sub in exchange.roles.of(request.user.lower())
    ] or None


@TOPIC.answers_to(asked.SubAccounts2)
def _sub_accounts_2(request: asked.SubAccounts2, exchange: Exchange) -> object:
    return [
        _names(sub)
        | {
            "dexToClearinghouseState": all_dexs_states(exchange, sub.address),
            "spotState": spot_state(exchange, sub.address),
        }
        for sub in exchange.roles.of(request.user.lower())
    ] or None


def _names(sub: SubAccount) -> dict[str, object]:
    return {"name": sub.name, "subAccountUser": sub.address, "master": sub.master}


@TOPIC.answers_to(asked.ExtraAgents)
def _extra_agents(request: asked.ExtraAgents, exchange: Exchange) -> object:
    user = request.user.lower()
    agents = [agent for agent, owner in exchange.roles.agents.items() if owner == user]
    return [{"name": f"agent {n}", "address": agent, "validUntil": _FOR_EVER} for n, agent in enumerate(agents, 1)]


@TOPIC.answers_to(asked.UserToMultiSigSigners)
def _multi_sig_signers(_request: asked.UserToMultiSigSigners, _exchange: Exchange) -> object:
    """Null: there are no multi-signature accounts here."""
    return None
