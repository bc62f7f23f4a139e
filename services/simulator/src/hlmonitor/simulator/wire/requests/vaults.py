"""Requests about vaults."""

from __future__ import annotations

from hlmonitor.simulator.wire.addresses import Address

from .base import ForUser, Info


class VaultDetails(Info, frozen=True):
    """Everything about a vault, with what an address holds of it."""

    vault_address: Address
    user: Address | None = None


class VaultSummaries(Info, frozen=True):
    """All vaults in short."""


class UserVaultEquities(ForUser, frozen=True):
    """What an address holds of vaults."""


class LeadingVaults(ForUser, frozen=True):
    """The vaults that an address leads."""


VaultInfo = VaultDetails | VaultSummaries | UserVaultEquities | LeadingVaults
