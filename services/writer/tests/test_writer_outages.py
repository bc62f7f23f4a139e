"""The writer while its database is frozen, behind a dead line, locked or out of room: it recovers by itself."""

import asyncio
import resource
from pathlib import Path
from typing import TypeAlias

import pytest
from patient import patient_database
from sqlalchemy import make_url
from writer_client import TIMEOUT_S, acquire, commit, numbered, scalar

from hlmonitor.local.database_fixtures import servers_only
from hlmonitor.local.databases import DatabaseServer
from hlmonitor.local.proxy import Fault, TcpProxy
from hlmonitor.local.services import ServiceProcess
from hlmonitor.v1 import storage_pb2

sqlite_only = pytest.mark.parametrize("backend", ["sqlite"], indirect=True, scope="session")


async def until_unready(process: ServiceProcess) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while (await process.get("/health/ready"))[0] == 200:
            await asyncio.sleep(0.05)


Sending: TypeAlias = asyncio.Future[storage_pb2.CommitReply]


async def waiting(process: ServiceProcess, listen: str, epoch: int) -> Sending:
    """The second batch, which waits for the database."""
    sending = asyncio.ensure_future(commit(listen, numbered(2, epoch)))
    await until_unready(process)
    assert not sending.done()
    return sending


async def assert_served(process: ServiceProcess, sending: Sending, database_url: str) -> None:
    """The batch is done now, the writer ready again, and everything there once."""
    assert_done(await sending)
    await process.ready()
    for table in ("hl_fill", "hl_address_signals", "hl_order_aggregation"):
        assert await scalar(database_url, f"SELECT count(*) FROM {table}") == 2, table


def assert_done(reply: storage_pb2.CommitReply) -> None:
    assert reply.WhichOneof("result") == "done"
    assert not reply.done.dead_letters


async def begun(process: ServiceProcess, listen: str) -> int:
    """The writer is ready and has committed a first batch; the epoch."""
    await process.ready()
    epoch = await acquire(listen)
    assert_done(await commit(listen, numbered(1, epoch)))
    return epoch


@servers_only
async def test_a_batch_waits_for_a_database_that_is_frozen(
    process: ServiceProcess, listen: str, server: DatabaseServer, database_url: str
) -> None:
    process.start(transaction_timeout="2s")
    epoch = await begun(process, listen)
    server.pause()
    try:
        sending = await waiting(process, listen, epoch)
    finally:
        server.resume()
    await assert_served(process, sending, database_url)


@servers_only
async def test_a_batch_waits_for_dead_connections_to_be_replaced(
    process: ServiceProcess, listen: str, server: DatabaseServer, database_url: str
) -> None:
    async with TcpProxy("database", server.port) as proxy:
        through = make_url(database_url).set(port=proxy.port).render_as_string(hide_password=False)
        process.start(database_url=through, transaction_timeout="2s")
        epoch = await begun(process, listen)
        assert proxy.hurt(Fault.HALF_OPEN) > 0
        sending = asyncio.ensure_future(commit(listen, numbered(2, epoch)))
        await assert_served(process, sending, database_url)


@sqlite_only
async def test_a_batch_waits_for_room_on_the_disk(process: ServiceProcess, listen: str, database_url: str) -> None:
    process.start()
    epoch = await begun(process, listen)
    files = list(Path(make_url(database_url).database or "").parent.glob("test.db*"))
    largest = max(file.stat().st_size for file in files)
    assert process.pid is not None
    _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    # The journal that grows with each commit may not grow beyond what it is.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest // 2, hard))
    sending = await waiting(process, listen, epoch)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    await assert_served(process, sending, database_url)


@sqlite_only
async def test_a_batch_waits_for_another_process_that_holds_the_file(
    process: ServiceProcess, listen: str, database_url: str
) -> None:
    process.start()
    epoch = await begun(process, listen)
    other = patient_database(database_url)
    async with other.write():
        sending = await waiting(process, listen, epoch)
    await other.close()
    await assert_served(process, sending, database_url)
