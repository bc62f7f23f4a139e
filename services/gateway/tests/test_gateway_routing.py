"""Partitions find their owners."""

from hlmonitor.domain.partitions import PARTITIONS
from hlmonitor.gateway.core.routing import Routes


def test_every_partition_has_one_owner_and_a_change_moves_only_what_must_move() -> None:
    routes = Routes(0.2)
    assert routes.update(["a", "b"]) == list(range(PARTITIONS))
    before = {name: set(routes.owned(name)) for name in "ab"}
    assert before["a"] | before["b"] == set(range(PARTITIONS))
    moved = set(routes.update(["a", "b", "c"]))
    assert moved == set(routes.owned("c"))
    assert set(routes.owned("a")) == before["a"] - moved


def test_without_aggregators_nothing_is_ready() -> None:
    routes = Routes(0.2)
    routes.update(["a"])
    assert routes.update([]) == list(range(PARTITIONS))
    assert routes.ready("a", 0) == []


def test_a_refused_partition_waits_a_moment() -> None:
    routes = Routes(0.2)
    routes.update(["a"])
    routes.refused(5, now=10)
    assert 5 not in routes.ready("a", 10.1)
    assert routes.next_release == 10.2
    assert 5 in routes.ready("a", 10.2)


def test_a_new_view_ends_the_wait() -> None:
    routes = Routes(0.2)
    routes.update(["a"])
    routes.refused(5, now=10)
    routes.update(["a"])
    assert 5 in routes.ready("a", 10)
    assert routes.is_owner("a", 5)
