"""Staking. Wallets move HYPE in and out here; no validator is there to delegate to, and so nothing is earned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hlmonitor.simulator.core.ledger_updates import CStakingTransfer
from hlmonitor.simulator.wire.requests import staking as asked
from hlmonitor.simulator.wire.rows import amount

from .topic import Topic

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange

TOPIC = Topic()


@TOPIC.answers_to(asked.DelegatorSummary)
def _summary(request: asked.DelegatorSummary, exchange: Exchange) -> object:
    account = exchange.state.accounts.get(request.user.lower())
    return {
        "delegated": "0.0",
        "undelegated": "0.0" if account is None else amount(account.staked),
        "totalPendingWithdrawal": "0.0",
        "nPendingWithdrawals": 0,
    }


@TOPIC.answers_to(asked.Delegations)
def _delegations(_request: asked.Delegations, _exchange: Exchange) -> object:
    return []


@TOPIC.answers_to(asked.DelegatorRewards)
def _rewards(_request: asked.DelegatorRewards, _exchange: Exchange) -> object:
    return []


@TOPIC.answers_to(asked.DelegatorHistory)
def _history(request: asked.DelegatorHistory, exchange: Exchange) -> object:
    """Newest first. A withdrawal shows once, as finalized: it waits for nothing here."""
    updates = exchange.state.ledger.latest(request.user.lower()).ledger_updates
    return [
        {"time": update.time_ms, "hash": update.hash, "delta": _delta(update.delta)}
        for update in reversed(updates)
        if isinstance(update.delta, CStakingTransfer)
    ]


def _delta(delta: CStakingTransfer) -> dict[str, object]:
    if delta.is_deposit:
        return {"cDeposit": {"amount": amount(delta.amount)}}
    return {"withdrawal": {"amount": amount(delta.amount), "phase": "finalized"}}
