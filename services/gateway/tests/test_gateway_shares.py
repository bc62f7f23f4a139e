"""What gateways of one egress IP may hold beside each other."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hlmonitor.gateway.core.shares import GatewayRoom, Spent, allowance, split

LIMIT = 10


def room(held: int = 0, size: int = 2, *, draining: bool = False) -> GatewayRoom:
    return GatewayRoom("ip", 9, size, held, held, draining=draining)


def test_a_heartbeat_keeps_what_is_said_and_what_cannot_be_read_is_nothing() -> None:
    said = GatewayRoom("x", 7, 2, 5, 4, Spent(1, 20, 300))
    assert GatewayRoom.from_attributes(said.attributes()) == said
    assert GatewayRoom.from_attributes({}) == GatewayRoom("", 0)
    assert GatewayRoom.from_attributes({"egress_group": "x", "group_wallets": "many", "overspent": "1,2"}) == (
        GatewayRoom("x", 0)
    )


def test_who_is_alone_has_everything() -> None:
    left = allowance({"a": room(size=0), "b": msgspec.structs.replace(room(), group="other")}, "a", LIMIT, 9)
    assert (left.group_size, left.connections, left.users, left.is_agreed) == (1, LIMIT, 9, True)


def test_who_joins_takes_nothing_before_the_others_know_of_it_and_then_what_they_leave() -> None:
    joining = {"b": room(size=0)}
    assert allowance(joining | {"a": room(9, size=1)}, "b", LIMIT, LIMIT).connections == 0
    assert allowance(joining | {"a": room(9)}, "b", LIMIT, LIMIT).connections == 1
    assert allowance(joining | {"a": room(5)}, "b", LIMIT, LIMIT).connections == 5
    assert allowance(joining | {"a": room(2)}, "b", LIMIT, LIMIT).connections == 5


def test_who_is_not_a_member_may_hold_nothing() -> None:
    assert allowance({"a": room()}, "b", LIMIT, LIMIT).connections == 0


def test_who_drains_takes_no_more_and_the_others_take_what_it_lets_go() -> None:
    group = {"a": room(4, draining=True), "b": room(5)}
    assert allowance(group, "a", LIMIT, LIMIT).connections == 0
    assert allowance(group, "b", LIMIT, LIMIT).connections == 6


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 6))
def test_a_part_of_the_room_never_exceeds_the_same_part_of_the_limit(wallets: int, spare: int, members: int) -> None:
    names = [str(number) for number in range(members)]
    shares, limits = split(wallets, names), split(wallets + spare, names)
    assert sum(shares.values()) == wallets
    assert all(shares[name] <= limits[name] for name in names)


def test_of_two_who_join_at_once_the_second_leaves_the_first_its_share() -> None:
    group = {"a": room(8, size=3), "b": room(size=3), "c": room(size=3)}
    assert [allowance(group, name, LIMIT, LIMIT).connections for name in "bc"] == [2, 0]
    group["a"] = room(5, size=3)
    assert [allowance(group, name, LIMIT, LIMIT).connections for name in "bc"] == [3, 2]


@given(st.data(), st.integers(2, 4), st.integers(0, LIMIT))
def test_whatever_is_heard_late_all_together_never_hold_more_than_the_limit(
    data: st.DataObject, members: int, first_holds: int
) -> None:
    names = [str(number) for number in range(members)]
    over = data.draw(st.sampled_from(names))
    held = dict.fromkeys(names, 0) | {over: first_holds}
    views = {name: dict(held) for name in names}
    for _ in range(30):
        name, other = data.draw(st.sampled_from(names)), data.draw(st.sampled_from(names))
        views[name] |= {other: held[other], name: held[name]}
        group = {member: room(count, members) for member, count in views[name].items()}
        if held[name] < allowance(group, name, LIMIT, LIMIT).connections:
            held[name] += 1
        elif held[name] and data.draw(st.booleans()):
            held[name] -= 1
        assert sum(held.values()) <= LIMIT
