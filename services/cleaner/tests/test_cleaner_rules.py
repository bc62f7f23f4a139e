import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal

import pytest_asyncio
import structlog
from sqlalchemy import Table, insert, select, text

from hlmonitor.cleaner.cleaning import Cleaner
from hlmonitor.cleaner.settings import CleanerSettings
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.storage import Database
from hlmonitor.storage.migrate import migrate
from hlmonitor.storage.original import hl_address_signals, hl_order_aggregation
from hlmonitor.storage.tables import hl_address_counter, hl_fill, hl_order_status, hl_void_signal

WALLET = "0x" + "ab" * 20
NOW_MS = 1_900_000_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(slots=True)
class Store:
    """A database with rows of given ages."""

    database: Database
    metrics: Metrics

    async def order(
        self, name: str, age_ms: int, *, finished: bool | None = True, leg: str = "open", ours: bool = True
    ) -> None:
        row = {
            "oid": len(name),
            "address": WALLET,
            "direction": f"{leg} {name}"[:16],
            "symbol": "BTCUSDC",
            "fills": "[]",
            "last_fill_time": 0,
            "created_at": NOW_MS - age_ms,
            "updated_at": NOW_MS - age_ms,
        }
        if ours:
            row |= {"order_key": key(f"{name}{leg}"), "order_id": key(name), "partition_id": 1, "finished": finished}
        await self.put(hl_order_aggregation, row)

    async def fill(self, name: str, age_ms: int) -> None:
        row = {
            "digest": key(f"fill {name}"),
            "partition_id": 1,
            "order_id": key(name),
            "address": WALLET,
            "coin": "BTC",
            "tid": 1,
            "time_ms": NOW_MS - age_ms,
            "side": "B",
            "px": Decimal(1),
            "sz": Decimal(1),
            "dir": name,
            "closed_pnl": Decimal(0),
            "fee": Decimal(0),
            "fee_token": "USDC",
            "hash": "0x",
            "feed": "userFills",
            "uncounted": False,
            "body": b"",
            "created_ms": NOW_MS - age_ms,
        }
        await self.put(hl_fill, row)

    async def status(self, name: str, age_ms: int, *, resolved: bool = True) -> None:
        row = {
            "order_id": key(name),
            "partition_id": 1,
            "address": WALLET,
            "coin": "BTC",
            "oid": 1,
            "status": name,
            "orig_sz": Decimal(1),
            "remaining_sz": Decimal(0),
            "status_time_ms": 0,
            "resolved": resolved,
            "body": b"",
            "updated_ms": NOW_MS - age_ms,
        }
        await self.put(hl_order_status, row)

    async def signal(self, name: str, age_ms: int, *, published: bool = True, ours: bool = True) -> None:
        row = {
            "address": WALLET,
            "position_rate": Decimal(1),
            "close_rate": Decimal(0),
            "symbol": name,
            "coin_type": "A",
            "asset_type": "futures",
            "direction": "open",
            "side": "LONG",
            "price": Decimal(1),
            "size": Decimal(1),
            "created_at": NOW_MS - age_ms,
            "expired_at": NOW_MS,
        }
        if ours:
            row |= {"signal_id": f"id {name}", "order_id": key(name), "published_seq": 5 if published else None}
        await self.put(hl_address_signals, row)

    async def void(self, name: str, age_ms: int, *, published: bool = True) -> None:
        row = {
            "signal_id": name,
            "address": WALLET,
            "number": 1,
            "subject": "s",
            "payload": b"",
            "partition_id": 1,
            "published_seq": 5 if published else None,
            "created_ms": NOW_MS - age_ms,
        }
        await self.put(hl_void_signal, row)

    async def put(self, table: Table, row: dict[str, object]) -> None:
        async with self.database.write() as connection:
            await connection.execute(insert(table), [row])

    async def left(self, column: str, table: str) -> list[str]:
        async with self.database.read() as connection:
            return sorted((await connection.scalars(text(f"SELECT {column} FROM {table}"))).all())

    async def clean(self, **settings: object) -> dict[str, int]:
        given = CleanerSettings.model_validate({"instance": "test"} | settings)
        log = structlog.stdlib.get_logger("test")
        return await Cleaner(self.database, given, self.metrics, log, asyncio.Event()).round(NOW_MS)


def key(name: str) -> bytes:
    return name.encode().ljust(16, b".")[:16]


