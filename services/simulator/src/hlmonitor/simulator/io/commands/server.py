"""Commands to the server: connections, faults, time."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from hlmonitor.simulator.wire.requests import Address

from .base import BadInputError, Chance, Duration, Positive, ServerCommand

if TYPE_CHECKING:
    from hlmonitor.simulator.io.connection import Connection
    from hlmonitor.simulator.io.server import Simulator


class DisconnectBody(ServerCommand, frozen=True):
    """Which connections to cut: those that watch a user, those of a client IP, or all."""

    user: Address | None = None
    client: str | None = None
    all: bool = False

    def apply(self, simulator: Simulator) -> object:
        """Cut them; tells how many there were."""
        if not (self.user or self.client or self.all):
            raise BadInputError("user, client or all: one of them must say what to disconnect")
        hit = [connection for connection in simulator.connections if self._is_meant(connection)]
        for connection in hit:
            connection.abort("control")
        return {"disconnected": len(hit)}

    def _is_meant(self, connection: Connection) -> bool:
        watched = self.user is not None and self.user.lower() in connection.users()
        return self.all or connection.ip == self.client or watched


class FaultsBody(ServerCommand, frozen=True):
    """Faults to change; those left out stay."""

    duplicate: Chance | None = None
    reorder: Chance | None = None
    split: Chance | None = None
    status_first: bool | None = None
    reorder_ms: Positive | None = None
    merge: Chance | None = None
    drop: Chance | None = None
    truncate: Chance | None = None
    delay_ms: Duration | None = None

    def apply(self, simulator: Simulator) -> object:
        """Change them; tells how they are now."""
        given = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}
        simulator.faults.standing = dataclasses.replace(simulator.faults.standing, **given)
        return simulator.faults.standing


class SpeedBody(ServerCommand, frozen=True):
    """Venue seconds per second from now on, 0 as fast as possible. Venue time then leaves the wall clock."""

    speed: Annotated[float, Meta(ge=0)]

    def apply(self, simulator: Simulator) -> object:
        """Change it."""
        simulator.clock.set_speed(self.speed)
        return {"speed": simulator.clock.speed, "time": simulator.market.exchange.state.now_ms}
