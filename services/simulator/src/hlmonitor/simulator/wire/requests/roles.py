"""Requests about what an address is, and who may act for it."""

from __future__ import annotations

from typing import ClassVar

from .base import ROLE, ForUser


class UserRole(ForUser, frozen=True):
    """What an address is."""

    weight: ClassVar[int] = ROLE


class UserAbstraction(ForUser, frozen=True):
    """How an account keeps its collateral."""


class UserDexAbstraction(ForUser, frozen=True):
    """Whether collateral moves to a dex by itself when an order needs it."""


class SubAccounts(ForUser, frozen=True):
    """The sub-accounts of a master with their states on the main dex."""


class SubAccounts2(ForUser, frozen=True):
    """The sub-accounts of a master with their states on all dexes."""


class ExtraAgents(ForUser, frozen=True):
    """The wallets that may sign for an address."""


class UserToMultiSigSigners(ForUser, frozen=True):
    """Who must sign together for an address."""


RoleInfo = (
    UserRole | UserAbstraction | UserDexAbstraction | SubAccounts | SubAccounts2 | ExtraAgents | UserToMultiSigSigners
)
