"""What is bounded: budgets per IP, the ledger's memory, slow clients, settings."""

from decimal import Decimal

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from hlmonitor.runtime.settings import load_settings
from hlmonitor.simulator.core.durations import MINUTE_MS
from hlmonitor.simulator.core.ledger import ORDER_HORIZON, Ledger
from hlmonitor.simulator.core.limits import IpBudget, LimitConfig
from hlmonitor.simulator.core.orders import Side, Status
from hlmonitor.simulator.io.config import ServerConfig
from hlmonitor.simulator.settings import SimulatorSettings
from hlmonitor.simulator.testing import Desk, request, running, wallet

A, B = wallet(0xA), wallet(0xB)


def test_the_documented_limits_are_the_defaults() -> None:
    assert LimitConfig() == LimitConfig(10, 30, 1000, 10, 2000, 100, 1200)
    assert ServerConfig().idle_ms == 60_000
    settings = load_settings("simulator", SimulatorSettings, [])
    assert settings.server() == ServerConfig()
    assert settings.market().exchange.twap_slice_ms == 30_000


def test_weight_comes_back_after_a_minute() -> None:
    budget = IpBudget(LimitConfig(rest_weight_per_minute=100))
    assert budget.spend(60, 0)
    assert not budget.spend(41, 1)
    budget.charge(40, 1)
    assert not budget.spend(1, MINUTE_MS - 1)
    assert budget.spend(60, MINUTE_MS)
    assert not budget.spend(1, MINUTE_MS)


def test_a_reconnecting_user_needs_no_second_slot() -> None:
    budget = IpBudget(LimitConfig(users=1, user_release_ms=1000))
    assert budget.connect(0) is None
    assert budget.subscribe(A, 0) is None
    budget.disconnect([A], 1, 10)
    assert budget.subscribe(A, 20) is None
    budget.unsubscribe(A)
    assert budget.subscribe(B, 1009) == "Cannot track more than 1 total users."
    assert budget.subscribe(B, 1010) is None


def test_an_ip_that_uses_nothing_may_be_forgotten() -> None:
    budget = IpBudget(LimitConfig())
    assert budget.is_idle(0)
    budget.connect(0)
    assert not budget.is_idle(MINUTE_MS * 2)
    budget.disconnect([], 0, 0)
    assert not budget.is_idle(1)
    assert budget.is_idle(MINUTE_MS)


def resting_and_cancelled(desk: Desk, address: str, count: int) -> None:
    for _ in range(count):
        order = desk.buy(address, "1", "10000")
        desk.block(lambda exchange, oid=order.oid: exchange.cancel(address, oid))  # type: ignore[misc]


def test_an_unnamed_wallet_keeps_the_venues_horizon_and_never_loses_an_open_order() -> None:
    desk = Desk()
    desk.exchange.state.account(A).house = True
    kept = desk.buy(A, "1", "10000")
    resting_and_cancelled(desk, A, ORDER_HORIZON + 10)
    records = desk.ledger.of(A)
    assert len(records.orders) == ORDER_HORIZON
    assert kept.oid in records.orders
    assert records.truncated


def test_past_the_limit_the_oldest_finished_orders_of_named_wallets_go_and_are_counted() -> None:
    desk = Desk()
    desk.ledger = desk.exchange.state.ledger = Ledger(limit=5)
    desk.fund(A)
    kept = desk.buy(A, "1", "10000")
    resting_and_cancelled(desk, A, 10)
    assert len(desk.ledger.of(A).orders) <= 6
    assert kept.oid in desk.ledger.of(A).orders
    assert desk.ledger.dropped > 0
    assert desk.ledger.of(A).truncated


async def test_a_client_that_does_not_read_is_cut() -> None:
    async with running(server=ServerConfig(outbox_frames=0)) as server, connect(server.ws_url) as socket:
        await socket.send('{"method":"ping"}')
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert server.simulator.stats.closed["slow_client"] == 1


def test_settings_come_from_flags_and_wrong_ones_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    settings = load_settings("simulator", SimulatorSettings, ["--agents", "off", "--idle-s", "2s", "--rate", "3.5"])
    assert settings.market().agents is False
    assert settings.market().population.rate == Decimal("3.5")
    assert settings.server().idle_ms == 2000
    with pytest.raises(SystemExit) as refused:
        load_settings("simulator", SimulatorSettings, ["--fault-split", "2"])
    assert refused.value.code == 2
    assert "fault_split" in capsys.readouterr().err


def test_a_tid_is_the_same_for_both_sides_whatever_they_did_before() -> None:
    desk = Desk()
    desk.fund(A)
    desk.fund(B)
    desk.send(A, *[request(Side.SELL, "1", "66650") for _ in range(3)])
    taker = desk.buy(B, "3", "66650")
    assert taker.status is Status.FILLED
    assert [fill.tid for fill in desk.fills(A)] == [fill.tid for fill in desk.fills(B)]
    assert len({fill.tid for fill in desk.fills(A)}) == 3
