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


@given(st.lists(st.integers(0, 10), min_size=1, max_size=5))
def test_all_that_may_be_held_never_exceeds_the_limit(held: list[int]) -> None:
    held = [count if sum(held[:place]) + count <= LIMIT else 0 for place, count in enumerate(held)]
    group = {str(place): room(count, len(held)) for place, count in enumerate(held)}
    # Each takes what it may in turn, and says so before the next one looks.
    for name, entry in list(group.items()):
        left = allowance(group, name, LIMIT, LIMIT).connections
        group[name] = room(max(entry.connections, left), len(held))
    assert sum(entry.connections for entry in group.values()) <= LIMIT
