"""What a gateway may hold of its egress IP's connections and users beside the gateways that leave through it too.

Each takes an equal share. While members come and go, one may hold more than its share for a moment: so each says what
it holds, and takes no more than the others leave. What one says may be old, so those before us by name are counted with
their whole share at least: they count us with what we hold. Nobody is trusted who counts another number of members.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

GROUP_ATTRIBUTE = "egress_group"
ROOM_ATTRIBUTE = "group_wallets"
SIZE_ATTRIBUTE = "group_size"
CONNECTIONS_ATTRIBUTE = "connections_held"
USERS_ATTRIBUTE = "users_held"
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
    """Connections that it holds."""
    users: int = 0
    """Wallets that the venue counts for it."""
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
    size = len(group)
    if any(room.group_size != size for name, room in group.items() if name != me):
        return Allowance(size, 0, 0)
    staying = sorted(name for name, room in group.items() if not room.draining)
    return Allowance(
        size,
        _left(split(connections, staying), me, {name: room.connections for name, room in group.items()}, connections),
        _left(split(users, staying), me, {name: room.users for name, room in group.items()}, users),
        is_agreed=True,
    )


def _left(shares: Mapping[str, int], me: str, held: Mapping[str, int], limit: int) -> int:
    for name, holds in held.items():
        if name != me:
            limit -= max(holds, shares.get(name, 0)) if name < me else holds
    return max(min(shares.get(me, 0), limit), 0)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
