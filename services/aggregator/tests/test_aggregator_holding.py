"""Partitions that are given from one aggregator to another."""

from hypothesis import given
from hypothesis import strategies as st

from hlmonitor.aggregator.core.holding import PATIENCE_S, Claims, attributes_of, held_by
from hlmonitor.domain.partitions import PARTITIONS


@given(st.sets(st.integers(0, PARTITIONS - 1)))
def test_a_heartbeat_says_which_partitions_are_held(partitions: set[int]) -> None:
    assert held_by(attributes_of(partitions)) == partitions


def test_a_heartbeat_that_says_nothing_of_it_holds_nothing() -> None:
    assert held_by({}) == held_by({"held": "all"}) == set()


def test_a_partition_is_taken_when_its_holder_lets_go() -> None:
    claims = Claims()
    claims.view({1, 2}, {2, 3}, now=0)
    assert claims.is_free(1, 0)
    assert not claims.is_free(2, 1)
    claims.view({1, 2}, {3}, now=1)
    assert claims.is_free(2, 1)


def test_a_holder_that_does_not_let_go_is_waited_for_only_so_long() -> None:
    claims = Claims()
    claims.view({2}, {2}, now=10)
    claims.view({2, 3}, {2, 3}, now=12)
    assert not claims.is_free(2, 9.9 + PATIENCE_S)
    assert claims.is_free(2, 10 + PATIENCE_S)
    assert not claims.is_free(3, 10 + PATIENCE_S)
    claims.view({3}, {2, 3}, now=14)
    claims.view({2, 3}, {2, 3}, now=15)
    assert not claims.is_free(2, 15)
