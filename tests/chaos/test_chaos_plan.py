"""The plan of a run: the same for the same seed, enough of everything, and nothing that cannot happen."""

import itertools

import pytest

from chaos.plan import Battlefield, Blow, Freeze, Hurt, Join, Kill, Leave, plan
from chaos.verdict import LEAST_KILLS
from hlmonitor.local.proxy import Fault

ALWAYS = ("gateway-1", "gateway-2", "aggregator-1", "aggregator-2", "writer", "nats", "database")
JOINING = ("gateway-3", "aggregator-3")
LINES = ("gateway-1>nats", "gateway-3>nats", "gateways>aggregator-3", "writer>database")
FIELD = Battlefield(ALWAYS, JOINING, LINES)
SEEDS = range(1, 31)


def of_seed(seed: int, duration_s: float = 120) -> list[Blow]:
    return plan(seed, duration_s, FIELD)


def test_a_seed_gives_the_same_blows_each_time_and_another_seed_others() -> None:
    assert of_seed(7) == of_seed(7)
    assert of_seed(7) != of_seed(8)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_kind_of_blow_is_there_in_order_of_time_and_before_the_end(seed: int) -> None:
    blows = of_seed(seed)
    times = [blow.at_s for blow in blows]
    assert times == sorted(times)
    assert times[0] > 0
    assert times[-1] < 120 - 5
    assert {type(blow) for blow in blows} == {Kill, Freeze, Hurt, Join, Leave}
    assert sum(isinstance(blow, Kill) for blow in blows) >= LEAST_KILLS


@pytest.mark.parametrize("seed", SEEDS)
def test_whoever_is_always_there_is_killed_about_as_often_as_the_others_and_not_soon_again(seed: int) -> None:
    kills = [blow for blow in of_seed(seed) if isinstance(blow, Kill)]
    counts = [sum(kill.target == name for kill in kills) for name in ALWAYS]
    assert max(counts) - min(counts) <= 1
    for before, kill in itertools.pairwise(kills):
        assert before.target != kill.target


@pytest.mark.parametrize("seed", SEEDS)
def test_who_comes_and_goes_is_struck_only_while_there(seed: int) -> None:
    there: set[str] = set(ALWAYS)
    for blow in of_seed(seed):
        match blow:
            case Join(target=name):
                assert name not in there
                there.add(name)
            case Leave(target=name):
                there.remove(name)
            case Kill(target=name) | Freeze(target=name):
                assert name in there
            case Hurt(line=line):
                assert there | {"gateways"} >= set(line.split(">"))
    assert there == set(ALWAYS)


def test_all_faults_of_the_network_come_up() -> None:
    blows = [blow for seed in SEEDS for blow in of_seed(seed)]
    assert {blow.fault for blow in blows if isinstance(blow, Hurt)} == set(Fault)
    assert {blow.line for blow in blows if isinstance(blow, Hurt)} == set(LINES)


def test_a_run_too_short_for_a_blow_has_none_and_a_longer_one_has_more() -> None:
    assert of_seed(1, 10) == []
    assert len(of_seed(1, 240)) > len(of_seed(1, 120))
