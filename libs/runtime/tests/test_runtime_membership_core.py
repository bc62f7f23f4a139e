"""Who is alive: a view that does not flicker when NATS, the server or this process do."""

import math
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from hlmonitor.runtime.core.membership import HEARTBEAT_S, TTL_S, Member, MembershipView

TICK_S = HEARTBEAT_S / 2
ME = Member(kind="aggregator", name="me")
LONGEST_DEAFNESS_S = TTL_S + 2 * HEARTBEAT_S
"""A watch that the server forgot is opened anew after TTL_S; then everybody is heard within one more heartbeat."""


def a_member(name: str) -> Member:
    return Member(kind="aggregator", name=name)


@dataclass
class World:
    """A reader and the members around it, in steps of a quarter of a second."""

    alive: set[str]
    view: MembershipView = field(default_factory=MembershipView)
    ticks: int = 0
    connected: bool = True
    hearing: bool = True
    deaf_for: int = 0
    seen_without: set[str] = field(default_factory=set)

    @property
    def now(self) -> float:
        return 1000 + self.ticks * TICK_S

    def run(self, seconds: float) -> None:
        for _ in range(math.ceil(seconds / TICK_S)):
            self.tick()

    def tick(self) -> None:
        self.ticks += 1
        if self.connected:
            self.view.connected(self.now)
        else:
            self.view.disconnected()
        if self.connected and self.hearing and self.ticks % 2 == 0:
            self.everybody_beats()
        self.view.expire(self.now)
        self.seen_without |= self.alive - self.view.members.keys()

    def everybody_beats(self) -> None:
        for name in self.alive:
            self.view.heard_anyone(self.now)
            self.view.heard(a_member(name), self.now)


def a_world(*names: str) -> World:
    world = World({"me", *names})
    world.everybody_beats()
    world.view.read_fully()
    return world


OUTAGES = st.lists(
    st.tuples(st.sampled_from(["calm", "disconnected", "silent", "frozen"]), st.floats(0.1, 20)), max_size=6
)


@given(OUTAGES)
def test_whoever_is_alive_never_leaves_the_view_whatever_nats_does(outages: list[tuple[str, float]]) -> None:
    world = a_world("other", "third")
    for kind, seconds in outages:
        match kind:
            case "disconnected":
                world.connected = False
                world.run(seconds)
                world.connected = True
            case "silent":
                # The connection stands, but the server is frozen or has forgotten our watch.
                world.hearing = False
                world.run(seconds)
                world.hearing = True
            case "frozen":
                # This process was stopped: the clock jumps, nothing was judged meanwhile.
                world.ticks += math.ceil(seconds / TICK_S)
            case _:
                world.run(seconds)
        # After an outage the watch may need a moment to be opened anew.
        world.hearing = False
        world.run(LONGEST_DEAFNESS_S if kind in ("disconnected", "silent") else 0)
        world.hearing = True
    world.run(1)
    assert world.seen_without == set()


@given(OUTAGES)
def test_whoever_died_in_an_outage_is_gone_after_it(outages: list[tuple[str, float]]) -> None:
    world = a_world("other")
    world.alive.discard("other")
    for kind, seconds in outages:
        world.connected, world.hearing = kind != "disconnected", kind != "silent"
        world.run(seconds)
    world.connected = world.hearing = True
    world.run(3 * TTL_S + 2 * HEARTBEAT_S)
    assert world.view.members.keys() == {"me"}


def test_a_member_is_gone_when_it_was_not_heard_for_its_time_to_live() -> None:
    world = a_world("other")
    world.run(2 * TTL_S)
    world.alive.discard("other")
    world.run(TTL_S - TICK_S)
    assert world.view.members.keys() == {"me", "other"}
    world.run(2 * TICK_S)
    assert world.view.members.keys() == {"me"}


def test_a_goodbye_takes_effect_at_once() -> None:
    view = MembershipView()
    view.heard(a_member("other"), 0)
    view.read_fully()
    assert view.left("aggregator.other")
    assert not view.left("aggregator.other")
    assert view.members == {}


def test_nothing_is_a_change_before_the_bucket_was_read_fully() -> None:
    view = MembershipView()
    assert not view.heard(ME, 0)
    assert not view.left(ME.key)
    assert not view.heard(ME, 0)
    assert not view.complete
    assert view.read_fully()
    assert view.complete
    assert not view.read_fully()
    assert view.members == {"me": ME}


def test_a_heartbeat_is_a_change_when_it_tells_something_new() -> None:
    view = MembershipView()
    view.read_fully()
    moved = Member(kind="aggregator", name="me", address="127.0.0.1:2")
    assert view.heard(ME, 0)
    assert not view.heard(ME, 1)
    assert view.heard(moved, 2)
    assert view.members == {"me": moved}
