"""The stream of signals in memory, as JetStream does it: it can be away, or lose its tail."""

from dataclasses import dataclass, field

from hlmonitor.aggregator.core.tail import Bounds
from hlmonitor.aggregator.io.signal_stream import AwayError, Message, WrongLastError
from hlmonitor.domain.addresses import Address


@dataclass
class ModelStream:
    """What a server holds. Away until it is told to be there."""

    is_away: bool = False
    connection: int = 0
    bodies: dict[int, bytes] = field(default_factory=dict)
    """Payload by sequence, in the order of sequences."""
    told: list[tuple[str, bytes]] = field(default_factory=list)
    """What went out on core NATS: subject and payload."""
    _messages: dict[int, tuple[Address, Message]] = field(default_factory=dict)
    _last_seq: int = 0

    def restored(self, last_seq: int) -> None:
        """The server comes back with an older disk: what came after this sequence is gone."""
        for seq in [seq for seq in self.bodies if seq > last_seq]:
            del self.bodies[seq], self._messages[seq]
        self._last_seq = last_seq
        self.connection += 1

    async def ensure(self) -> None:
        """It always is there."""

    async def bounds(self) -> Bounds:
        self._answer()
        return Bounds(min(self.bodies, default=self._last_seq + 1), self._last_seq, 0.0)

    async def append(self, address: Address, subject: str, payload: bytes, *, after_seq: int, mark: str) -> int:  # noqa: ARG002 the address says enough
        if await self.last_seq(address) != after_seq:
            raise WrongLastError
        self._last_seq += 1
        self._messages[self._last_seq] = (address, Message.of(self._last_seq, payload, mark))
        self.bodies[self._last_seq] = payload
        return self._last_seq

    async def read(self, seq: int) -> Message | None:
        self._answer()
        found = self._messages.get(seq)
        return found[1] if found else None

    async def last_seq(self, address: Address) -> int:
        self._answer()
        return max((seq for seq, (whose, _) in self._messages.items() if whose == address), default=0)

    async def between(self, address: Address, after_seq: int, through_seq: int) -> list[Message]:
        self._answer()
        return [
            message
            for seq, (whose, message) in self._messages.items()
            if whose == address and after_seq < seq <= through_seq
        ]

    async def tell(self, subject: str, payload: bytes) -> None:
        self._answer()
        self.told.append((subject, payload))

    def _answer(self) -> None:
        if self.is_away:
            raise AwayError("the stream is away")
