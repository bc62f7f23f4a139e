"""When a connection is replaced, and what the rates of an egress IP leave to each gateway."""

import pytest

from hlmonitor.gateway.core.rotation import Rotation
from hlmonitor.gateway.core.shares import Spent
from hlmonitor.gateway.io.budgets import Budgets
from hlmonitor.gateway.settings import GatewaySettings
from hlmonitor.venue.core.limits import RateLedger

AGE_S = 9_900.0


@pytest.mark.parametrize(("jitter", "due_s"), [(0.0, 8_415.0), (1.0, 9_405.0)])
def test_a_connection_looks_for_a_successor_at_a_time_of_its_own(jitter: float, due_s: float) -> None:
    plan = Rotation.plan(100.0, AGE_S, jitter)
    assert plan.due_at == pytest.approx(100 + due_s)
    assert plan.latest_at == 100 + AGE_S


def test_a_successor_that_came_to_nothing_is_tried_again_before_anything_is_closed() -> None:
    plan = Rotation.plan(0.0, AGE_S, 1.0)
    plan.postpone(AGE_S, AGE_S)
    assert AGE_S < plan.due_at <= plan.latest_at


def budgets() -> Budgets:
    return Budgets(RateLedger(30), RateLedger(2000), RateLedger(1200))


def test_who_joins_may_open_connections_at_once_but_not_those_that_others_opened_beyond_their_share() -> None:
    old, new = budgets(), budgets()
    old.share(GatewaySettings(), 1, [], 0)
    for _ in range(20):
        old.new_connections.take(1, 1)
    old.share(GatewaySettings(), 2, [Spent()], 2)
    assert old.overspent == Spent(5, 0, 0)
    new.share(GatewaySettings(), 2, [old.overspent], 3)
    assert sum(new.new_connections.take(1, 3) == 0 for _ in range(20)) == 10
    assert old.new_connections.take(1, 3) > 0


def test_what_a_gateway_that_left_may_have_taken_is_not_taken_again_within_the_window() -> None:
    stays = budgets()
    stays.share(GatewaySettings(), 2, [Spent()], 0)
    stays.share(GatewaySettings(), 1, [], 10)
    stays.share(GatewaySettings(), 1, [], 69)
    assert sum(stays.new_connections.take(1, 69) == 0 for _ in range(30)) == 15
    stays.share(GatewaySettings(), 1, [], 70)
    assert sum(stays.new_connections.take(1, 70) == 0 for _ in range(30)) == 15


def test_a_gateway_that_leaves_and_comes_back_costs_nobody_anything() -> None:
    stays = budgets()
    stays.share(GatewaySettings(), 2, [Spent()], 0)
    stays.share(GatewaySettings(), 1, [], 10)
    stays.share(GatewaySettings(), 2, [Spent()], 20)
    assert stays.overspent == Spent()
    stays.share(GatewaySettings(), 1, [], 80)
    assert sum(stays.new_connections.take(1, 80) == 0 for _ in range(30)) == 15
