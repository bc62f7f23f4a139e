"""Requests about staking."""

from __future__ import annotations

from .base import ForUser, UserRows


class DelegatorSummary(ForUser, frozen=True):
    """How much an address stakes."""


class Delegations(ForUser, frozen=True):
    """With which validators an address stakes."""


class DelegatorRewards(UserRows, frozen=True):
    """What staking has earned an address."""


class DelegatorHistory(UserRows, frozen=True):
    """What an address put into staking, delegated and took out."""


StakingInfo = DelegatorSummary | Delegations | DelegatorRewards | DelegatorHistory
