"""Buckets against a real server: read, written by compare-and-set, and followed through crashes of the server."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import KeyValueConfig

from hlmonitor.local.nats import NatsServer
from hlmonitor.local.waiting import eventually
from hlmonitor.runtime.kv import Freshness, Put, Removed, Synced, bucket_config, follow, open_bucket, read_all, write_at

DISK = bucket_config("test_disk")
EXPIRING = bucket_config("test_expiring", ttl_s=1.0)
FORGOTTEN = bucket_config("test_forgotten", ttl_s=600.0)


@asynccontextmanager
async def following(
    client: Client, config: KeyValueConfig = DISK, *, quiet_s: float = 600, freshness: Freshness | None = None
) -> AsyncIterator[list[Put | Removed | Synced]]:
    told: list[Put | Removed | Synced] = []

    async def listen() -> None:
        async for change in follow(client, config, quiet_s=quiet_s, freshness=freshness):
            told.append(change)  # noqa: PERF401 the following never ends

    task = asyncio.create_task(listen())
    try:
        yield told
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def put(client: Client, key: str, value: bytes) -> None:
    """Retry through a restart of the server."""
    async with asyncio.timeout(60):
        while True:
            try:
                await (await open_bucket(client, DISK)).put(key, value)
            except (NatsError, TimeoutError):
                await asyncio.sleep(0.05)
            else:
                return


def values(told: list[Put | Removed | Synced]) -> list[tuple[str, bytes]]:
    return [(change.key, change.value) for change in told if isinstance(change, Put)]


async def test_what_is_there_is_told_before_synced_and_changes_after_it(client: Client) -> None:
    await put(client, "a", b"1")
    async with following(client) as told:
        await eventually(lambda: Synced() in told, "the bucket was read")
        assert values(told) == [("a", b"1")]
        await put(client, "b", b"2")
        await (await open_bucket(client, DISK)).delete("a")
        await eventually(lambda: Removed("a", deleted=True) in told, "the deletion was told")
    assert values(told)[:2] == [("a", b"1"), ("b", b"2")]


async def test_an_empty_bucket_is_synced_too(client: Client) -> None:
    async with following(client) as told:
        await eventually(lambda: Synced() in told, "the empty bucket was read")
    assert told[0] == Synced()


async def test_changes_are_told_after_the_server_was_killed_and_started_again(
    server: NatsServer, client: Client
) -> None:
    await put(client, "a", b"1")
    async with following(client, quiet_s=0.5) as told:
        await eventually(lambda: Synced() in told, "the bucket was read")
        server.kill()
        server.start()
        await put(client, "a", b"2")
        await eventually(lambda: ("a", b"2") in values(told), "the change was told")
        await put(client, "c", b"3")
        await eventually(lambda: ("c", b"3") in values(told), "later changes are told")


async def test_a_calm_bucket_is_read_anew_as_soon_as_the_connection_stands_again(
    server: NatsServer, client: Client
) -> None:
    await put(client, "a", b"1")
    async with following(client) as told:
        await eventually(lambda: Synced() in told, "the bucket was read")
        server.kill()
        server.start()
        await put(client, "a", b"2")
        await eventually(lambda: ("a", b"2") in values(told), "the change was told")


async def test_a_bucket_is_read_anew_for_whoever_wants_to_know_it_as_it_is_now(client: Client) -> None:
    freshness = Freshness()
    await put(client, "a", b"1")
    async with following(client, freshness=freshness) as told:
        await eventually(lambda: Synced() in told, "the bucket was read")
        now = time.monotonic()
        assert freshness.read_s < now
        freshness.want(now)
        await eventually(lambda: freshness.read_s > now, "the bucket was read again")
    assert values(told) == [("a", b"1"), ("a", b"1")]


async def test_what_vanished_while_nobody_listened_is_told_before_the_next_synced(
    server: NatsServer, client: Client
) -> None:
    await put(client, "a", b"1")
    await put(client, "b", b"1")
    async with following(client) as told:
        await eventually(lambda: Synced() in told, "the bucket was read")
        bucket = await open_bucket(client, DISK)
        # Without a marker, as when the key expired while the watch was lost.
        await client.jetstream().purge_stream("KV_test_disk", subject="$KV.test_disk.a")
        server.kill()
        server.start()
        await eventually(lambda: Removed("a", deleted=False) in told, "the loss was told")
        assert Synced() in told[told.index(Removed("a", deleted=False)) :] or await _synced_after(told)
        assert (await bucket.get("b")).value == b"1"


async def _synced_after(told: list[Put | Removed | Synced]) -> bool:
    at = told.index(Removed("a", deleted=False))
    await eventually(lambda: Synced() in told[at:], "the bucket was read again")
    return True


async def test_a_bucket_that_the_server_forgot_is_made_again(server: NatsServer, client: Client) -> None:
    await (await open_bucket(client, FORGOTTEN)).put("a", b"1")
    async with following(client, FORGOTTEN, quiet_s=0.5) as told:
        await eventually(lambda: ("a", b"1") in values(told) and Synced() in told, "the bucket was read")
        server.kill()
        server.start()
        await eventually(lambda: Removed("a", deleted=False) in told, "the loss was told")


async def test_an_expired_key_is_told_as_gone_but_not_as_deleted(client: Client) -> None:
    async with following(client, EXPIRING) as told:
        await eventually(lambda: Synced() in told, "the empty bucket was read")
        await (await open_bucket(client, EXPIRING)).put("a", b"1")
        await eventually(lambda: Removed("a", deleted=False) in told, "the key expired")
    assert Removed("a", deleted=True) not in told


async def test_many_may_open_a_bucket_at_once(client: Client) -> None:
    buckets = await asyncio.gather(*(open_bucket(client, DISK) for _ in range(10)))
    await buckets[0].put("a", b"1")
    assert (await buckets[9].get("a")).value == b"1"


async def test_a_bucket_is_read_whole(client: Client) -> None:
    assert await read_all(client, DISK) == {}
    bucket = await open_bucket(client, DISK)
    await asyncio.gather(*(bucket.put(f"k{number}", str(number).encode()) for number in range(600)))
    await bucket.delete("k7")
    expected = {f"k{number}": str(number).encode() for number in range(600) if number != 7}
    # Again and again: the client's own mark of the end comes too early once in a while.
    for _ in range(50):
        found = await read_all(client, DISK)
        assert {key: stored.value for key, stored in found.items()} == expected


async def test_a_key_that_is_written_again_while_the_bucket_is_read_is_never_missing(client: Client) -> None:
    keys = {f"k{n}" for n in range(5)}
    bucket = await open_bucket(client, DISK)
    for key in keys:
        await bucket.put(key, b"1")

    async def write_for_ever() -> None:
        while True:
            await bucket.put("k4", b"2")

    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(write_for_ever())
        for _ in range(300):
            assert (await read_all(client, DISK)).keys() == keys
        writing.cancel()


async def test_writing_at_a_revision_loses_to_whoever_was_faster(client: Client) -> None:
    bucket = await open_bucket(client, DISK)
    assert await write_at(bucket, "a", b"1", None)
    assert not await write_at(bucket, "a", b"2", None)
    revision = (await read_all(client, DISK))["a"].revision
    assert await write_at(bucket, "a", b"2", revision)
    assert not await write_at(bucket, "a", b"3", revision)
    assert not await write_at(bucket, "a", None, revision)
    assert (await bucket.get("a")).value == b"2"


async def test_a_deleted_key_can_be_made_again(client: Client) -> None:
    bucket = await open_bucket(client, DISK)
    await write_at(bucket, "a", b"1", None)
    assert await write_at(bucket, "a", None, (await read_all(client, DISK))["a"].revision)
    assert await read_all(client, DISK) == {}
    assert await write_at(bucket, "a", b"2", None)
