"""Commands to the server: its connections, its time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta

from hlmonitor.simulator.io.load import LoadRefusedError
from hlmonitor.simulator.wire.addresses import Address
from hlmonitor.simulator.wire.frames import Frame, message

from .base import BadInputError, CloseCode, Positive, ServerCommand

if TYPE_CHECKING:
    from hlmonitor.simulator.io.connection import Connection
    from hlmonitor.simulator.io.server import Simulator


_REASON_BYTES: Final = 123
_RESERVED: Final = {1004, 1005, 1006, 1015}


class _ConnectionsBody(ServerCommand, frozen=True):
    """Which connections are meant: those that watch a user, those of a client IP, or all."""

    user: Address | None = None
    client: str | None = None
    all: bool = False

    def meant(self, simulator: Simulator) -> list[Connection]:
        """Return them; raise BadInputError if nothing says which."""
        if not (self.user or self.client or self.all):
            raise BadInputError("user, client or all: one of them must say which connections are meant")
        return list(simulator.connections) if self.all else connections_of(simulator, self.user, self.client)


def connections_of(simulator: Simulator, user: str | None, client: str | None) -> list[Connection]:
    """Return the connections that watch a user, and those of a client IP."""
    return [
        connection
        for connection in simulator.connections
        if connection.ip == client or (user is not None and user.lower() in connection.users())
    ]


class DisconnectBody(_ConnectionsBody, frozen=True):
    """Connections are cut, so that clients see 1006; with `code` they are closed with it and `reason`."""

    code: CloseCode | None = None
    reason: str = ""

    def apply(self, simulator: Simulator) -> object:
        """Cut or close them; tells how many there were."""
        if self.code in _RESERVED:
            raise BadInputError(f"code: {self.code} never stands in a close frame; without code the client sees 1006")
        if len(self.reason.encode()) > _REASON_BYTES:
            raise BadInputError(f"reason: at most {_REASON_BYTES} bytes fit into a close frame")
        hit = self.meant(simulator)
        for connection in hit:
            if self.code is None or connection.is_mute:
                connection.abort("control")
            else:
                connection.end(self.code, self.reason, "control")
        return {"disconnected": len(hit)}


class HalfOpenBody(_ConnectionsBody, frozen=True):
    """Connections become half-open: they stay, but nothing passes, until they are cut after `for_ms`."""

    for_ms: Positive | None = None

    def apply(self, simulator: Simulator) -> object:
        """Make them so; tells how many there were."""
        hit = self.meant(simulator)
        until_ms = None if self.for_ms is None else simulator.now_ms + self.for_ms
        for connection in hit:
            connection.mute(until_ms)
        return {"half_open": len(hit)}


class SayBody(ServerCommand, frozen=True):
    """A frame of your own to all connections, or those of a user or client: a channel with data, or any text."""

    channel: str | None = None
    data: object = None
    text: str | None = None
    user: Address | None = None
    client: str | None = None

    def apply(self, simulator: Simulator) -> object:
        """Send it; tells to how many."""
        if (self.channel is None) == (self.text is None):
            raise BadInputError("channel or text: one of them, not both, says what is sent")
        frame = Frame((self.text or "").encode()) if self.channel is None else message(self.channel, self.data)
        everybody = self.user is None and self.client is None
        meant = list(simulator.connections) if everybody else connections_of(simulator, self.user, self.client)
        for connection in meant:
            connection.send(frame, simulator.faults, simulator.now_ms)
        return {"sent": len(meant)}


class SpeedBody(ServerCommand, frozen=True):
    """Venue seconds per second from now on, 0 as fast as possible. Venue time then leaves the wall clock."""

    speed: Annotated[float, Meta(ge=0)]

    def apply(self, simulator: Simulator) -> object:
        """Change it."""
        simulator.clock.set_speed(self.speed)
        return {"speed": simulator.clock.speed, "time": simulator.now_ms}


class LoadBody(ServerCommand, frozen=True):
    """Send the load at a rate of fills per second (its own by default) for some seconds (or until stopped)."""

    rate: Positive | None = None
    seconds: Annotated[float, Meta(gt=0)] | None = None
    stop: bool = False

    def apply(self, simulator: Simulator) -> object:
        """Start or stop it; tells what it did so far."""
        if simulator.load is None:
            raise BadInputError("load: there is none; start the simulator with --load-rate")
        if self.stop:
            simulator.load.stop()
        else:
            try:
                simulator.load.start(self.rate, self.seconds)
            except LoadRefusedError as error:
                raise BadInputError(str(error)) from error
        return simulator.load.report()