@pytest_asyncio.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    await migrate(database_url)
    database = Database(database_url)
    yield Store(database, Metrics())
    await database.close()


async def test_finished_orders_go_after_two_hours_and_unfinished_ones_never(store: Store) -> None:
    await store.order("old", 3 * HOUR_MS)
    await store.order("young", HOUR_MS)
    await store.order("resting", 30 * DAY_MS, finished=False)
    assert (await store.clean())["hl_order_aggregation"] == 1
    assert await store.left("direction", "hl_order_aggregation") == ["open resting", "open young"]


async def test_an_order_goes_only_when_all_of_its_legs_may(store: Store) -> None:
    await store.order("flip", 3 * HOUR_MS, leg="close")
    await store.order("flip", 3 * HOUR_MS, leg="open", finished=False)
    await store.order("late", 3 * HOUR_MS, leg="close")
    await store.order("late", HOUR_MS, leg="open")
    assert (await store.clean())["hl_order_aggregation"] == 0


async def test_rows_of_the_original_go_by_age_alone(store: Store) -> None:
    await store.order("original", 3 * HOUR_MS, ours=False)
    await store.order("recent", HOUR_MS, ours=False)
    await store.signal("original", 9 * DAY_MS, ours=False)
    await store.signal("recent", 7 * DAY_MS, ours=False)
    await store.clean()
    assert await store.left("direction", "hl_order_aggregation") == ["open recent"]
    assert await store.left("symbol", "hl_address_signals") == ["recent"]


async def test_the_rest_of_an_order_goes_after_eight_days_and_only_after_its_rows(store: Store) -> None:
    await store.order("resting", 30 * DAY_MS, finished=False)
    for name, age_ms in (("resting", 30 * DAY_MS), ("gone", 9 * DAY_MS), ("young", 7 * DAY_MS)):
        await store.fill(name, age_ms)
        await store.status(name, age_ms)
        await store.signal(name, age_ms)
    await store.clean()
    for column, table in (("dir", "hl_fill"), ("status", "hl_order_status"), ("symbol", "hl_address_signals")):
        assert await store.left(column, table) == ["resting", "young"], table


async def test_what_still_waits_never_goes(store: Store) -> None:
    await store.signal("waiting", 90 * DAY_MS, published=False)
    await store.status("waiting", 90 * DAY_MS, resolved=False)
    await store.void("waiting", 90 * DAY_MS, published=False)
    await store.void("confirmed", 90 * DAY_MS)
    await store.clean(most_signals=0)
    assert await store.left("symbol", "hl_address_signals") == ["waiting"]
    assert await store.left("status", "hl_order_status") == ["waiting"]
    assert await store.left("signal_id", "hl_void_signal") == ["waiting"]


async def test_above_the_limit_the_oldest_that_are_old_enough_go_and_the_rest_raises_the_alert(store: Store) -> None:
    for name, age_ms in (("a", 5 * DAY_MS), ("b", 4 * DAY_MS), ("c", 3 * DAY_MS), ("d", HOUR_MS)):
        await store.signal(name, age_ms)
    assert (await store.clean(most_signals=3, excess_after="2d"))["hl_address_signals"] == 1
    assert await store.left("symbol", "hl_address_signals") == ["b", "c", "d"]
    assert store.metrics.registry.get_sample_value("hl_monitor_signal_rows_over_limit") == 0
    await store.clean(most_signals=0, excess_after="2d")
    assert await store.left("symbol", "hl_address_signals") == ["d"]
    assert store.metrics.registry.get_sample_value("hl_monitor_signal_rows_over_limit") == 1


async def test_deletes_go_in_steps(store: Store) -> None:
    for number in range(5):
        await store.fill(f"gone {number}", 9 * DAY_MS)
    assert (await store.clean(step_rows=2))["hl_fill"] == 5
    cleaned = store.metrics.registry.get_sample_value("hl_monitor_rows_cleaned_total", {"table": "hl_fill"})
    assert cleaned == 5


async def test_counters_are_never_deleted(store: Store) -> None:
    row = {"address": WALLET, "partition_id": 1, "next_number": 9, "published_seq": 1, "published_number": 8}
    await store.put(hl_address_counter, row)
    await store.clean(most_signals=0)
    async with store.database.read() as connection:
        assert await connection.scalar(select(hl_address_counter.c.next_number)) == 9
