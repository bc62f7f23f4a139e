"""The stream of signals in JetStream."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from hlmonitor.aggregator.core.payload import SUBJECT, subjects_of
from hlmonitor.aggregator.core.tail import Bounds
from hlmonitor.aggregator.io.signal_stream import AwayError, Message, NoStreamError, RefusedError, WrongLastError
from hlmonitor.domain.addresses import Address
from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.nats import NO_MESSAGE, STREAM_EXISTS, WRONG_LAST_SEQUENCE, jetstream_of
from hlmonitor.runtime.streams import read_between

STREAM = "HL_SIGNALS"
SUBJECTS = f"{SUBJECT}.>"
RETRY_S = 0.25
READ_AT_ONCE = 1_000

_MARK = "Hlmon-Publish"
"""Header with a token of the attempt to publish one signal, the same over its repeats."""


@dataclass(slots=True)
class JetStream:
    """A SignalStream over a client of NATS."""

    client: Client
    retention_s: float
    """Of a stream that is made."""
    log: Log

    @property
    def connection(self) -> int:
        """As the protocol's. While there is no connection the client refuses to send."""
        return self.client.stats["reconnects"]

    async def ensure(self) -> None:
        """As the protocol's."""
        config = StreamConfig(
            name=STREAM,
            subjects=[SUBJECTS],
            storage=StorageType.FILE,
            retention=RetentionPolicy.LIMITS,
            max_age=self.retention_s,
            allow_direct=True,
        )
        while True:
            try:
                await jetstream_of(self.client).add_stream(config)
            except APIError as error:
                if error.err_code == STREAM_EXISTS:
                    return
                self.log.error("stream_refused", stream=STREAM, error=str(error))  # noqa: TRY400 no trace is needed
            except (NatsError, TimeoutError):
                pass
            else:
                return
            await asyncio.sleep(RETRY_S)

    async def bounds(self) -> Bounds:
        """As the protocol's."""
        with _errors():
            info = await jetstream_of(self.client).stream_info(STREAM)
        return Bounds(info.state.first_seq, info.state.last_seq, info.config.max_age or 0.0)

    async def append(self, address: Address, subject: str, payload: bytes, *, after_seq: int, mark: str) -> int:
        """As the protocol's."""
        headers = {
            _MARK: mark,
            "Nats-Expected-Last-Subject-Sequence": str(after_seq),
            "Nats-Expected-Last-Subject-Sequence-Subject": subjects_of(address),
        }
        with _errors():
            ack = await jetstream_of(self.client).publish(subject, payload, stream=STREAM, headers=headers)
        return ack.seq

    async def read(self, seq: int) -> Message | None:
        """As the protocol's. Asked of the stream's leader: another server may not have the message yet."""
        with _errors():
            try:
                found = await jetstream_of(self.client).get_msg(STREAM, seq)
            except NotFoundError as error:
                if error.err_code == NO_MESSAGE:
                    return None
                raise
        return _message(seq, found.data, found.headers)

    async def last_seq(self, address: Address) -> int:
        """As the protocol's."""
        with _errors():
            try:
                return (await jetstream_of(self.client).get_last_msg(STREAM, subjects_of(address))).seq or 0
            except NotFoundError as error:
                if error.err_code == NO_MESSAGE:
                    return 0
                raise

    async def between(self, address: Address, after_seq: int, through_seq: int) -> list[Message]:
        """As the protocol's."""
        with _errors():
            found = await read_between(
                self.client,
                STREAM,
                subjects_of(address),
                after_seq=after_seq,
                through_seq=through_seq,
                most=READ_AT_ONCE,
            )
        return [_message(message.seq, message.data, message.headers) for message in found]

    async def tell(self, subject: str, payload: bytes) -> None:
        """As the protocol's."""
        with _errors():
            await self.client.publish(subject, payload)


def _message(seq: int, data: bytes | None, headers: Mapping[str, str] | None) -> Message:
    return Message.of(seq, data or b"{}", (headers or {}).get(_MARK, ""))


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except APIError as error:
        if error.err_code == WRONG_LAST_SEQUENCE:
            raise WrongLastError(str(error)) from error
        if isinstance(error, NotFoundError):
            raise NoStreamError(str(error)) from error
        raise RefusedError(str(error)) from error
    except NoStreamResponseError as error:
        raise NoStreamError(f"nobody answers for {STREAM}") from error
    except (NatsError, TimeoutError, OSError) as error:
        raise AwayError(repr(error)) from error
