"""The plan of a run: the same for the same seed, enough of everything, and nothing that cannot happen."""

from itertools import pairwise

import pytest

from chaos.plan import Battlefield, Blow, Freeze, Hurt, Join, Kill, Leave, List, Unlist, plan
from chaos.verdict import LEAST_KILLS
from hlmonitor.local.proxy import Fault

ALWAYS = ("gateway-1", "gateway-2", "aggregator-1", "aggregator-2", "writer", "nats", "database")
JOINING = ("gateway-3", "aggregator-3")
LINES = ("gateway-1>nats", "gateway-3>nats", "gateways>aggregator-3", "writer>database")
FIELD = Battlefield(ALWAYS, JOINING, LINES, listed_later=("later",), unlisted=("one", "two"), grace_s=8.0)
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
    assert {type(blow) for blow in blows} == {Kill, Freeze, Hurt, Join, Leave, List, Unlist}
    assert sum(isinstance(blow, Kill) for blow in blows) >= LEAST_KILLS


@pytest.mark.parametrize("seed", SEEDS)
def test_of_each_kind_of_process_one_is_killed_alone_with_time_to_recover(seed: int) -> None:
    blows = of_seed(seed)
    alone = [blow for blow in blows if isinstance(blow, Kill) and blow.alone]
    assert [blow for blow in blows if not isinstance(blow, Unlist)][: len(alone)] == alone
    assert {blow.target for blow in alone} == set(ALWAYS)
    assert all(blow.at_s - before.at_s > 4 for before, blow in pairwise(alone))
    assert all(blow.at_s - alone[-1].at_s > 4 for blow in blows if blow.at_s > alone[-1].at_s)


@pytest.mark.parametrize("seed", SEEDS)
def test_wallets_leave_the_list_once_for_longer_than_the_grace_and_are_back_before_the_end(seed: int) -> None:
    gone = {blow.wallet: blow for blow in of_seed(seed) if isinstance(blow, Unlist)}
    assert gone["one"].for_s > FIELD.grace_s > gone["two"].for_s
    assert all(blow.at_s + blow.for_s < 120 - 5 for blow in gone.values())
    assert [blow.wallet for blow in of_seed(seed) if isinstance(blow, List)] == ["later"]


@pytest.mark.parametrize("seed", SEEDS)
def test_whoever_is_always_there_is_killed_about_as_often_as_the_others_and_not_soon_again(seed: int) -> None:
    kills = [blow for blow in of_seed(seed) if isinstance(blow, Kill)]
    counts = [sum(kill.target == name for kill in kills) for name in ALWAYS]
    assert max(counts) - min(counts) <= 1
    for before, kill in pairwise(kills):
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
