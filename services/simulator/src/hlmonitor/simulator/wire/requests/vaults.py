"""Requests about vaults."""

from __future__ import annotations

from .base import ForUser


class UserVaultEquities(ForUser, frozen=True):
    """What an address holds in vaults."""


VaultInfo = UserVaultEquities
