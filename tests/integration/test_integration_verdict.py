"""The main job on each database: simulated whales trade, and what comes out is exactly what had to."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from world import World, config, quick, running_world

from hlmonitor.local.database_fixtures import backend, database_url

__all__ = ["backend", "database_url"]

pytestmark = pytest.mark.integration

TRADE_S = 6.0
POSITION = {
    "coin", "entry_px", "leverage", "margin_used", "position_value", "return_on_equity", "szi", "unrealized_pnl",
}  # fmt: skip
"""The original's fields of an open position."""
ELSEWHERE = {"hip3", "spot", "outcome", "unified", "portfolio", "collateral"}
"""Styles whose money is not on the main dex: in the spot balance or on other dexes."""
COLLATERALS = ("USDC", "USDH", "USDE")
"""Of the dexes on which the whales trade; symbols of positions end in them."""
FILL = {"coin", "px", "sz", "side", "time", "startPosition", "dir", "closedPnl", "hash", "oid", "fee", "tid"}
"""Fields of a fill as the venue sends it."""


async def test_signals_rows_and_legacy_messages_are_those_of_the_ledger(tmp_path: Path, database_url: str) -> None:
    async with running_world(
        config(tmp_path, database_url=database_url, settings=quick(simulator={"rate": 40}))
    ) as world:
        await world.watch_whales()
        await asyncio.sleep(TRADE_S)
        expectation = await world.settled_verdict(least=100)
        assert len(world.legacy) == len(expectation.signals)
        assert await world.metric("aggregator", "dir_mismatch_total") == 0
        await check_positions(world)
        await check_orders(world, len(expectation.signals))


async def check_positions(world: World) -> None:
    """One row per wallet in the original's form."""
    styles = {whale.address: whale.style for whale in await world.market.whales()}
    rows = await world.rows("SELECT * FROM hl_position_cache")
    assert {row["address"] for row in rows} == set(world.watch_from_ms)
    positions = [position for row in rows for position in loaded(row["futures_positions"])]
    balances = [balance for row in rows for balance in loaded(row["spot_balances"])]
    assert len(positions) > 0
    assert all(position.keys() == POSITION for position in positions)
    assert all(position["coin"].endswith(COLLATERALS) and ":" not in position["coin"] for position in positions)
    assert all(position["leverage"].keys() == {"type", "value"} for position in positions)
    assert all(balance.keys() == {"coin", "total", "hold", "entry_ntl"} for balance in balances)
    assert not {"UBTC", "UETH", "USOL"} & {balance["coin"] for balance in balances}
    for row in rows:
        assert row["spot_total_usd"].partition(".")[2].isdecimal()
        assert len(row["spot_total_usd"].partition(".")[2]) == 6
        assert float(row["account_value"]) > 0 or styles[row["address"]] in ELSEWHERE


async def check_orders(world: World, signals: int) -> None:
    """One row per leg, each finished and told of."""
    rows = await world.rows("SELECT * FROM hl_order_aggregation")
    assert len(rows) >= signals
    assert [row for row in rows if row["order_status"] == "open"] == []
    assert {bool(row["signal_sent"]) for row in rows} == {True}
    assert {row["direction"] for row in rows} <= {
        "Open Long", "Close Long", "Open Short", "Close Short", "Buy", "Sell",
    }  # fmt: skip
    for row in rows:
        assert all(fill.keys() >= FILL for fill in loaded(row["fills"]))


def loaded(value: str | list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """A JSON column, which some drivers decode themselves."""
    found: list[dict[str, Any]] = json.loads(value) if isinstance(value, str) else value or []
    return found
