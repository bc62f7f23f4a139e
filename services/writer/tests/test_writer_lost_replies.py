"""Replies that are lost on their way, at the worst moment: what was sent again is done, and nothing is there twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from reply_thief import ReplyThief
from sqlalchemy import make_url
from writer_builders import PARTITION
from writer_client import TIMEOUT_S, acquire, commit, numbered, scalar, writer_process

from hlmonitor.local.database_fixtures import servers_only
from hlmonitor.local.databases import DatabaseServer
from hlmonitor.local.ports import free_port
from hlmonitor.local.services import ServiceProcess
from hlmonitor.v1 import storage_pb2

COMMIT = {"PostgreSQL": b"COMMIT;", "MariaDB": b"\x03COMMIT"}
"""How the drivers say it; some settings of theirs speak of committing too."""
ORDERS = b"hl_order_aggregation"
"""The batch's transaction speaks of it when the fill is written; the writer's looks at its database never do."""
TABLES = ("hl_fill", "hl_address_signals", "hl_order_aggregation")


@pytest_asyncio.fixture
async def thief(server: DatabaseServer) -> AsyncIterator[ReplyThief]:
    """Stands between the writer and its database."""
    async with ReplyThief(server.port) as standing:
        yield standing


@pytest.fixture
def robbed(process: ServiceProcess, thief: ReplyThief, database_url: str) -> Iterator[ServiceProcess]:
    """The writer, started, behind the thief."""
    through = make_url(database_url).set(port=thief.port).render_as_string(hide_password=False)
    process.start(database_url=through)
    yield process
    process.kill()


async def assert_stored_once(database_url: str, batches: int) -> None:
    for table in TABLES:
        assert await scalar(database_url, f"SELECT count(*) FROM {table}") == batches, table
    assert await scalar(database_url, "SELECT next_number FROM hl_address_counter") == batches + 1


def assert_done(reply: storage_pb2.CommitReply) -> None:
    assert reply.WhichOneof("result") == "done"
    assert not reply.done.dead_letters


async def committed(database_url: str) -> int:
    return await scalar(database_url, f"SELECT last_batch FROM hl_partition WHERE partition_id = {PARTITION}")


@servers_only
async def test_a_commit_whose_answer_the_database_could_not_deliver_is_done_once(
    robbed: ServiceProcess, thief: ReplyThief, server: DatabaseServer, listen: str, database_url: str
) -> None:
    epoch = await acquire(listen)
    thief.arm(ORDERS, COMMIT[server.name])
    sending = asyncio.ensure_future(commit(listen, numbered(1, epoch)))
    async with asyncio.timeout(TIMEOUT_S):
        await thief.kept.wait()
    assert await committed(database_url) == 1
    assert not sending.done()
    thief.cut()
    assert_done(await sending)
    await assert_stored_once(database_url, 1)
    assert robbed.running


@servers_only
async def test_a_writer_killed_between_its_commit_and_its_reply_is_followed_by_one_that_says_done(
    robbed: ServiceProcess,
    thief: ReplyThief,
    server: DatabaseServer,
    listen: str,
    database_url: str,
    tmp_path: Path,
) -> None:
    epoch = await acquire(listen)
    thief.arm(ORDERS, COMMIT[server.name])
    sending = asyncio.ensure_future(commit(listen, numbered(1, epoch)))
    async with asyncio.timeout(TIMEOUT_S):
        await thief.kept.wait()
    robbed.kill()
    await asyncio.gather(sending, return_exceptions=True)
    assert await committed(database_url) == 1
    other = f"127.0.0.1:{free_port()}"
    successor = writer_process(tmp_path, database_url, other, name="successor")
    successor.start()
    try:
        assert_done(await commit(other, numbered(1, epoch)))
        assert_done(await commit(other, numbered(2, epoch)))
    finally:
        successor.kill()
    await assert_stored_once(database_url, 2)


@servers_only
async def test_a_writer_killed_before_its_commit_leaves_nothing_and_its_successor_applies_the_batch(
    robbed: ServiceProcess, thief: ReplyThief, listen: str, database_url: str
) -> None:
    epoch = await acquire(listen)
    # The fill is written by now, the transaction open.
    thief.arm(ORDERS)
    sending = asyncio.ensure_future(commit(listen, numbered(1, epoch)))
    async with asyncio.timeout(TIMEOUT_S):
        await thief.kept.wait()
    robbed.kill()
    await asyncio.gather(sending, return_exceptions=True)
    assert await committed(database_url) == 0
    robbed.start(database_url=database_url)
    assert_done(await commit(listen, numbered(1, epoch)))
    await assert_stored_once(database_url, 1)


async def test_a_batch_whose_reply_never_reached_its_owner_is_done_when_it_comes_again(
    process: ServiceProcess, listen: str, database_url: str
) -> None:
    process.start()
    await process.ready()
    epoch = await acquire(listen)
    async with ReplyThief(int(listen.rpartition(":")[2])) as thief:
        thief.arm(numbered(1, epoch).units[0].signals[0].payload)
        sending = asyncio.ensure_future(commit(f"127.0.0.1:{thief.port}", numbered(1, epoch)))
        async with asyncio.timeout(TIMEOUT_S):
            while await committed(database_url) < 1:
                await asyncio.sleep(0.05)
            await thief.kept.wait()
        thief.cut()
        with pytest.raises(grpc.aio.AioRpcError):
            await sending
    assert_done(await commit(listen, numbered(1, epoch)))
    await assert_stored_once(database_url, 1)


@servers_only
async def test_a_writer_stopped_within_a_transaction_holds_its_partition_up_for_seconds_and_then_is_refused(
    robbed: ServiceProcess, thief: ReplyThief, listen: str, database_url: str, tmp_path: Path
) -> None:
    epoch = await acquire(listen)
    thief.arm(ORDERS)
    sending = asyncio.ensure_future(commit(listen, numbered(1, epoch), grpc.aio.insecure_channel))
    async with asyncio.timeout(TIMEOUT_S):
        await thief.kept.wait()
    robbed.pause()
    other = f"127.0.0.1:{free_port()}"
    second = writer_process(tmp_path, database_url, other, name="second")
    second.start()
    try:
        await second.ready()
        new_epoch = await acquire(other)
        assert new_epoch > epoch
        assert_done(await commit(other, numbered(1, new_epoch)))
        robbed.resume()
        thief.cut()
        late = await sending
        assert late.refused.reason == storage_pb2.Refused.Reason.REASON_STALE_EPOCH
        assert_done(await commit(other, numbered(2, new_epoch)))
    finally:
        second.kill()
    await assert_stored_once(database_url, 2)
