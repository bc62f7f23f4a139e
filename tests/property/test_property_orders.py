"""Signals of random orders under random delivery, against the oracle."""

from collections.abc import Mapping

from checks import finish
from happenings import CALM, HASTE, Happening
from harness import World
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from market import Market
from strategies import markets, step, worlds

PROFILE = settings.get_profile("oracle")


def _deliver(data: st.DataObject, world: World, happenings: Mapping[str, Happening]) -> None:
    for told in data.draw(st.permutations(world.market.told)):
        world.tell(told, data.draw(st.integers(0, 1)))
        happenings[data.draw(st.sampled_from(list(happenings)))](world, data.draw)
    finish(world)


@PROFILE
@given(data=st.data(), world=worlds(markets()))
def test_any_arrival_duplication_framing_and_restart_gives_the_oracles_signals(
    data: st.DataObject, world: World
) -> None:
    _deliver(data, world, CALM)


@PROFILE
@given(data=st.data(), world=worlds(markets()))
def test_partials_timeouts_and_gaps_tell_every_fill_once(data: st.DataObject, world: World) -> None:
    _deliver(data, world, HASTE)


class Machine(RuleBasedStateMachine):
    """Trading, telling and crashing in any mixture: what is told may be told before the next thing happens."""

    @initialize(world=worlds(st.builds(Market)))
    def begin(self, world: World) -> None:
        self.world = world

    @rule(data=st.data())
    def trade(self, data: st.DataObject) -> None:
        step(data.draw, self.world.market)

    @rule(data=st.data(), gateway=st.integers(0, 1))
    def tell(self, data: st.DataObject, gateway: int) -> None:
        if self.world.market.told:
            self.world.tell(data.draw(st.sampled_from(self.world.market.told)), gateway)

    @rule(gateway=st.integers(0, 1))
    def tell_the_latest(self, gateway: int) -> None:
        if self.world.market.told:
            self.world.tell(self.world.market.told[-1], gateway)

    @rule(data=st.data(), name=st.sampled_from(list(HASTE)))
    def happen(self, data: st.DataObject, name: str) -> None:
        HASTE[name](self.world, data.draw)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            finish(self.world)


TestMachine = Machine.TestCase
TestMachine.settings = settings(PROFILE, stateful_step_count=40)
