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
