"""Who is alive, from heartbeats: a view that does not flicker when NATS does.

Members put a heartbeat into a KV bucket; each reader judges their age by its own monotonic clock. Without NATS the
last view stays (owners go on); after a reconnect it stays for twice the time to live, so that nobody is thought dead
only because the reader was deaf. A connection that stands proves nothing: the server may be frozen, or this process may
have been, or the server may have forgotten our watch. So a reader that hears nobody at all, itself included, is deaf.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

TTL_S = 2.0
"""A member without a heartbeat for this long is gone."""
HEARTBEAT_S = 0.5
DEAF_S = 2 * HEARTBEAT_S
"""Hearing nobody for this long means that the reader is deaf. Below TTL_S, so that it shows before anyone is judged."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A live process, as its heartbeat describes it."""

    kind: str
    """`gateway` or `aggregator`."""
    name: str
    address: str = ""
    """Where its gRPC server listens; empty for one without."""
    attributes: dict[str, str] = {}
    """What its kind needs to share the work, such as the egress group and quota of a gateway."""
    draining: bool = False
    """It was told to stop: it takes nothing new and gives away what it has."""

    @property
    def key(self) -> str:
        """Its key in the bucket."""
        return f"{self.kind}.{self.name}"


def staying(members: Mapping[str, Member]) -> dict[str, Member]:
    """Those of the members that may own something."""
    return {name: member for name, member in members.items() if not member.draining}


@dataclass(slots=True)
class MembershipView:
    """The members of one kind that are alive, from what was heard and when. Times are monotonic seconds.

    Its reader must be a member itself, of whatever kind: else a calm bucket and a deaf reader look the same.
    """

    _heard: dict[str, tuple[Member, float]] = field(default_factory=dict)
    _heard_anyone: float = 0.0
    _connected: bool = False
    _patient_until: float = 0.0
    _complete: bool = False

    @property
    def complete(self) -> bool:
        """A full first view was read; before it nobody may own anything."""
        return self._complete

    @property
    def members(self) -> dict[str, Member]:
        """By name."""
        return {member.name: member for member, _ in self._heard.values()}

    def heard_anyone(self, now: float) -> None:
        """A heartbeat of a member of any kind came."""
        self._heard_anyone = now

    def heard(self, member: Member, now: float) -> bool:
        """A heartbeat of a member of this kind came. Returns whether the view changed."""
        before = self._heard.get(member.key)
        self._heard[member.key] = (member, now)
        return self._complete and (before is None or before[0] != member)

    def left(self, key: str) -> bool:
        """A member said goodbye. Returns whether the view changed."""
        return self._heard.pop(key, None) is not None and self._complete

    def read_fully(self) -> bool:
        """Everything that the bucket holds was heard. Returns whether the view changed."""
        changed, self._complete = not self._complete, True
        return changed

    def connected(self, now: float) -> None:
        """NATS is back: members get twice their time to be heard again."""
        if not self._connected and self._complete:
            self._patient_until = now + 2 * TTL_S
        self._connected = True

    def disconnected(self) -> None:
        """NATS is away: nobody is judged until it is back."""
        self._connected = False

    def expire(self, now: float) -> bool:
        """Drop who was not heard for too long; called several times a second. Returns whether the view changed."""
        if not self._complete:
            return False
        if now - self._heard_anyone > DEAF_S:
            self._patient_until = now + 2 * TTL_S
        if not self._connected or now < self._patient_until:
            return False
        dead = [key for key, (_, heard) in self._heard.items() if now - heard > TTL_S]
        for key in dead:
            del self._heard[key]
        return bool(dead)
