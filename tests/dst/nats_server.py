"""NATS as far as the services use it: the stream of signals, key-value buckets, core messages.

Messages take time. An answer may be lost, the server may be away, and it may come back with an older state.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from nats.errors import ConnectionClosedError, ConnectionReconnectingError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import KeyValueConfig
from nats.js.errors import (
    BucketNotFoundError,
    KeyWrongLastSequenceError,
    NotFoundError,
)
from nats.js.kv import KV_DEL, KeyValue

from dst.loop import NOWHERE, SCOPE, Scope, VirtualLoop
from hlmonitor.aggregator.io.signal_stream import NoStreamError, WrongLastError

T = TypeVar("T")

REQUEST_TIMEOUT_S = 5.0
STREAM_EXISTS, WRONG_LAST_SEQUENCE = 10058, 10071


@dataclass(frozen=True, slots=True)
class Message:
    """As a stream holds it."""

    seq: int
    subject: str
    data: bytes
    mark: str


@dataclass(slots=True)
class Bucket:
    """Keys with their last value."""

    revision: int = 0
    entries: dict[str, KeyValue.Entry] = field(default_factory=dict)
    watchers: list["_Watcher"] = field(default_factory=list)


@dataclass(slots=True)
class NatsServer:
    """The server of a run."""

    loop: VirtualLoop
    chance: random.Random
    trace: Callable[[str, str], None] = lambda _who, _what: None
    signals: list[Message] | None = None
    """The stream of signals, once somebody has made it."""
    buckets: dict[str, Bucket] = field(default_factory=dict)
    core: list[tuple[str, bytes]] = field(default_factory=list)
    on_stored: Callable[[bytes], None] = lambda _: None
    """Called with each message of a stream, before it is stored."""
    is_away: bool = False
    lose_answers: float = 0.0
    """Chance that what was done is not answered."""
    clients: list["NatsClient"] = field(default_factory=list)

    def go_away(self) -> None:
        """Everybody's connection breaks; what waits for an answer gets none."""
        self.is_away = True
        for client in self.clients:
            client.broken()

    def lose_tail(self) -> str:
        """While it was away somebody put an older disk in, or an empty one; returns what is left."""
        if not self.signals or self.chance.random() < 0.2:
            self.signals = None
            return "nothing is left of the stream"
        del self.signals[self.chance.randrange(len(self.signals)) :]
        return f"{len(self.signals)} messages are left of the stream"

    def come_back(self) -> None:
        """Take connections again."""
        self.is_away = False
        for client in self.clients:
            client.reconnected()

    def append(self, pattern: str, subject: str, data: bytes, mark: str, after_seq: int) -> int:
        """Append a message if the last one of the pattern is at that sequence.

        Raises:
            WrongLastError: it is not.
            NoStreamError: there is no stream.
        """
        messages = self.stored()
        last = next((one.seq for one in reversed(messages) if covers(pattern, one.subject)), 0)
        if last != after_seq:
            raise WrongLastError(f"the last sequence is {last}")
        self.on_stored(data)
        seq = messages[-1].seq + 1 if messages else 1
        messages.append(Message(seq, subject, data, mark))
        self.trace("nats", f"stored {seq} {subject}")
        return seq

    def stored(self) -> list[Message]:
        """What the stream of signals holds.

        Raises:
            NoStreamError: there is none.
        """
        if self.signals is None:
            raise NoStreamError("there is no stream")
        return self.signals

    def write_key(self, name: str, key: str, value: bytes | None, expected: int | None) -> int:
        """Put, or delete with None; `expected` is the revision that must be the key's last (0: absent)."""
        bucket = self.buckets[name]
        known = bucket.entries.get(key)
        if expected is not None and expected != (known.revision if known else 0):
            raise KeyWrongLastSequenceError
        bucket.revision += 1
        operation = KV_DEL if value is None else None
        entry = KeyValue.Entry(name, key, value, bucket.revision, 0, None, operation)
        bucket.entries[key] = entry
        for watcher in list(bucket.watchers):
            watcher.tell(entry)
        return bucket.revision


def covers(pattern: str, subject: str) -> bool:
    """Whether a subject is below a pattern that may end in `>`."""
    return subject.startswith(pattern[:-1]) if pattern.endswith(">") else subject == pattern


