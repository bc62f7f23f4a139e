import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest_asyncio
import structlog
from aged_rows import DAY_MS, HOUR_MS, NOW_MS, WALLET, Store
from patient import patient_database
from sqlalchemy import select

from hlmonitor.cleaner.cleaning import Cleaner
from hlmonitor.cleaner.settings import CleanerSettings
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.storage.migrate import migrate
from hlmonitor.storage.tables import hl_address_counter


@dataclass(slots=True)
class Cleaned(Store):
    """A store and a cleaner for it."""

    metrics: Metrics = field(default_factory=Metrics)

    async def clean(self, **settings: object) -> dict[str, int]:
        given = CleanerSettings.model_validate({"instance": "test"} | settings)
        log = structlog.stdlib.get_logger("test")
        return await Cleaner(self.database, given, self.metrics, log, asyncio.Event()).round(NOW_MS)


@pytest_asyncio.fixture
async def store(database_url: str) -> AsyncIterator[Cleaned]:
    await migrate(database_url)
    database = patient_database(database_url)
    yield Cleaned(database)
    await database.close()


async def test_finished_orders_go_after_two_hours_and_unfinished_ones_never(store: Cleaned) -> None:
    await store.order("old", 3 * HOUR_MS)
    await store.order("young", HOUR_MS)
    await store.order("resting", 30 * DAY_MS, finished=False)
    assert (await store.clean())["hl_order_aggregation"] == 1
    assert await store.left("direction", "hl_order_aggregation") == ["open resting", "open young"]


async def test_an_order_goes_only_when_all_of_its_legs_may(store: Cleaned) -> None:
    await store.order("flip", 3 * HOUR_MS, leg="close")
    await store.order("flip", 3 * HOUR_MS, leg="open", finished=False)
    await store.order("late", 3 * HOUR_MS, leg="close")
    await store.order("late", HOUR_MS, leg="open")
    assert (await store.clean())["hl_order_aggregation"] == 0


async def test_rows_of_the_original_go_by_age_alone(store: Cleaned) -> None:
    await store.order("original", 3 * HOUR_MS, ours=False)
    await store.order("recent", HOUR_MS, ours=False)
    await store.signal("original", 9 * DAY_MS, ours=False)
    await store.signal("recent", 7 * DAY_MS, ours=False)
    await store.clean()
    assert await store.left("direction", "hl_order_aggregation") == ["open recent"]
    assert await store.left("symbol", "hl_address_signals") == ["recent"]


async def test_the_rest_of_an_order_goes_after_eight_days_and_only_after_its_rows(store: Cleaned) -> None:
    await store.order("resting", 30 * DAY_MS, finished=False)
    for name, age_ms in (("resting", 30 * DAY_MS), ("gone", 9 * DAY_MS), ("young", 7 * DAY_MS)):
        await store.fill(name, age_ms)
        await store.status(name, age_ms)
        await store.signal(name, age_ms)
    await store.clean()
    for column, table in (("dir", "hl_fill"), ("status", "hl_order_status"), ("symbol", "hl_address_signals")):
        assert await store.left(column, table) == ["resting", "young"], table


async def test_what_still_waits_never_goes(store: Cleaned) -> None:
    await store.signal("waiting", 90 * DAY_MS, published=False)
    await store.status("waiting", 90 * DAY_MS, resolved=False)
    await store.void("waiting", 90 * DAY_MS, published=False)
    await store.void("confirmed", 90 * DAY_MS)
    await store.clean(most_signals=0)
    assert await store.left("symbol", "hl_address_signals") == ["waiting"]
    assert await store.left("status", "hl_order_status") == ["waiting"]
    assert await store.left("signal_id", "hl_void_signal") == ["waiting"]


async def test_above_the_limit_the_oldest_that_are_old_enough_go_and_the_rest_raises_the_alert(store: Cleaned) -> None:
    for name, age_ms in (("a", 5 * DAY_MS), ("b", 4 * DAY_MS), ("c", 3 * DAY_MS), ("d", HOUR_MS)):
        await store.signal(name, age_ms)
    assert (await store.clean(most_signals=3, excess_after="2d"))["hl_address_signals"] == 1
    assert await store.left("symbol", "hl_address_signals") == ["b", "c", "d"]
    assert store.metrics.registry.get_sample_value("hl_monitor_signal_rows_over_limit") == 0
    await store.clean(most_signals=0, excess_after="2d")
    assert await store.left("symbol", "hl_address_signals") == ["d"]
    assert store.metrics.registry.get_sample_value("hl_monitor_signal_rows_over_limit") == 1


async def test_deletes_go_in_steps(store: Cleaned) -> None:
    for number in range(5):
        await store.fill(f"gone {number}", 9 * DAY_MS)
    assert (await store.clean(step_rows=2))["hl_fill"] == 5
    cleaned = store.metrics.registry.get_sample_value("hl_monitor_rows_cleaned_total", {"table": "hl_fill"})
    assert cleaned == 5


async def test_counters_are_never_deleted(store: Cleaned) -> None:
    row = {"address": WALLET, "partition_id": 1, "next_number": 9, "published_seq": 1, "published_number": 8}
    await store.put(hl_address_counter, row)
    await store.clean(most_signals=0)
    async with store.database.read() as connection:
        assert await connection.scalar(select(hl_address_counter.c.next_number)) == 9
