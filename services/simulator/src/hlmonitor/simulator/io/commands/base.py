"""What all commands share: strict bodies, and the two places where a command can act."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.io.server import Simulator

Positive = Annotated[int, Meta(ge=1)]
Duration = Annotated[int, Meta(ge=0)]
"""Milliseconds of venue time; a scenario file may write them as 20s."""
Chance = Annotated[float, Meta(ge=0, le=1)]
HttpStatus = Annotated[int, Meta(ge=400, le=599)]
CloseCode = Annotated[int, Meta(ge=1000, le=4999)]
"""What a WebSocket close frame may carry, but for the reserved codes."""
S = TypeVar("S")


class BadInputError(ValueError):
    """A command that cannot be understood or done; the text names the field."""


class Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """A body in which a wrong or unknown field is refused."""


class MarketCommand(Strict, frozen=True):
    """A command that runs inside a block, before the agents act."""

    def check(self, exchange: Exchange) -> None:
        """Raise BadInputError for what the exchange could not even look at."""

    @abstractmethod
    def run(self, exchange: Exchange) -> object:
        """Do it. What is returned goes through `reply` once the block is made. May raise BadInputError."""


class ServerCommand(Strict, frozen=True):
    """A command to the server itself, done at once."""

    @abstractmethod
    def apply(self, simulator: Simulator) -> object:
        """Do it and return the reply. May raise BadInputError."""


def read(body: bytes, kind: type[S]) -> S:
    """Read a body; raise BadInputError."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.DecodeError as error:
        raise BadInputError(str(error)) from error
