"""Buckets in JetStream's key-value store: opened when needed, followed for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import KeyValueConfig, StorageType
from nats.js.errors import APIError, BucketNotFoundError
from nats.js.kv import KV_DEL, KV_PURGE, KeyValue

from hlmonitor.runtime.nats import jetstream_of

RETRY_S = 0.2

_BUCKET_EXISTS = 10058
"""JetStream's error code for a stream of that name with another configuration."""


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


@dataclass(frozen=True, slots=True)
class Synced:
    """Everything that the bucket held when the watch began was told."""


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
        if error.err_code != _BUCKET_EXISTS:
            raise
        return await jetstream.key_value(config.bucket)


def bucket_config(name: str, *, ttl_s: float | None = None) -> KeyValueConfig:
    """A bucket with one value per key; with a time to live it is kept in memory and tells when a key expires."""
    if ttl_s is None:
        return KeyValueConfig(bucket=name, history=1, storage=StorageType.FILE)
    return KeyValueConfig(
        bucket=name, history=1, storage=StorageType.MEMORY, ttl=ttl_s, limit_marker_ttl=max(ttl_s, 1.0)
    )


async def follow(client: Client, config: KeyValueConfig, *, quiet_s: float) -> AsyncIterator[Put | Removed | Synced]:
    """Every value of a bucket, then Synced, then each change, for ever.

    After `quiet_s` without an entry, and after any failure, the watch is opened anew: a consumer that the server
    forgot in a restart stays silent without an error. What vanished meanwhile is told as Removed before Synced.
    """
    known: set[str] = set()
    while True:
        try:
            async for change in _watch(await open_bucket(client, config), known, quiet_s):
                yield change
        except (NatsError, OSError, TimeoutError):
            await asyncio.sleep(RETRY_S)


async def _watch(bucket: KeyValue, known: set[str], quiet_s: float) -> AsyncIterator[Put | Removed | Synced]:
    watcher = await bucket.watchall()
    seen: set[str] = set()
    synced = False
    try:
        while True:
            entry = await watcher.updates(timeout=quiet_s)  # type: ignore[no-untyped-call]
            if entry is None:
                for key in known - seen:
                    yield Removed(key)
                known &= seen
                known |= seen
                synced = True
                yield Synced()
            elif entry.operation in (KV_DEL, KV_PURGE):
                seen.discard(entry.key)
                if entry.key in known:
                    known.discard(entry.key)
                    yield Removed(entry.key)
            else:
                seen.add(entry.key)
                if synced:
                    known.add(entry.key)
                yield Put(entry.key, entry.value or b"", entry.revision)
    except TimeoutError:
        return
    finally:
        with suppress(NatsError, OSError, TimeoutError):
            await watcher.stop()  # type: ignore[no-untyped-call]
