"""Requests about what an account holds and what it is."""

from __future__ import annotations

from typing import ClassVar

from .base import LIGHT, ROLE, ForUser, ForUserOnDex


class ClearinghouseState(ForUserOnDex, frozen=True):
    """Positions and margin on a dex."""

    weight: ClassVar[int] = LIGHT


class SpotClearinghouseState(ForUser, frozen=True):
    """Spot balances."""

    weight: ClassVar[int] = LIGHT


class UserRole(ForUser, frozen=True):
    """What an address is."""

    weight: ClassVar[int] = ROLE


class UserAbstraction(ForUser, frozen=True):
    """How an account keeps its collateral."""


AccountInfo = ClearinghouseState | SpotClearinghouseState | UserRole | UserAbstraction
