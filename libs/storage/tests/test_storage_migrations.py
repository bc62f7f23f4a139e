import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import original_schema as original
import pytest
from patient import patient_database
from sqlalchemy import Connection, inspect, text

from hlmonitor.storage import Database, StorageError
from hlmonitor.storage.dao import orders, signals
from hlmonitor.storage.dao.orders import OrderValues
from hlmonitor.storage.dao.signals import SignalValues
from hlmonitor.storage.migrate import migrate
from hlmonitor.storage.tables import metadata


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = patient_database(url)
    try:
        yield database
    finally:
        await database.close()


async def run(url: str, statements: Sequence[str]) -> None:
    async with opened(url) as database, database.write() as connection:
        for statement in statements:
            await connection.execute(text(original.in_dialect(statement, database.dialect)))


async def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    async with opened(url) as database, database.read() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


def lacking(connection: Connection) -> dict[str, set[str]]:
    """What the model has and the database has not: columns and indexes by table."""
    inspector = inspect(connection)
    missing: dict[str, set[str]] = {}
    for table in metadata.sorted_tables:
        columns = {column["name"] for column in inspector.get_columns(table.name)}
        if absent := {column.name for column in table.columns} - columns:
            missing[table.name] = absent
    return missing


async def assert_complete(url: str) -> None:
    async with opened(url) as database, database.read() as connection:
        assert await connection.run_sync(lacking) == {}


def signal(rate: str = "12.3456", size: str | None = "Medium", number: int = 1) -> SignalValues:
    return SignalValues(
        signal_id=f"id-{number}",
        address=original.WALLET,
        number=number,
        subject="hl.signals.v1.x",
        payload=b'{"number":1}',
        partition_id=3,
        order_id=b"o" * 16,
        symbol="BTCUSDC",
        coin_type="A",
        asset_type="futures",
        direction="open",
        side="LONG",
        position_rate=Decimal(rate),
        position_size=size,
        close_rate=Decimal("0.5"),
        price=Decimal("60000.123456789012"),
        size=Decimal("99999999999.5"),
        created_at=1_700_000_000_123,
        expired_at=1_700_600_000_123,
    )


def order(oid: int = 77, key: bytes = b"k" * 16) -> OrderValues:
    return OrderValues(
        order_key=key,
        order_id=b"o" * 16,
        partition_id=3,
        oid=oid,
        address=original.WALLET,
        direction="Open Long",
        symbol="BTCUSDC",
        coin="BTC",
        leg="open",
        fills='[{"tid":1}]',
        total_size=123456789012.5,
        weighted_avg_px=60000.25,
        total_sz=Decimal("123456789012.5"),
        avg_px=Decimal("60000.25"),
        order_status="perpMarginRejectedOrSomeLongerStatus",
        last_fill_time=1_700_000_000,
        signal_sent=True,
        finished=False,
        created_at=1_700_000_000_123,
        updated_at=1_700_000_000_123,
    )


async def put_ours(url: str) -> None:
    async with opened(url) as database, database.write() as connection:
        await orders.put(connection, [order()])
        await signals.add(connection, [signal()])


async def test_an_empty_database_gets_every_table_and_the_view(database_url: str) -> None:
    await migrate(database_url)
    await assert_complete(database_url)
    await put_ours(database_url)
    view = "SELECT address, position_size, symbol FROM hl_address_signal"
    assert await rows(database_url, view) == [(original.WALLET, "Medium", "BTCUSDC")]


async def test_migrating_again_changes_nothing(database_url: str) -> None:
    await migrate(database_url)
    await put_ours(database_url)
    await migrate(database_url)
    assert await rows(database_url, "SELECT signal_id, number FROM hl_address_signals") == [("id-1", 1)]


async def test_two_processes_may_migrate_at_once(database_url: str) -> None:
    command = [sys.executable, "-W", "error", "-m", "hlmonitor.storage.migrate", "--database-url", database_url]
    processes = [await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE) for _ in range(2)]
    async with asyncio.timeout(60):
        results = await asyncio.gather(*(process.communicate() for process in processes))
    assert [process.returncode for process in processes] == [0, 0], results
    await assert_complete(database_url)


async def test_the_command_migrates_the_database_of_the_environment_when_told_of_no_other(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/file.db"
    environment = {**os.environ, "HLMON_DATABASE_URL": url}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "hlmonitor.storage.migrate", env=environment)
    async with asyncio.timeout(60):
        assert await process.wait() == 0
    await assert_complete(url)


