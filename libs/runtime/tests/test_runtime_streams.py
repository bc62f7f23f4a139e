"""A stream against a real server: followed through a crash without holes or repeats, and read whole."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

from nats.aio.client import Client

from hlmonitor.local.nats import NatsServer
from hlmonitor.local.waiting import eventually
from hlmonitor.runtime.nats import jetstream_of
from hlmonitor.runtime.streams import Stored, follow_stream, last_seq, read_stream

STREAM = "TEST"


async def make_stream(client: Client) -> None:
    await jetstream_of(client).add_stream(name=STREAM, subjects=["test.>"])


async def publish(client: Client, *numbers: int, subject: str = "test.a") -> None:
    for number in numbers:
        await jetstream_of(client).publish(subject, str(number).encode())


@asynccontextmanager
async def following(client: Client, subject: str = "test.>", **start: int) -> AsyncIterator[list[int]]:
    heard: list[int] = []

    async def listen() -> None:
        async with aclosing(follow_stream(client, STREAM, subject, **start)) as messages:
            async for message in messages:
                heard.append(int(message.data))  # noqa: PERF401 the following never ends

    task = asyncio.create_task(listen())
    try:
        yield heard
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_messages_are_told_in_order_old_ones_first(client: Client) -> None:
    await make_stream(client)
    await publish(client, 1, 2)
    async with following(client) as heard:
        await eventually(lambda: heard == [1, 2], "the old ones came")
        await publish(client, 3)
        await eventually(lambda: heard == [1, 2, 3], "the new one came")


async def test_following_starts_after_a_sequence_or_at_a_time(client: Client) -> None:
    await make_stream(client)
    await publish(client, 1, 2)
    (_, second) = await read_stream(client, STREAM, "test.>")
    async with following(client, after_seq=1) as heard:
        await eventually(lambda: heard == [2], "it started after the first")
    async with following(client, since_ms=second.stored_at_ms + 1) as heard:
        await publish(client, 3)
        await eventually(lambda: heard == [3], "only what is stored later came")


async def test_only_the_subject_is_told(client: Client) -> None:
    await make_stream(client)
    await publish(client, 1, subject="test.a")
    await publish(client, 2, subject="test.b")
    async with following(client, subject="test.b") as heard:
        await eventually(lambda: heard == [2], "only b came")


async def test_a_stream_that_is_not_there_yet_is_waited_for(client: Client) -> None:
    async with following(client) as heard:
        await make_stream(client)
        await publish(client, 1)
        await eventually(lambda: heard == [1], "it came")


async def test_a_kill_of_the_server_leaves_no_hole_and_repeats_nothing(server: NatsServer, client: Client) -> None:
    await make_stream(client)
    await publish(client, 1, 2)
    async with following(client) as heard:
        await eventually(lambda: heard == [1, 2], "the old ones came")
        server.kill()
        await eventually(lambda: not client.is_connected, "the client notices")
        server.start()
        await eventually(lambda: client.is_connected, "the client is back")
        await publish(client, 3, 4)
        await eventually(lambda: heard == [1, 2, 3, 4], "the rest came")


async def test_a_stream_that_was_made_anew_is_followed_from_where_it_stands(client: Client) -> None:
    await make_stream(client)
    await publish(client, 1, 2, 3, 4)
    async with following(client) as heard:
        await eventually(lambda: heard == [1, 2, 3, 4], "the old ones came")
        await jetstream_of(client).delete_stream(STREAM)
        await make_stream(client)
        await publish(client, 5)
        await eventually(lambda: heard == [1, 2, 3, 4, 5], "what the new one holds came")


async def test_a_stream_that_came_back_without_its_tail_is_followed_from_there(
    server: NatsServer, client: Client, tmp_path: Path
) -> None:
    store, copy = server.directory / "nats", tmp_path / "copy"
    await make_stream(client)
    await publish(client, 1, 2)
    server.stop()
    shutil.copytree(store, copy)
    await eventually(lambda: not client.is_connected, "the client notices")
    server.start()
    await eventually(lambda: client.is_connected, "the client is back")
    async with following(client) as heard:
        await publish(client, 3, 4, 5)
        await eventually(lambda: heard == [1, 2, 3, 4, 5], "the first ones came")
        server.kill()
        shutil.rmtree(store)
        shutil.copytree(copy, store)
        await eventually(lambda: not client.is_connected, "the client notices")
        server.start()
        await eventually(lambda: client.is_connected, "the client is back")
        await publish(client, 6)
        await eventually(lambda: heard == [1, 2, 3, 4, 5, 6], "what stands at a sequence that was told came")


async def test_a_stream_is_read_whole(client: Client) -> None:
    assert await read_stream(client, STREAM, "test.>") == []
    assert await last_seq(client, STREAM) == 0
    await make_stream(client)
    assert await read_stream(client, STREAM, "test.>") == []
    await publish(client, *range(300))
    await publish(client, 7, subject="test.b")
    found = await read_stream(client, STREAM, "test.a")
    assert [int(message.data) for message in found] == list(range(300))
    assert isinstance(found[0], Stored)
    assert (found[0].seq, found[0].subject) == (1, "test.a")
    assert await last_seq(client, STREAM) == 301
