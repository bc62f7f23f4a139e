import asyncio
import gc
from decimal import Decimal
from pathlib import Path

import pytest
from patient import patient_database
from sqlalchemy import insert, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError, OperationalError

from hlmonitor.local.database_fixtures import servers_only
from hlmonitor.storage import Database, DataRejectedError, StorageError, is_data_error
from hlmonitor.storage.dao import partitions
from hlmonitor.storage.database import Timeouts
from hlmonitor.storage.migrate import migrate
from hlmonitor.storage.tables import hl_partition
from hlmonitor.storage.types import Amount


async def test_a_reader_sees_one_state_while_a_writer_commits(database_url: str) -> None:
    await migrate(database_url)
    database = patient_database(database_url)
    async with database.read() as reader:
        assert await partitions.current_epoch(reader, 5) == 0
        async with database.write() as writer:
            assert await partitions.acquire(writer, 5, "a", 0) == 1
        assert await partitions.current_epoch(reader, 5) == 0
    async with database.read() as reader:
        assert await partitions.current_epoch(reader, 5) == 1
    await database.close()


async def test_a_writer_that_stands_still_holds_another_up_for_seconds_and_not_as_long_as_it_stands(
    database_url: str,
) -> None:
    await migrate(database_url)
    first, second = patient_database(database_url), Database(database_url, timeouts=Timeouts(sqlite_busy_s=1))
    async with first.write() as holder:
        await partitions.acquire(holder, 5, "holder", 0)
        # The servers' own limits are longer.
        async with asyncio.timeout(25):
            with pytest.raises((OperationalError, DBAPIError)) as failed:
                async with second.write() as waiting:
                    await partitions.acquire(waiting, 5, "waiting", 0)
        assert not is_data_error(failed.value)
    await first.close()
    await second.close()


async def test_transactions_that_are_cancelled_hold_no_lock(database_url: str) -> None:
    await migrate(database_url)
    # A lock that is left behind outlives the wait for it.
    timeouts = Timeouts(lock_s=10, idle_in_transaction_s=60, sqlite_busy_s=10)
    database = Database(database_url, timeouts=timeouts)

    async def acquire() -> None:
        async with database.write() as connection:
            await partitions.current_epoch(connection, 5)
            await partitions.acquire(connection, 5, "somebody", 0)

    # What a cancelled task leaves behind is in cycles: without the collector it stays as long as it can.
    gc.disable()
    try:
        for turn in range(100):
            acquiring = [asyncio.create_task(acquire()) for _ in range(3)]
            await asyncio.sleep(turn * 0.0001)
            for task in acquiring:
                task.cancel()
            await asyncio.gather(*acquiring, return_exceptions=True)
            await acquire()
    finally:
        gc.enable()
    await database.close()


@servers_only
async def test_a_session_that_idles_in_a_transaction_is_ended_and_its_lock_with_it(database_url: str) -> None:
    await migrate(database_url)
    idle, other = Database(database_url, timeouts=Timeouts(idle_in_transaction_s=5)), patient_database(database_url)
    async with idle.write() as stopped:
        await partitions.acquire(stopped, 5, "stopped", 0)
        async with asyncio.timeout(30), other.write() as going_on:
            await partitions.acquire(going_on, 5, "other", 0)
        with pytest.raises(DBAPIError) as failed:
            await partitions.acquire(stopped, 5, "stopped", 0)
        await stopped.rollback()
    assert not is_data_error(failed.value)
    await idle.close()
    await other.close()


@pytest.mark.parametrize(
    "row",
    [
        {"partition_id": 1, "epoch": None, "last_batch": 0, "owner": "a", "updated_ms": 0},
        {"partition_id": 1, "epoch": 2**64, "last_batch": 0, "owner": "a", "updated_ms": 0},
        {"partition_id": 0, "epoch": 1, "last_batch": 0, "owner": "taken", "updated_ms": 0},
    ],
)
async def test_what_the_data_is_to_blame_for_is_told_apart(database_url: str, row: dict[str, object]) -> None:
    await migrate(database_url)
    database = patient_database(database_url)
    async with database.write() as connection:
        await partitions.acquire(connection, 0, "first", 0)
    with pytest.raises(Exception) as failed:  # noqa: PT011 each driver has its own error
        async with database.write() as connection:
            await connection.execute(insert(hl_partition), [row])
    assert is_data_error(failed.value)
    with pytest.raises(DBAPIError) as absent:
        async with database.write() as connection:
            await connection.execute(text("SELECT 1 FROM no_such_table"))
    assert not is_data_error(absent.value)
    await database.close()


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("0.0000000000000000005", "0.000000000000000000"),
        ("0.0000000000000000015", "0.000000000000000002"),
        ("-1", "-1.000000000000000000"),
    ],
)
def test_amounts_are_rounded_half_even_to_18_decimals(value: str, stored: str) -> None:
    assert Amount().process_bind_param(Decimal(value), sqlite.dialect()) == stored


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e20"])
def test_an_amount_that_no_column_holds_is_refused(value: str) -> None:
    with pytest.raises(DataRejectedError):
        Amount().process_bind_param(Decimal(value), sqlite.dialect())


def test_a_url_that_is_none_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be read"):
        Database(str(tmp_path))