class NatsClient:
    """In the place of nats.aio.client.Client, for one process."""

    def __init__(
        self, server: NatsServer, scope: Scope, on_connected: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._server, self._scope, self._on_connected = server, scope, on_connected
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self.connections = 0
        """Which connection this is."""
        self._js = _JetStream(self)
        server.clients.append(self)

    @property
    def is_connected(self) -> bool:
        """Whether the server is there."""
        return not self._server.is_away and self._scope.is_alive

    @property
    def stats(self) -> dict[str, int]:
        """What services look at of the library's."""
        return {"reconnects": self.connections}

    @property
    def server(self) -> NatsServer:
        """The server, for the parts of this client."""
        return self._server

    def jetstream(self, **_: object) -> "_JetStream":
        """The JetStream context."""
        return self._js

    async def publish(self, subject: str, payload: bytes = b"", **_: object) -> None:
        """A core message; nobody says whether it arrived."""
        if not self.is_connected:
            raise ConnectionClosedError
        self._server.core.append((subject, payload))
        await asyncio.sleep(0)

    async def ask(self, work: Callable[[], T]) -> T:
        """Have the server do something, and wait for its answer."""
        if not self.is_connected:
            raise ConnectionReconnectingError
        loop, chance = self._server.loop, self._server.chance
        answer: asyncio.Future[T] = loop.create_future()
        number = loop.next_number()
        self._asked[number] = answer

        def arrive() -> None:
            # A request that was given up may arrive all the same, as long as the connection stands.
            if not self.is_connected:
                return
            outcome = _done(loop, work)
            if chance.random() >= self._server.lose_answers:
                loop.call_later(self._latency_s(), _pass_on, outcome, answer, context=NOWHERE)

        loop.call_later(self._latency_s(), arrive, context=NOWHERE)
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                return await answer
        except TimeoutError:
            raise NatsTimeoutError from None
        finally:
            del self._asked[number]

    def broken(self) -> None:
        """The connection is gone: what was asked is not answered."""
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(ConnectionReconnectingError())
                answer.exception()

    def reconnected(self) -> None:
        """The connection stands again."""
        self.connections += 1
        if self._on_connected and self._scope.is_alive:
            self._server.loop.create_task(_await(self._on_connected()), context=self._scope.new_context())

    def _latency_s(self) -> float:
        return self._server.chance.uniform(0.0001, 0.002)


def _done(loop: VirtualLoop, work: Callable[[], T]) -> asyncio.Future[T]:
    outcome: asyncio.Future[T] = loop.create_future()
    try:
        outcome.set_result(work())
    except Exception as error:  # noqa: BLE001 it is the answer
        outcome.set_exception(error)
        # The answer may get lost.
        outcome.exception()
    return outcome


def _pass_on(outcome: asyncio.Future[T], answer: asyncio.Future[T]) -> None:
    if answer.done():
        return
    if error := outcome.exception():
        answer.set_exception(error)
    else:
        answer.set_result(outcome.result())


async def _await(work: Awaitable[None]) -> None:
    await work


class _JetStream:
    """In the place of JetStreamContext."""

    def __init__(self, client: NatsClient) -> None:
        self._client = client

    async def key_value(self, bucket: str) -> "_KeyValue":
        """An existing bucket."""

        def find() -> None:
            if bucket not in self._client.server.buckets:
                raise BucketNotFoundError

        await self._client.ask(find)
        return _KeyValue(self._client, bucket)

    async def create_key_value(self, config: KeyValueConfig) -> "_KeyValue":
        """A new bucket."""
        buckets = self._client.server.buckets
        await self._client.ask(lambda: buckets.setdefault(config.bucket, Bucket()))
        return _KeyValue(self._client, config.bucket)

    async def stream_info(self, name: str, subjects_filter: str) -> "_StreamInfo":
        """Which keys a bucket holds, deleted ones as well."""
        bucket = name.removeprefix("KV_")

        def look() -> _StreamInfo:
            if bucket not in self._client.server.buckets:
                raise NotFoundError
            keys = self._client.server.buckets[bucket].entries
            return _StreamInfo(_StreamState({subjects_filter.replace(">", key): 1 for key in keys}))

        return await self._client.ask(look)


class _KeyValue:
    """In the place of KeyValue."""

    def __init__(self, client: NatsClient, name: str) -> None:
        self._client, self._name = client, name

    async def put(self, key: str, value: bytes) -> int:
        """Write whatever is there."""
        return await self._write(key, value, None)

    async def create(self, key: str, value: bytes) -> int:
        """Write if the key is absent."""
        known = self._client.server.buckets[self._name].entries.get(key)
        return await self._write(key, value, known.revision if known and known.operation == KV_DEL else 0)

    async def update(self, key: str, value: bytes, last: int | None = None) -> int:
        """Write if the revision is still the last."""
        return await self._write(key, value, last or 0)

    async def delete(self, key: str, last: int | None = None) -> bool:
        """Delete a key."""
        await self._write(key, None, last)
        return True

    async def get(self, key: str) -> KeyValue.Entry:
        """A key's value."""
        entry = await self._client.ask(lambda: self._client.server.buckets[self._name].entries.get(key))
        if entry is None or entry.operation == KV_DEL:
            raise NotFoundError(code=404, err_code=10037, description="no such key")
        return entry

    async def watchall(self) -> "_Watcher":
        """Every value, then each change."""
        watcher = _Watcher(self._client)
        bucket = self._client.server.buckets[self._name]

        def begin() -> None:
            entries = list(bucket.entries.values())
            for place, entry in enumerate(entries):
                watcher.tell(KeyValue.Entry(**{**vars(entry), "delta": len(entries) - 1 - place}))
            bucket.watchers.append(watcher)

        await self._client.ask(begin)
        return watcher

    async def _write(self, key: str, value: bytes | None, expected: int | None) -> int:
        server = self._client.server
        return await self._client.ask(lambda: server.write_key(self._name, key, value, expected))


@dataclass(frozen=True, slots=True)
class _StreamState:
    subjects: dict[str, int]


@dataclass(frozen=True, slots=True)
class _StreamInfo:
    state: _StreamState


class _Watcher:
    """In the place of KeyValue.KeyWatcher."""

    def __init__(self, client: NatsClient) -> None:
        self._client = client
        self._queue: asyncio.Queue[KeyValue.Entry] = asyncio.Queue()
        self._is_stopped = False

    def tell(self, entry: KeyValue.Entry) -> None:
        """The server has something for this watcher."""
        if self._client.is_connected and not self._is_stopped:
            self._queue.put_nowait(entry)

    async def __anext__(self) -> KeyValue.Entry:
        return await self._queue.get()

    async def stop(self) -> None:
        """No more of it."""
        self._is_stopped = True


@asynccontextmanager
async def connected(
    server: NatsServer, on_connected: Callable[[], Awaitable[None]] | None = None
) -> AsyncIterator[NatsClient]:
    """A client of the process that asks; `on_connected` is called whenever the server has come back."""
    scope = SCOPE.get()
    assert scope is not None
    client = NatsClient(server, scope, on_connected)
    try:
        yield client
    finally:
        server.clients.remove(client)
