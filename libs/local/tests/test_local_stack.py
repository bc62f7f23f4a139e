"""The whole system comes up, and goes down in order."""

from pathlib import Path

import pytest

from hlmonitor.local.stack import Stack, StackConfig

pytestmark = pytest.mark.integration


async def test_everything_becomes_ready_and_drains_in_order(tmp_path: Path) -> None:
    async with Stack(StackConfig(tmp_path, gateways=1, aggregators=1, whales=2)) as stack:
        assert len(await stack.control("wallets")) == 2
        await stack["address-loader"].ready()
        await stack["cleaner"].ready()
        assert [service.name for service in stack.of_kind("gateway")] == ["gateway-1"]
    assert {name: service.exit_code for name, service in stack.services.items()} == dict.fromkeys(stack.services, 0)
    assert not stack.nats.running


def test_every_connection_goes_the_way_that_it_is_given(tmp_path: Path) -> None:
    asked: dict[tuple[str, str], str] = {}

    def route(client: str, server: str, address: str) -> str:
        asked[client, server] = address
        return f"127.0.0.1:{10_000 + len(asked)}"

    url = "postgresql+asyncpg://me:secret@127.0.0.1:5432/name"
    stack = Stack(StackConfig(tmp_path, database_url=url, gateways=1, aggregators=1, route=route))
    assert asked.keys() == {
        *(("writer", "database"), ("address-loader", "database"), ("cleaner", "database")),
        *(("aggregator-1", "nats"), ("gateway-1", "nats"), ("address-loader", "nats")),
        *(("aggregator-1", "simulator"), ("gateway-1", "simulator")),
        *(("aggregator-1", "writer"), ("gateways", "aggregator-1")),
    }
    assert asked["writer", "database"] == "127.0.0.1:5432"
    ways = {pair: 10_001 + place for place, pair in enumerate(asked)}
    writer = stack["writer"].settings
    assert writer["database_url"] == f"postgresql+asyncpg://me:secret@127.0.0.1:{ways['writer', 'database']}/name"
    gateway = stack["gateway-1"].settings
    assert gateway["venue_ws_url"] == f"ws://127.0.0.1:{ways['gateway-1', 'simulator']}/ws"
    assert stack["aggregator-1"].settings["advertise"] == f"127.0.0.1:{ways['gateways', 'aggregator-1']}"


def test_sqlite_is_a_file_and_has_no_way_to_a_server(tmp_path: Path) -> None:
    stack = Stack(StackConfig(tmp_path, route=lambda _client, server, _address: f"{server}:1"))
    assert stack["writer"].settings["database_url"] == f"sqlite+aiosqlite:///{tmp_path}/hlmonitor.db"


async def test_what_comes_later_is_not_started_with_the_rest(tmp_path: Path) -> None:
    config = StackConfig(tmp_path, gateways=2, aggregators=1, whales=2, jobs=False, later=frozenset({"gateway-2"}))
    async with Stack(config) as stack:
        assert not stack["gateway-2"].running
        stack["gateway-2"].start()
        await stack["gateway-2"].ready()
