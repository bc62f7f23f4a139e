"""Which gateway watches which wallet, computed alike by all of them from the same view."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.rendezvous import ranking
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.gateway.core.shares import GatewayRoom, split


@dataclass(frozen=True, slots=True)
class Assignment:
    """The outcome: the gateway of each covered wallet, and the wallets that nobody has room for."""

    owners: Mapping[Address, str]
    uncovered: tuple[Address, ...]

    def of(self, gateway: str) -> set[Address]:
        """The wallets of one gateway."""
        return {address for address, owner in self.owners.items() if owner == gateway}


def group_wallets(unique_users: int, connections: int, spare_connections: int) -> int:
    """How many wallets an egress IP can stream: one connection each, because `orderUpdates` names no user."""
    return max(min(unique_users, connections - spare_connections), 0)


def quotas(gateways: Mapping[str, GatewayRoom]) -> dict[str, int]:
    """Each gateway's share of its group's room. One that drains has none.

    Members of a group that disagree about its room (one has learned a lower limit) go by the lowest.
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(name for name, room in gateways.items() if not room.draining):
        groups.setdefault(gateways[name].group, []).append(name)
    shares: dict[str, int] = {}
    for names in groups.values():
        shares |= split(min(gateways[name].group_wallets for name in names), names)
    return shares


def assign(wallets: Iterable[WatchEntry], gateways: Mapping[str, GatewayRoom]) -> Assignment:
    """Capped rendezvous: wallets by priority, then by address, each to the highest-ranked gateway with room.

    Removed wallets come last: during their grace they may use only room that no watched wallet needs.
    """
    free = quotas(gateways)
    owners: dict[Address, str] = {}
    uncovered = []
    for wallet in sorted(wallets, key=_rank):
        owner = next((name for name in ranking(free, wallet.address) if free[name] > 0), None)
        if owner is not None:
            owners[wallet.address] = owner
            free[owner] -= 1
        elif wallet.removed_at_ms is None:
            uncovered.append(wallet.address)
    return Assignment(owners, tuple(uncovered))


def _rank(wallet: WatchEntry) -> tuple[bool, int, str]:
    return wallet.removed_at_ms is not None, -wallet.priority, wallet.address
