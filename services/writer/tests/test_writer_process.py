"""The writer as a real process, killed and deprived of its database."""

import asyncio
from pathlib import Path

import grpc
from writer_client import TIMEOUT_S, acquire, commit, connected, numbered, scalar

from hlmonitor.local.database_fixtures import servers_only
from hlmonitor.local.databases import DatabaseServer
from hlmonitor.local.services import ServiceProcess
from hlmonitor.local.waiting import eventually
from hlmonitor.v1 import storage_pb2


async def test_a_batch_whose_reply_was_lost_by_a_kill_is_done_and_not_doubled(
    process: ServiceProcess, listen: str, database_url: str
) -> None:
    process.start()
    await process.ready()
    epoch = await acquire(listen)
    for number in (1, 2):
        message = numbered(number, epoch)
        sending = asyncio.ensure_future(commit(listen, message))
        if number == 1:
            async with asyncio.timeout(TIMEOUT_S):
                while await scalar(database_url, "SELECT max(last_batch) FROM hl_partition") < number:
                    await asyncio.sleep(0)
        else:
            # Somewhere on its way, committed or not.
            await asyncio.sleep(0.005)
        process.kill()
        await asyncio.gather(sending, return_exceptions=True)
        process.start()
        reply = await commit(listen, message)
        assert reply.WhichOneof("result") == "done"
        assert not reply.done.dead_letters
    for table in ("hl_fill", "hl_address_signals", "hl_order_aggregation"):
        assert await scalar(database_url, f"SELECT count(*) FROM {table}") == 2
    assert await scalar(database_url, "SELECT next_number FROM hl_address_counter") == 3


@servers_only
async def test_a_database_that_is_down_at_start_is_waited_for(
    process: ServiceProcess, listen: str, server: DatabaseServer
) -> None:
    server.stop()
    try:
        process.start()
        async with asyncio.timeout(TIMEOUT_S):
            while "database_retry" not in process.log_tail():
                await asyncio.sleep(0.05)
            while not (await process.get("/health/ready"))[1].startswith("not ready\ndatabase: migrate"):
                await asyncio.sleep(0.05)
        assert (await process.get("/health/live"))[0] == 200
    finally:
        server.start()
    await process.ready()
    assert await acquire(listen) == 1


@servers_only
async def test_a_writer_without_database_still_stops_when_told_to(
    process: ServiceProcess, listen: str, server: DatabaseServer
) -> None:
    server.stop()
    try:
        process.start()
        async with asyncio.timeout(TIMEOUT_S):
            while "database_retry" not in process.log_tail():
                await asyncio.sleep(0.05)
        assert await process.terminate() == 0
    finally:
        server.start()
    process.start()
    await process.ready()
    epoch = await acquire(listen)
    server.kill()
    try:
        sending = asyncio.ensure_future(commit(listen, numbered(1, epoch)))
        await eventually(lambda: "what=commit" in process.log_tail(), "the batch is there and is retried", TIMEOUT_S)
        assert await process.terminate() == 0
    finally:
        server.start()
    (failed,) = await asyncio.gather(sending, return_exceptions=True)
    assert isinstance(failed, grpc.aio.AioRpcError)
    assert failed.code() is grpc.StatusCode.UNAVAILABLE


@servers_only
async def test_a_batch_waits_for_a_database_that_went_away(
    process: ServiceProcess, listen: str, server: DatabaseServer
) -> None:
    process.start()
    await process.ready()
    epoch = await acquire(listen)
    await commit(listen, numbered(1, epoch))
    server.kill()
    try:
        sending = asyncio.ensure_future(commit(listen, numbered(2, epoch)))
        async with asyncio.timeout(TIMEOUT_S):
            while (await process.get("/health/ready"))[0] == 200:
                await asyncio.sleep(0.05)
        assert not sending.done()
    finally:
        server.start()
    assert (await sending).WhichOneof("result") == "done"
    await process.ready()


async def test_sigterm_ends_open_streams_and_the_process(process: ServiceProcess, listen: str) -> None:
    process.start()
    await process.ready()
    epoch = await acquire(listen)
    async with connected(listen) as stub:
        call = stub.Commit()
        await call.write(numbered(1, epoch))
        async with asyncio.timeout(TIMEOUT_S):
            reply = await call.read()
        assert isinstance(reply, storage_pb2.CommitReply)
        assert reply.WhichOneof("result") == "done"
        assert await process.terminate() == 0


async def test_a_wrong_database_url_ends_the_start_with_a_sentence(tmp_path: Path) -> None:
    settings = {"database_url": "oracle://somewhere/db"}
    process = ServiceProcess("writer", ["-m", "hlmonitor.writer"], tmp_path, settings)
    process.start()
    assert await process.wait() == 2
    assert "oracle is not supported: use sqlite, postgresql or mysql" in process.log_tail()
