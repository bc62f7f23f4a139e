"""A JetStream stream, followed for ever or read once: in order, without holes, through restarts of the server."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from hlmonitor.runtime.kv import RETRY_S
from hlmonitor.runtime.nats import REQUEST_TIMEOUT_S, jetstream_of

QUIET_S = 5.0
"""After this long without a message the stream is subscribed anew: a server that was restarted forgets consumers."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as the stream holds it."""

    seq: int
    subject: str
    data: bytes
    stored_at_ms: int
    """The server's clock when it took the message in."""
    headers: Mapping[str, str] = field(default_factory=dict)


async def follow_stream(
    client: Client, stream: str, subject: str, *, after_seq: int = 0, since_ms: int | None = None
) -> AsyncGenerator[Stored, None]:
    """Every message of the subject (wildcards allowed) after a sequence, or stored since a time; then each new one.

    Never ends. While the stream does not exist or NATS is away, it waits. After a stream came back without its last
    messages, what it gets again may be told again.
    """
    last, told_at_ms, made = after_seq, since_ms, None
    while True:
        try:
            info = await jetstream_of(client).stream_info(stream)
            if info.state.last_seq < last or made not in (None, info.created):
                # It gives sequences again, so only its clock tells what came after what was told.
                last, since_ms = 0, told_at_ms
            made = info.created
            start = _start_at(last, since_ms)
            async with aclosing(_messages(client, stream, subject, start, QUIET_S)) as messages:
                async for message in messages:
                    if message.seq > last:
                        last, since_ms, told_at_ms = message.seq, None, message.stored_at_ms
                        yield message
        except (NatsError, OSError, TimeoutError):
            await asyncio.sleep(RETRY_S)


async def read_stream(client: Client, stream: str, subject: str) -> list[Stored]:
    """What the stream holds of the subject now, oldest first; nothing when there is no such stream.

    Raises:
        nats.errors.Error: NATS did not answer or refused.
    """
    try:
        pending = (await jetstream_of(client).stream_info(stream, subjects_filter=subject)).state
    except NotFoundError:
        return []
    wanted = sum((pending.subjects or {}).values())
    return await _read(client, stream, subject, 0, lambda found: len(found) >= wanted) if wanted else []


async def read_between(
    client: Client, stream: str, subject: str, *, after_seq: int, through_seq: int, most: int
) -> list[Stored]:
    """What the stream holds of the subject behind a sequence, oldest first; `through_seq` is the subject's last one.

    Raises:
        nats.errors.Error: NATS did not answer or refused.
    """
    if through_seq <= after_seq:
        return []
    return await _read(
        client, stream, subject, after_seq, lambda found: len(found) >= most or found[-1].seq >= through_seq
    )


async def last_seq(client: Client, stream: str) -> int:
    """The sequence of the stream's last message; 0 when there is none, or no such stream.

    Raises:
        nats.errors.Error: NATS did not answer or refused.
    """
    try:
        return (await jetstream_of(client).stream_info(stream)).state.last_seq
    except NotFoundError:
        return 0


async def _read(
    client: Client, stream: str, subject: str, after_seq: int, is_enough: Callable[[list[Stored]], bool]
) -> list[Stored]:
    found: list[Stored] = []
    start = _start_at(after_seq, None)
    try:
        async with aclosing(_messages(client, stream, subject, start, REQUEST_TIMEOUT_S)) as messages:
            async for message in messages:
                found.append(message)
                if is_enough(found):
                    break
    except TimeoutError:
        raise NatsTimeoutError from None
    return found


async def _messages(
    client: Client, stream: str, subject: str, config: ConsumerConfig, quiet_s: float
) -> AsyncGenerator[Stored, None]:
    queue: asyncio.Queue[Stored] = asyncio.Queue(maxsize=1000)

    async def take(message: Msg) -> None:
        metadata = message.metadata
        stored_at_ms = round(metadata.timestamp.timestamp() * 1000)
        headers = message.headers or {}
        await queue.put(Stored(metadata.sequence.stream, message.subject, message.data, stored_at_ms, headers))

    subscription = await jetstream_of(client).subscribe(
        subject, stream=stream, cb=take, ordered_consumer=True, config=config
    )
    try:
        while True:
            async with asyncio.timeout(quiet_s):
                message = await queue.get()
            yield message
    finally:
        with suppress(NatsError, OSError, TimeoutError):
            await subscription.unsubscribe()


def _start_at(after_seq: int, since_ms: int | None) -> ConsumerConfig:
    if since_ms is None:
        return ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=after_seq + 1)
    since = datetime.fromtimestamp(since_ms / 1000, UTC)
    return ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_TIME, opt_start_time=since)
