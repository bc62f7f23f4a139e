"""Which connection carries what, within the venue's limits on connections and subscriptions."""

from dataclasses import dataclass, field
from itertools import count


@dataclass(slots=True)
class _Connection:
    loads: dict[str, int] = field(default_factory=dict)
    exclusive: bool = False

    @property
    def load(self) -> int:
        return sum(self.loads.values())


@dataclass(slots=True)
class Pool:
    """Connections by number, each with its tenants and how many subscriptions they have there.

    `orderUpdates` names no user, so a tenant with that feed is exclusive: no other exclusive tenant joins it.
    """

    connections: int
    """Most connections."""
    subscriptions: int
    """Most subscriptions over all connections."""
    _open: dict[int, _Connection] = field(default_factory=dict)
    _homes: dict[str, int] = field(default_factory=dict)
    _seconds: dict[str, int] = field(default_factory=dict)
    """The other connection of a tenant that is moving to it."""

    def place(self, tenant: str, subscriptions: int, *, exclusive: bool) -> int | None:
        """Give the tenant a connection: a new one while there may be more, else the least loaded that can take it.

        Returns its number, the present one if it has a place already, or None when there is no room.
        """
        if tenant in self._homes:
            return self._homes[tenant]
        if self.load + subscriptions > self.subscriptions:
            return None
        number = self._choose(exclusive=exclusive)
        if number is None:
            return None
        connection = self._open.setdefault(number, _Connection())
        connection.loads[tenant] = subscriptions
        connection.exclusive |= exclusive
        self._homes[tenant] = number
        return number

    def place_again(self, tenant: str) -> int | None:
        """Give an exclusive tenant a second, new connection to move to; None while there is no spare one."""
        load = self._open[self._homes[tenant]].loads[tenant]
        if len(self._open) >= self.connections or self.load + load > self.subscriptions:
            return None
        number = self._choose(exclusive=True)
        if number is not None:
            self._open[number] = _Connection({tenant: load}, exclusive=True)
            self._seconds[tenant] = number
        return number

    def moved(self, tenant: str) -> None:
        """The tenant's second connection is its only one now."""
        self._leave(tenant, self._homes.pop(tenant))
        self._homes[tenant] = self._seconds.pop(tenant)

    def stayed(self, tenant: str) -> None:
        """Nothing came of the tenant's second connection."""
        self._leave(tenant, self._seconds.pop(tenant))

    def release(self, tenant: str) -> None:
        """The tenant left; a connection without tenants is closed. Unknown tenants are ignored."""
        for homes in (self._homes, self._seconds):
            number = homes.pop(tenant, None)
            if number is not None:
                self._leave(tenant, number)

    @property
    def held(self) -> int:
        """Connections that have a tenant."""
        return len(self._open)

    @property
    def load(self) -> int:
        """Subscriptions over all connections."""
        return sum(connection.load for connection in self._open.values())

    def numbers(self, tenant: str) -> list[int]:
        """The tenant's connections."""
        return [homes[tenant] for homes in (self._homes, self._seconds) if tenant in homes]

    def loads(self) -> dict[int, int]:
        """Subscriptions by connection."""
        return {number: connection.load for number, connection in sorted(self._open.items())}

    def _leave(self, tenant: str, number: int) -> None:
        connection = self._open[number]
        del connection.loads[tenant]
        # An exclusive tenant's late frames must not be taken for another's, so its connection never takes a second.
        if not connection.loads:
            del self._open[number]

    def _choose(self, *, exclusive: bool) -> int | None:
        if len(self._open) < self.connections:
            return next(number for number in count() if number not in self._open)
        fitting = [number for number, connection in self._open.items() if not (exclusive and connection.exclusive)]
        return min(fitting, key=lambda number: (self._open[number].load, number), default=None)
