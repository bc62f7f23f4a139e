"""Buckets in JetStream's key-value store: opened when needed, followed for ever."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import KeyValueConfig, StorageType
from nats.js.errors import APIError, BucketNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KV_DEL, KV_PURGE, KeyValue

from hlmonitor.runtime.nats import REQUEST_TIMEOUT_S, STREAM_EXISTS, WRONG_LAST_SEQUENCE, jetstream_of

RETRY_S = 0.2
_LOOK_S = 0.25
"""A watch that is silent looks so often whether it is still worth anything."""


@dataclass(frozen=True, slots=True)
class Put:
    """A key has this value."""

    key: str
    value: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class Removed:
    """A key is gone."""

    key: str
    deleted: bool
    """Somebody deleted it. Else it expired, or was not there any more when the bucket was read anew."""


@dataclass(frozen=True, slots=True)
class Synced:
    """Everything that the bucket held when the watch began was told."""


@dataclass(slots=True)
class Freshness:
    """How new what a follower knows is. Times are monotonic seconds."""

    read_s: float = float("-inf")
    """When its latest whole reading of the bucket began: what was put before that it knows."""
    wanted_s: float = float("-inf")

    def want(self, after_s: float) -> None:
        """Have the bucket read anew unless a reading began after this."""
        self.wanted_s = max(self.wanted_s, after_s)


async def open_bucket(client: Client, config: KeyValueConfig) -> KeyValue:
    """The bucket, made if it is not there.

    Raises:
        nats.errors.Error: NATS did not answer or refused.
    """
    jetstream = jetstream_of(client)
    try:
        return await jetstream.key_value(config.bucket)
    except BucketNotFoundError:
        pass
    try:
        return await jetstream.create_key_value(config)
    except APIError as error:
        # Somebody else made it between our two calls.
        if error.err_code != STREAM_EXISTS:
            raise
        return await jetstream.key_value(config.bucket)


def bucket_config(name: str, *, ttl_s: float | None = None) -> KeyValueConfig:
    """A bucket with one value per key; with a time to live it is kept in memory and tells when a key expires."""
    if ttl_s is None:
        return KeyValueConfig(bucket=name, history=1, storage=StorageType.FILE)
    return KeyValueConfig(
        bucket=name, history=1, storage=StorageType.MEMORY, ttl=ttl_s, limit_marker_ttl=max(ttl_s, 1.0)
    )


async def read_all(client: Client, config: KeyValueConfig) -> dict[str, Put]:
    """What the bucket holds now, by key.

    Raises:
        nats.errors.Error: NATS did not answer or refused.
    """
    found: dict[str, Put] = {}
    try:
        async with aclosing(_entries(client, config, REQUEST_TIMEOUT_S)) as entries:
            async for entry in entries:
                if entry is None:
                    break
                if entry.operation not in (KV_DEL, KV_PURGE):
                    found[entry.key] = _put(entry)
    except TimeoutError:
        raise NatsTimeoutError from None
    return found


async def write_at(bucket: KeyValue, key: str, value: bytes | None, revision: int | None) -> bool:
    """Write a value, or delete the key (None), if its revision is still this one (None: absent).

    Returns False when somebody was faster.

    Raises:
        nats.errors.Error: NATS did not answer or refused.
    """
    try:
        if value is None:
            await bucket.delete(key, last=revision)
        elif revision is None:
            await bucket.create(key, value)
        else:
            await bucket.update(key, value, last=revision)
    except KeyWrongLastSequenceError:
        return False
    except APIError as error:
        # The client translates this code for writes, but not for deletions.
        if error.err_code == WRONG_LAST_SEQUENCE:
            return False
        raise
    return True


async def follow(
    client: Client, config: KeyValueConfig, *, quiet_s: float, freshness: Freshness | None = None
) -> AsyncIterator[Put | Removed | Synced]:
    """Every value of a bucket, then Synced, then each change, for ever.

    After `quiet_s` without an entry, after a reconnect and after any failure the watch is opened anew: a consumer that
    the server forgot in a restart stays silent without an error. What vanished meanwhile is told as Removed before
    Synced. `freshness` is told of each whole reading, and can ask for one.
    """
    known: set[str] = set()
    freshness = freshness or Freshness()
    while True:
        began_s, connection = time.monotonic(), client.stats["reconnects"]

        def is_stale(began_s: float = began_s, connection: int = connection) -> bool:
            return freshness.wanted_s >= began_s or client.stats["reconnects"] != connection

        try:
            async for change in _watch(client, config, known, quiet_s, is_stale):
                if isinstance(change, Synced):
                    freshness.read_s = began_s
                yield change
        except (NatsError, OSError, TimeoutError):
            await asyncio.sleep(RETRY_S)


async def _watch(
    client: Client, config: KeyValueConfig, known: set[str], quiet_s: float, is_stale: Callable[[], bool]
) -> AsyncIterator[Put | Removed | Synced]:
    seen: set[str] = set()
    async with aclosing(_entries(client, config, quiet_s, is_stale)) as entries:
        async for entry in entries:
            if entry is None:
                for key in known - seen:
                    yield Removed(key, deleted=False)
                known &= seen
                yield Synced()
            elif entry.operation in (KV_DEL, KV_PURGE):
                seen.discard(entry.key)
                if entry.key in known:
                    known.discard(entry.key)
                    yield Removed(entry.key, deleted=entry.operation == KV_DEL)
            else:
                seen.add(entry.key)
                known.add(entry.key)
                yield _put(entry)


async def _entries(
    client: Client, config: KeyValueConfig, quiet_s: float, is_stale: Callable[[], bool] = lambda: False
) -> AsyncGenerator[KeyValue.Entry | None, None]:
    # None, once, when everything that the bucket held was told. The watcher says so too, but too early when the server
    # has sent what it holds and the client has not read it yet: a long list then looked empty. Nothing pending is too
    # early as well: a key that is written again while the bucket is read comes after that, as a change.
    bucket = await open_bucket(client, config)
    untold = await _keys(client, config.bucket)
    told = not untold
    watcher = await bucket.watchall()
    try:
        if told:
            yield None
        while True:
            entry = await _next(watcher, quiet_s, is_stale)
            if entry is None:
                continue
            yield entry
            if told:
                continue
            untold.discard(entry.key)
            if entry.delta == 0:
                # What expired since, its marker too, is not told any more.
                untold = untold and untold & await _keys(client, config.bucket)
                told = not untold
                if told:
                    yield None
    finally:
        with suppress(NatsError, OSError, TimeoutError):
            await watcher.stop()  # type: ignore[no-untyped-call]


async def _keys(client: Client, bucket: str) -> set[str]:
    # Deleted ones as well, while their marker is there. The server lists no more than 100,000.
    prefix = f"$KV.{bucket}."
    info = await jetstream_of(client).stream_info(f"KV_{bucket}", subjects_filter=f"{prefix}>")
    return {subject.removeprefix(prefix) for subject in info.state.subjects or ()}


async def _next(watcher: KeyValue.KeyWatcher, quiet_s: float, is_stale: Callable[[], bool]) -> KeyValue.Entry | None:
    quiet_at_s = time.monotonic() + quiet_s
    while True:
        try:
            # Not watcher.updates(): its wait_for forgets a cancellation that comes with an entry (Python 3.11).
            async with asyncio.timeout(max(min(_LOOK_S, quiet_at_s - time.monotonic()), 0)):
                entry: KeyValue.Entry | None = await anext(watcher)
        except TimeoutError:
            if is_stale() or time.monotonic() >= quiet_at_s:
                raise
        else:
            return entry


def _put(entry: KeyValue.Entry) -> Put:
    return Put(entry.key, entry.value or b"", entry.revision or 0)
