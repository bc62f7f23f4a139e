"""Who is whose: sub-accounts of masters, agents of users. What is neither is a user, or (see vaults) a vault."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from .errors import RefusedError

if TYPE_CHECKING:
    from .state import ExchangeState

_MOST_SUB_ACCOUNTS: Final = 10


@dataclass(frozen=True, slots=True)
class SubAccount:
    """A wallet that its master trades for. It has positions, balances and limits of its own."""

    address: str
    name: str
    master: str


class Roles:
    """The registry of sub-accounts and agents. It moves no money."""

    def __init__(self, state: ExchangeState) -> None:
        self._state = state
        self.sub_accounts: dict[str, SubAccount] = {}
        self.agents: dict[str, str] = {}
        """User by the address of its agent wallet."""

    def create_sub_account(self, master: str, name: str) -> SubAccount:
        """Make a sub-account; its address follows from master and name.

        Raises:
            RefusedError: the name is taken, the master is a sub-account itself, or has ten already.
        """
        if master in self.sub_accounts:
            raise RefusedError("Sub-accounts cannot have sub-accounts")
        mine = self.of(master)
        if any(sub.name == name for sub in mine):
            raise RefusedError(f"Sub-account name already in use: {name}")
        if len(mine) >= _MOST_SUB_ACCOUNTS:
            raise RefusedError("Too many sub-accounts")
        address = address_for("sub", master, name)
        sub = self.sub_accounts[address] = SubAccount(address, name, master)
        self._state.account(master)
        self._state.account(address)
        return sub

    def of(self, master: str) -> list[SubAccount]:
        """Return the sub-accounts of a master, oldest first."""
        return [sub for sub in self.sub_accounts.values() if sub.master == master]

    def approve_agent(self, user: str, agent: str) -> None:
        """Let an agent wallet sign for a user. It stays without account: asked for, it answers empty.

        Raises:
            RefusedError: the agent's address is a wallet that trades.
        """
        if agent in self._state.accounts:
            raise RefusedError("Agent address is already in use by a user")
        self._state.account(user)
        self.agents[agent] = user


def address_for(role: str, *parts: str) -> str:
    """Return the address that the exchange gives to something that these parts name."""
    return "0x" + blake2b(":".join((role, *parts)).encode(), digest_size=20).hexdigest()