async def test_the_auto_migrated_form_is_adopted_with_its_rows(database_url: str) -> None:
    old_signal = original.SIGNAL_ROW.format(wallet=original.WALLET, rate="15.5")
    await run(database_url, [*original.AUTO_MIGRATED, *original.ROWS, old_signal])
    await migrate(database_url)
    await assert_complete(database_url)
    await put_ours(database_url)
    assert [str(row[0]) for row in await rows(database_url, "SELECT nickname FROM hl_watch_addresses")] == ["whale"]
    # The original's row for the same order, wallet and direction became ours: its unique key allows no second one.
    assert await rows(database_url, "SELECT oid, symbol, order_status FROM hl_order_aggregation") == [
        (77, "BTCUSDC", "perpMarginRejectedOrSomeLongerStatus")
    ]
    rates = await rows(database_url, "SELECT position_rate, close_rate FROM hl_address_signals ORDER BY id")
    assert [(float(position), float(close)) for position, close in rates] == [(15.5, 0), (12.346, 0.5)]


async def test_the_init_sql_form_is_adopted_with_its_rows(database_url: str) -> None:
    rates = ["15.50%", "3.00%", "n/a", "100.00%"]
    old = [original.SIGNAL_ROW.format(wallet=original.WALLET, rate=rate) for rate in rates]
    await run(database_url, [*original.INIT_SQL, *original.ROWS, *old])
    await migrate(database_url)
    await migrate(database_url)
    await assert_complete(database_url)
    await put_ours(database_url)
    query = "SELECT position_rate, position_rate_text, close_rate FROM hl_address_signals ORDER BY id"
    found = [(float(rate), kept, float(close)) for rate, kept, close in await rows(database_url, query)]
    assert found == [(15.5, None, 0), (3.0, None, 0), (0.0, "n/a", 0), (100.0, None, 0), (12.346, None, 0.5)]
    sizes = await rows(database_url, "SELECT position_size FROM hl_address_signal ORDER BY id")
    assert [size for (size,) in sizes] == ["Medium", "Small", "Small", "Large", "Medium"]
    assert [row[0] for row in await rows(database_url, "SELECT total_size FROM hl_order_aggregation")] == [
        123456789012.5
    ]


async def test_a_table_of_the_views_name_is_left_alone(database_url: str) -> None:
    await run(
        database_url,
        ["CREATE TABLE hl_address_signal (id bigint AUTO_INCREMENT PRIMARY KEY, position_size varchar(8))"],
    )
    await run(database_url, ["INSERT INTO hl_address_signal (position_size) VALUES ('Large')"])
    await migrate(database_url)
    assert await rows(database_url, "SELECT position_size FROM hl_address_signal") == [("Large",)]


async def test_the_view_says_the_size_that_was_decided_and_null_when_it_was_unknown(database_url: str) -> None:
    old_signal = original.SIGNAL_ROW.format(wallet=original.WALLET, rate="100")
    await run(database_url, [*original.AUTO_MIGRATED, old_signal])
    await migrate(database_url)
    # Decided by other bounds than the default's, or before the column's rounding: the words win over the number.
    decided = [signal("19.9999", "Medium", 1), signal("12", "Large", 2), signal("100", None, 3)]
    async with opened(database_url) as database, database.write() as connection:
        await signals.add(connection, decided)
    sizes = await rows(database_url, "SELECT position_size FROM hl_address_signal ORDER BY id")
    assert [size for (size,) in sizes] == ["Large", "Medium", "Large", None]


async def test_signals_from_before_the_size_get_theirs_from_the_rate(database_url: str) -> None:
    await migrate(database_url)
    old = [signal("4.9", None, 1), signal("5", None, 2), signal("100", None, 3), signal("120", None, 4)]
    async with opened(database_url) as database, database.write() as connection:
        await signals.add(connection, old)
    await run(
        database_url,
        [
            "DROP VIEW hl_address_signal",
            "ALTER TABLE hl_address_signals DROP COLUMN position_size",
            "UPDATE hl_schema_version SET version_num = '0001'",
        ],
    )
    await migrate(database_url)
    await assert_complete(database_url)
    sizes = await rows(database_url, "SELECT position_size FROM hl_address_signal ORDER BY id")
    assert [size for (size,) in sizes] == ["Small", "Medium", None, "Large"]


async def test_foreign_tables_are_never_made_or_changed(database_url: str) -> None:
    await migrate(database_url)
    async with opened(database_url) as database, database.read() as connection:
        tables = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
    assert not tables & {"hl_active_addresses", "pair_configs"}


async def test_a_signal_too_large_for_the_originals_column_is_held_at_its_bound(database_url: str) -> None:
    await migrate(database_url)
    await put_ours(database_url)
    ((size,),) = await rows(database_url, "SELECT size FROM hl_address_signals")
    assert float(size) == pytest.approx(9999999999.99999999)


async def test_an_unsupported_database_is_refused_with_its_name() -> None:
    with pytest.raises(StorageError, match="oracle is not supported"):
        await migrate("oracle://host/db")
