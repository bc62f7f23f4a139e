"""Vaults: accounts that a leader trades for all who hold a share of them (facts 1.8, vault updates).

A vault is an account like any other, and its leader places its orders under the vault's address. Its equity
is what it is worth on the main dex, and its shares in vaults below it. Rules of the venue: making one takes
100 USDC at least and costs 100; the leader keeps a twentieth; a share is locked for a day after the last
deposit; of a follower's profit the leader gets a tenth when it is withdrawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Final

from .accounts import MICRO, ZERO
from .durations import DAY_MS
from .errors import RefusedError
from .instruments import MAIN_DEX
from .ledger_updates import VaultCreate, VaultDeposit
from .roles import address_for

if TYPE_CHECKING:
    from .margin import Margin
    from .state import ExchangeState
    from .transfers import Transfers

LEADER_COMMISSION: Final = Decimal("0.1")
LEADER_FRACTION: Final = Decimal("0.05")
LOCKUP_MS: Final = DAY_MS
_LEAST: Final = Decimal(100)
_FEE: Final = Decimal(100)
_UNIT: Final = Decimal("0.000000000001")


@dataclass(slots=True)
class Share:
    """What one wallet holds of a vault. `basis` is what it paid for it, `realized` what it earned and took out."""

    shares: Decimal
    basis: Decimal
    entered_ms: int
    locked_until_ms: int
    realized: Decimal = ZERO


@dataclass(slots=True)
class Vault:
    """A vault with its holders, the leader among them."""

    address: str
    name: str
    leader: str
    description: str
    created_ms: int
    parent: str | None = None
    allows_deposits: bool = True
    closes_on_withdraw: bool = False
    is_closed: bool = False
    lockup_ms: int = LOCKUP_MS
    holders: dict[str, Share] = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        """All shares."""
        return sum((share.shares for share in self.holders.values()), ZERO)


class Vaults:
    """The registry of vaults: who made them, who put money in, and what that is worth."""

    def __init__(self, state: ExchangeState, margin: Margin, transfers: Transfers) -> None:
        self._state = state
        self._margin = margin
        self._transfers = transfers
        self.by_address: dict[str, Vault] = {}

    def get(self, address: str) -> Vault:
        """Return an open vault; raise RefusedError."""
        vault = self.by_address.get(address)
        if vault is None or vault.is_closed:
            raise RefusedError(f"Vault not registered: {address}")
        return vault

    def create(
        self,
        leader: str,
        name: str,
        description: str,
        usdc: Decimal,
        *,
        parent: str | None = None,
        lockup_ms: int = LOCKUP_MS,
    ) -> Vault:
        """Make a vault with the leader's first deposit; `parent` may be a vault of the same leader.

        `lockup_ms` is how long a share is locked: a day, as in the venue's user vaults (its own lock for four).

        Raises:
            RefusedError: too little money, or the leader has a vault of this name, or the parent is another's.
        """
        address = address_for("vault", leader, name)
        if usdc < _LEAST:
            raise RefusedError(f"A vault needs {_LEAST} USDC at least")
        if address in self.by_address:
            raise RefusedError(f"Vault name already in use: {name}")
        if parent is not None and self.get(parent).leader != leader:
            raise RefusedError(f"Vault {parent} has another leader")
        state = self._state
        state.new_hash()
        self._transfers.take(leader, MAIN_DEX, usdc + _FEE)
        self._transfers.charge(MAIN_DEX, _FEE)
        self._transfers.give(address, MAIN_DEX, usdc)
        vault = Vault(address, name, leader, description, state.now_ms, parent, lockup_ms=lockup_ms)
        vault.holders[leader] = Share(usdc, usdc, state.now_ms, state.now_ms)
        self.by_address[address] = vault
        state.record(VaultCreate(address, usdc, _FEE), leader, address)
        return vault

    def deposit(self, address: str, user: str, usdc: Decimal) -> None:
        """Buy a share at what the vault is worth now; raise RefusedError."""
        vault, state = self.get(address), self._state
        worth = self.equity(vault)
        if not vault.allows_deposits and user != vault.leader:
            raise RefusedError("Vault does not allow deposits")
        if worth <= 0 or user == address:
            raise RefusedError("Vault cannot take this deposit")
        bought = (usdc * vault.total / worth).quantize(_UNIT, ROUND_DOWN)
        leads = vault.holders[vault.leader].shares + (bought if user == vault.leader else ZERO)
        if leads < (vault.total + bought) * LEADER_FRACTION:
            raise RefusedError("The leader would hold less than a twentieth of the vault")
        state.new_hash()
        self._transfers.take(user, MAIN_DEX, usdc)
        self._transfers.give(address, MAIN_DEX, usdc)
        share = vault.holders.setdefault(user, Share(ZERO, ZERO, state.now_ms, state.now_ms))
        share.shares += bought
        share.basis += usdc
        share.locked_until_ms = state.now_ms + vault.lockup_ms
        state.record(VaultDeposit(address, usdc), user, address)

    def equity(self, vault: Vault) -> Decimal:
        """Return what a vault is worth: its account on the main dex and its shares in vaults below it."""
        own = self._margin.value(self._state.account(vault.address), MAIN_DEX)
        below = (self.share_equity(child, vault.address) for child in self.children(vault.address))
        return sum(below, own)

    def share_equity(self, vault: Vault, user: str) -> Decimal:
        """Return what a wallet's share is worth, in whole millionths; 0 for one that holds none."""
        share = vault.holders.get(user)
        if share is None or not share.shares:
            return ZERO
        return (self.equity(vault) * share.shares / vault.total).quantize(MICRO, ROUND_DOWN)

    def children(self, parent: str) -> list[Vault]:
        """Return the open vaults below one."""
        return [vault for vault in self.by_address.values() if vault.parent == parent and not vault.is_closed]

    def led_by(self, leader: str) -> list[Vault]:
        """Return the open vaults of a leader, oldest first."""
        return [vault for vault in self.by_address.values() if vault.leader == leader and not vault.is_closed]

    def held_by(self, user: str) -> list[Vault]:
        """Return the open vaults that a wallet holds a share of, oldest first."""
        return [vault for vault in self.by_address.values() if user in vault.holders and not vault.is_closed]
