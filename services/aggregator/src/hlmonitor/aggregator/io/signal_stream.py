"""What publishing needs of NATS. The tests' and the simulation's streams give the same.

StreamError
├── AwayError        NATS did not answer; what was asked for may have happened
├── NoStreamError    there is no such stream
├── WrongLastError   the address' last message is another than expected
└── RefusedError     anything else that NATS says no to
"""

from dataclasses import dataclass
from typing import Protocol

import msgspec

from hlmonitor.aggregator.core.tail import Bounds
from hlmonitor.domain.addresses import Address


class StreamError(Exception):
    """The stream did not take or tell something."""

    kind = "stream"
    """For the metric of failed publishes."""


class AwayError(StreamError):
    """NATS did not answer; what was asked for may have happened."""

    kind = "unreachable"


class NoStreamError(StreamError):
    """There is no such stream: somebody deleted it, or the server lost its disk."""

    kind = "no_stream"


class WrongLastError(StreamError):
    """The address' last message is another than expected."""

    kind = "wrong_last"


class RefusedError(StreamError):
    """NATS said no."""

    kind = "refused"


class _Identified(msgspec.Struct):
    id: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A signal in the stream."""

    seq: int
    signal_id: str
    mark: str
    """The token that it was appended with."""

    @classmethod
    def of(cls, seq: int, payload: bytes, mark: str) -> "Message":
        """What the stream holds at a sequence; somebody else's message has no id of ours."""
        try:
            return cls(seq, msgspec.json.decode(payload, type=_Identified).id, mark)
        except msgspec.DecodeError:
            return cls(seq, "", mark)


class SignalStream(Protocol):
    """The stream of all signals. Every method may raise a StreamError unless it says otherwise."""

    @property
    def connection(self) -> int:
        """Another number for each connection: after one that broke, the stream may be an older one."""
        ...

    async def ensure(self) -> None:
        """Make the stream if it is not there. Tried until NATS answers; what an operator has set on it stays."""
        ...

    async def bounds(self) -> Bounds:
        """What it holds."""
        ...

    async def append(self, address: Address, subject: str, payload: bytes, *, after_seq: int, mark: str) -> int:
        """Append a message if the address' last one is at `after_seq` (0: it has none). Returns its sequence."""
        ...

    async def read(self, seq: int) -> Message | None:
        """The message at a sequence."""
        ...

    async def last_seq(self, address: Address) -> int:
        """Where the address' last message is; 0 if it has none."""
        ...

    async def between(self, address: Address, after_seq: int, through_seq: int) -> list[Message]:
        """The address' first messages behind a sequence, so many as are read at once; its last is at `through_seq`."""
        ...

    async def tell(self, subject: str, payload: bytes) -> None:
        """Publish on core NATS: who listens now has it, nobody else."""
        ...
