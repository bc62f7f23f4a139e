"""Which connection carries what, within the venue's limits on connections and subscriptions."""

from dataclasses import dataclass, field


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

    def release(self, tenant: str) -> None:
        """The tenant left; a connection without tenants is closed. Unknown tenants are ignored."""
        number = self._homes.pop(tenant, None)
        if number is None:
            return
        connection = self._open[number]
        del connection.loads[tenant]
        # An exclusive tenant's late frames must not be taken for another's, so its connection never takes a second.
        if not connection.loads:
            del self._open[number]

    @property
    def load(self) -> int:
        """Subscriptions over all connections."""
        return sum(connection.load for connection in self._open.values())

    def loads(self) -> dict[int, int]:
        """Subscriptions by connection."""
        return {number: connection.load for number, connection in sorted(self._open.items())}

    def _choose(self, *, exclusive: bool) -> int | None:
        if len(self._open) < self.connections:
            return next(number for number in range(self.connections) if number not in self._open)
        fitting = [number for number, connection in self._open.items() if not (exclusive and connection.exclusive)]
        return min(fitting, key=lambda number: (self._open[number].load, number), default=None)
