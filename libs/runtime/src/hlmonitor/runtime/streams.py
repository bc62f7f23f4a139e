"""A JetStream stream, followed for ever or read once: in order, without holes, through restarts of the server."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
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


async def follow_stream(
    client: Client, stream: str, subject: str, *, after_seq: int = 0, since_ms: int | None = None
) -> AsyncGenerator[Stored, None]:
    """Every message of the subject (wildcards allowed) after a sequence, or stored since a time; then each new one.

    Never ends. While the stream does not exist or NATS is away, it waits.
    """
    last = after_seq
    while True:
        config = _start_at(last, since_ms if last == after_seq else None)
        try:
            async with aclosing(_messages(client, stream, subject, config, QUIET_S)) as messages:
                async for message in messages:
                    if message.seq > last:
                        last = message.seq
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
    found: list[Stored] = []
    if wanted:
        try:
            async with aclosing(_messages(client, stream, subject, _start_at(0, None), REQUEST_TIMEOUT_S)) as messages:
                async for message in messages:
                    found.append(message)
                    if len(found) >= wanted:
                        break
        except TimeoutError:
            raise NatsTimeoutError from None
    return found


async def last_seq(client: Client, stream: str) -> int:
    """The sequence of the stream's last message; 0 when there is none, or no such stream.

    Raises:
        nats.errors.Error: NATS did not answer or refused.
    """
    try:
        return (await jetstream_of(client).stream_info(stream)).state.last_seq
    except NotFoundError:
        return 0


async def _messages(
    client: Client, stream: str, subject: str, config: ConsumerConfig, quiet_s: float
) -> AsyncGenerator[Stored, None]:
    queue: asyncio.Queue[Stored] = asyncio.Queue(maxsize=1000)

    async def take(message: Msg) -> None:
        metadata = message.metadata
        stored_at_ms = round(metadata.timestamp.timestamp() * 1000)
        await queue.put(Stored(metadata.sequence.stream, message.subject, message.data, stored_at_ms))

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
