"""What a gateway may hold of its egress IP's connections and users beside the gateways that leave through it too.

Each takes an equal share. While members come and go, one may hold more than its share for a moment: so each says what
it claims (what it holds, or may still take unasked), and none goes beyond what the others' claims leave. Claims are
trusted only of those who count as many members as we do: else they do not know of us, or we not of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

GROUP_ATTRIBUTE = "egress_group"
ROOM_ATTRIBUTE = "group_wallets"
SIZE_ATTRIBUTE = "group_size"
CONNECTIONS_ATTRIBUTE = "connections_claimed"
USERS_ATTRIBUTE = "users_claimed"
OVERSPENT_ATTRIBUTE = "overspent"


class Spent(NamedTuple):
    """Units of the egress IP's rates."""

    new_connections: int = 0
    messages: int = 0
    rest_weight: int = 0


class GatewayRoom(msgspec.Struct, frozen=True):
    """What a live gateway says of its egress group and of its part in it."""

    group: str
    group_wallets: int
    """How many wallets the whole group has room for."""
    group_size: int = 0
    """How many gateways it counts in the group, itself included; 0 before its first view."""
    connections: int = 0
    """Connections that it holds, or may open without asking."""
    users: int = 0
    """Wallets that the venue counts for it, or may come to count."""
    overspent: Spent = Spent()
    """What it took within the last minute beyond its present share."""
    draining: bool = False

    def attributes(self) -> dict[str, str]:
        """The form in which a heartbeat carries it."""
        return {
            GROUP_ATTRIBUTE: self.group,
            ROOM_ATTRIBUTE: str(self.group_wallets),
            SIZE_ATTRIBUTE: str(self.group_size),
            CONNECTIONS_ATTRIBUTE: str(self.connections),
            USERS_ATTRIBUTE: str(self.users),
            OVERSPENT_ATTRIBUTE: ",".join(map(str, self.overspent)),
        }

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, str], *, draining: bool = False) -> "GatewayRoom":
        """Read a heartbeat; what cannot be read of it is 0."""
        room, size, connections, users = (
            _number(attributes.get(name, ""))
            for name in (ROOM_ATTRIBUTE, SIZE_ATTRIBUTE, CONNECTIONS_ATTRIBUTE, USERS_ATTRIBUTE)
        )
        spent = [_number(text) for text in attributes.get(OVERSPENT_ATTRIBUTE, "").split(",")]
        overspent = Spent(*spent) if len(spent) == len(Spent()) else Spent()
        return cls(attributes.get(GROUP_ATTRIBUTE, ""), room, size, connections, users, overspent, draining)


def split(amount: int, names: Sequence[str]) -> dict[str, int]:
    """Equal shares; the first names take what does not divide."""
    each, rest = divmod(amount, len(names)) if names else (0, 0)
    return {name: each + (place < rest) for place, name in enumerate(names)}


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many connections and users this gateway may hold now. It may hold more already, but take no more then."""

    group_size: int
    connections: int
    users: int
    is_agreed: bool = False
    """The members of the group know of each other."""


def allowance(gateways: Mapping[str, GatewayRoom], me: str, connections: int, users: int) -> Allowance:
    """What is left to this gateway, of which the members say that they know, of the egress IP's limits."""
    mine = gateways.get(me)
    if mine is None:
        return Allowance(0, 0, 0)
    group = {name: room for name, room in gateways.items() if room.group == mine.group}
    others = [room for name, room in group.items() if name != me]
    size = len(group)
    if any(room.group_size != size for room in others):
        return Allowance(size, 0, 0)
    if mine.draining:
        return Allowance(size, 0, 0, is_agreed=True)
    staying = sorted(name for name, room in group.items() if not room.draining)
    return Allowance(
        size,
        _left(connections, split(connections, staying)[me], (room.connections for room in others)),
        _left(users, split(users, staying)[me], (room.users for room in others)),
        is_agreed=True,
    )


def _left(limit: int, share: int, claims: Iterable[int]) -> int:
    return max(min(share, limit - sum(claims)), 0)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
