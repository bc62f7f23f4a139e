"""The aggregators' stream of signals, kept by the simulated NATS."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from nats.errors import Error as NatsError

from dst.nats_server import Message as Held
from dst.nats_server import NatsClient, covers
from hlmonitor.aggregator.core.payload import subjects_of
from hlmonitor.aggregator.core.tail import Bounds
from hlmonitor.aggregator.io.signal_stream import AwayError, Message
from hlmonitor.domain.addresses import Address

T = TypeVar("T")

RETRY_S = 0.25
MAX_AGE_S = 7 * 86_400.0
READ_AT_ONCE = 5
"""So few that what lies behind is often read in parts."""


@dataclass(frozen=True, slots=True)
class SimulatedStream:
    """A SignalStream."""

    client: NatsClient

    @property
    def connection(self) -> int:
        """As the protocol's."""
        return self.client.connections

    async def ensure(self) -> None:
        """As the protocol's."""
        while True:
            try:
                return await self._ask(self._make)
            except AwayError:
                await asyncio.sleep(RETRY_S)

    async def bounds(self) -> Bounds:
        """As the protocol's."""
        return await self._ask(lambda: _bounds(self.client.server.stored()))

    async def append(self, address: Address, subject: str, payload: bytes, *, after_seq: int, mark: str) -> int:
        """As the protocol's."""
        server = self.client.server
        return await self._ask(lambda: server.append(subjects_of(address), subject, payload, mark, after_seq))

    async def read(self, seq: int) -> Message | None:
        """As the protocol's."""
        found = await self._ask(lambda: [one for one in self.client.server.stored() if one.seq == seq])
        return _message(found[0]) if found else None

    async def last_seq(self, address: Address) -> int:
        """As the protocol's."""
        found = await self._ask(lambda: self._of(address))
        return found[-1].seq if found else 0

    async def between(self, address: Address, after_seq: int, through_seq: int) -> list[Message]:
        """As the protocol's."""
        found = await self._ask(lambda: self._of(address))
        return [_message(one) for one in found if after_seq < one.seq <= through_seq][:READ_AT_ONCE]

    async def tell(self, subject: str, payload: bytes) -> None:
        """As the protocol's."""
        try:
            await self.client.publish(subject, payload)
        except NatsError as error:
            raise AwayError(repr(error)) from error

    def _make(self) -> None:
        server = self.client.server
        server.signals = [] if server.signals is None else server.signals

    def _of(self, address: Address) -> list[Held]:
        return [one for one in self.client.server.stored() if covers(subjects_of(address), one.subject)]

    async def _ask(self, work: Callable[[], T]) -> T:
        try:
            return await self.client.ask(work)
        except NatsError as error:
            raise AwayError(repr(error)) from error


def _message(held: Held) -> Message:
    return Message.of(held.seq, held.data, held.mark)


def _bounds(messages: list[Held]) -> Bounds:
    return Bounds(messages[0].seq, messages[-1].seq, MAX_AGE_S) if messages else Bounds(1, 0, MAX_AGE_S)
