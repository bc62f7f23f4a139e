"""Rows that the database refuses for their data: kept aside, told of as voids, and in nobody's way."""

import asyncio
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from world import World, config, quick, running_world, until

from hlmonitor.local.database_fixtures import backend, database_url, quickly_on

__all__ = ["backend", "database_url"]

pytestmark = pytest.mark.integration

TRADE_S = 5.0
POISONED = "BTC"
RULE = {
    "sqlite": (
        "CREATE TRIGGER poison BEFORE INSERT ON hl_order_aggregation WHEN NEW.coin = 'BTC' "
        "BEGIN SELECT RAISE(ABORT, 'poison'); END"
    ),
    "postgresql": "ALTER TABLE hl_order_aggregation ADD CONSTRAINT poison CHECK (coin <> 'BTC')",
    "mysql": "ALTER TABLE hl_order_aggregation ADD CONSTRAINT poison CHECK (coin <> 'BTC')",
}


@quickly_on("sqlite")
async def test_refused_orders_are_dead_letters_and_voids_and_every_other_signal_is_exact(
    tmp_path: Path, database_url: str
) -> None:
    settings = quick(simulator={"rate": 40})
    async with running_world(config(tmp_path, database_url=database_url, settings=settings)) as world:
        async with world.database.write() as connection:
            await connection.execute(text(RULE[world.database.dialect]))
        await world.watch_whales()
        await asyncio.sleep(TRADE_S)
        await world.market.quiesce()
        expected = (await world.market.expected(world.watch_from_ms)).signals
        good = {signal.id for signal in expected if signal.coin != POISONED}
        assert good
        assert len(good) < len(expected)
        await until(lambda: holds(world, len(expected)), "every number is on the stream", 90)
        signals = await world.signals()
        assert {signal["id"] for signal in signals if signal["kind"] != "void"} == good
        assert_dense(signals)
        letters = await world.rows("SELECT signal_ids, reason FROM hl_dead_letter WHERE kind = 'order'")
        assert all("poison" in letter["reason"] for letter in letters)
        refused = [signal_id for letter in letters for signal_id in json.loads(letter["signal_ids"])]
        assert set(refused) == {signal.id for signal in expected} - good
        voids = [signal for signal in signals if signal["kind"] == "void"]
        assert len(voids) == len(refused)
        assert await world.stack["writer"].metric("hl_monitor_dead_letters_total") >= len(letters)


async def holds(world: World, count: int) -> bool:
    return len(await world.stream()) >= count


def assert_dense(signals: list[dict[str, Any]]) -> None:
    """Each wallet's numbers come in order and without a hole."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for signal in signals:
        numbers[signal["address"]].append(signal["number"])
    for address, found in numbers.items():
        assert found == list(range(1, len(found) + 1)), address
