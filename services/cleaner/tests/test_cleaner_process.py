"""The cleaner as a real process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aged_rows import DAY_MS, Store, key
from patient import PATIENCE_S, patient_database
from sqlalchemy import Column, select, text

from hlmonitor.local.services import ServiceProcess
from hlmonitor.local.waiting import eventually
from hlmonitor.runtime.clock import wall_ms
from hlmonitor.storage import Database
from hlmonitor.storage.migrate import migrate
from hlmonitor.storage.original import hl_order_aggregation
from hlmonitor.storage.tables import hl_fill

ORDERS = 60
REST = (("dir", "hl_fill"), ("status", "hl_order_status"), ("symbol", "hl_address_signals"))
PROGRAM = ["-W", "error", "-m", "hlmonitor.cleaner"]


async def test_it_cleans_once_and_ends(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    await migrate(url)
    process = ServiceProcess("cleaner", PROGRAM, tmp_path, {"database_url": url})
    process.start()
    assert await process.wait() == 0
    assert "round_done" in process.log_tail()


async def test_it_goes_on_cleaning_until_told_to_stop(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    await migrate(url)
    process = ServiceProcess("cleaner", PROGRAM, tmp_path, {"database_url": url, "every": "100ms"})
    process.start()
    await eventually(lambda: process.log_tail().count("round_done") > 1, "it has cleaned twice", PATIENCE_S)
    assert await process.terminate() == 0


async def test_once_without_a_schema_is_a_failure_that_says_so(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    process = ServiceProcess("cleaner", PROGRAM, tmp_path, {"database_url": url})
    process.start()
    assert await process.wait() == 1
    assert "no such table" in process.log_tail()


async def test_a_wrong_setting_is_refused_with_a_sentence(tmp_path: Path) -> None:
    process = ServiceProcess("cleaner", PROGRAM, tmp_path, {"rest_after": "1h"})
    process.start()
    assert await process.wait() == 2
    assert "rest_after (--rest-after, HLMON_REST_AFTER)" in process.log_tail()


async def test_forgetting_fills_within_the_dedup_horizon_is_refused(tmp_path: Path) -> None:
    process = ServiceProcess("cleaner", PROGRAM, tmp_path, {"dedup_horizon": "9d"})
    process.start()
    assert await process.wait() == 2
    assert "must be longer than dedup_horizon, which is 777600 s" in process.log_tail()


async def test_a_cleaner_killed_in_the_middle_has_taken_nothing_before_its_order(
    tmp_path: Path, database_url: str
) -> None:
    await migrate(database_url)
    database = patient_database(database_url)
    store = Store(database, wall_ms())
    names = [f"order-{number:03}" for number in range(ORDERS)]
    for name in (*names, "resting"):
        await store.order(name, 9 * DAY_MS, finished=name != "resting")
        await store.fill(name, 9 * DAY_MS)
        await store.status(name, 9 * DAY_MS)
        await store.signal(name, 9 * DAY_MS)
    settings = {"database_url": database_url, "step_rows": 1, "every": "1h", "retry": "100ms"}
    process = ServiceProcess("cleaner", PROGRAM, tmp_path, settings)
    # Amid its orders, then amid their fills.
    middle = names[ORDERS // 2]
    for table, column, id_column, id_ in (
        ("hl_order_aggregation", "direction", hl_order_aggregation.c.order_key, key(f"{middle}open")),
        ("hl_fill", "dir", hl_fill.c.digest, key(f"fill {middle}")),
    ):
        async with undeletable(database, id_column, id_):
            process.start()
            async with asyncio.timeout(PATIENCE_S):
                while len(await store.left(column, table)) > ORDERS - 3:
                    assert process.running
            process.kill()
            await assert_whole(store)
        assert len(await store.left(column, table)) > 1
    process.start()
    await eventually(lambda: "round_done" in process.log_tail(), "it has cleaned the rest", PATIENCE_S)
    assert await process.terminate() == 0
    for column, table in REST:
        assert await store.left(column, table) == ["resting"], table
    await database.close()


@asynccontextmanager
async def undeletable(database: Database, column: Column[bytes], value: bytes) -> AsyncIterator[None]:
    """Inside it, whoever would delete the row with this value waits as long as the database lets it, and then fails."""
    async with database.write() as connection:
        if database.dialect != "sqlite":
            await connection.execute(select(column).where(column == value).with_for_update())
            yield
            return
        # There are no locks of rows.
        row = f"DELETE ON {column.table.name} WHEN OLD.{column.name} = X'{value.hex()}'"
        await connection.execute(text(f"CREATE TRIGGER held BEFORE {row} BEGIN SELECT RAISE(ABORT, 'held'); END"))
    yield
    async with database.write() as connection:
        await connection.execute(text("DROP TRIGGER held"))


async def assert_whole(store: Store) -> None:
    """Every order that has its row has everything else of it too."""
    orders = {direction.removeprefix("open ") for direction in await store.left("direction", "hl_order_aggregation")}
    for column, table in REST:
        assert orders <= set(await store.left(column, table)), table
