"""Who watches which wallet."""

from hypothesis import given
from hypothesis import strategies as st

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.gateway.core.assignment import assign, group_wallets, quotas
from hlmonitor.gateway.core.shares import GatewayRoom


def wallet(number: int, *, priority: int = 0, removed: bool = False) -> WatchEntry:
    address = Address(f"0x{number:040x}")
    return WatchEntry(address=address, watch_from_ms=0, priority=priority, removed_at_ms=1 if removed else None)


def gateways(*names: str, room: int = 10, group: str = "") -> dict[str, GatewayRoom]:
    """Each in a group of its own, unless the group is named."""
    return {name: GatewayRoom(group or name, room) for name in names}


names = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=6)
numbers = st.sets(st.integers(0, 10_000), max_size=60)


def test_room_is_bounded_by_users_and_by_connections_less_the_spare() -> None:
    assert group_wallets(10, 10, 1) == 9
    assert group_wallets(10, 20, 1) == 10
    assert group_wallets(10, 1, 1) == 0


def test_a_group_shares_its_room_equally_and_the_first_take_the_rest() -> None:
    assert quotas(gateways("b", "a", room=9, group="ip") | gateways("c")) == {"a": 5, "b": 4, "c": 10}


def test_a_group_goes_by_the_lowest_room_that_a_member_knows() -> None:
    mixed = {"a": GatewayRoom("ip", 10), "b": GatewayRoom("ip", 4)}
    assert quotas(mixed) == {"a": 2, "b": 2}


def test_a_gateway_that_drains_has_no_share_and_the_others_have_all() -> None:
    rooms = gateways("a", "b", room=9, group="ip") | {"c": GatewayRoom("ip", 9, draining=True)}
    assert quotas(rooms) == {"a": 5, "b": 4}


def test_priority_decides_who_is_left_out() -> None:
    wallets = [wallet(1), wallet(2, priority=5), wallet(3, priority=1)]
    outcome = assign(wallets, gateways("a", room=2))
    assert set(outcome.owners) == {wallets[1].address, wallets[2].address}
    assert outcome.uncovered == (wallets[0].address,)


def test_a_removed_wallet_uses_only_room_that_is_left() -> None:
    removed, watched = wallet(1, priority=9, removed=True), wallet(2)
    outcome = assign([removed, watched], gateways("a", room=1))
    assert dict(outcome.owners) == {watched.address: "a"}
    assert outcome.uncovered == ()


@given(numbers, names, st.integers(0, 12))
def test_no_gateway_gets_more_than_its_quota_and_none_is_left_out_while_there_is_room(
    wallets: set[int], live: list[str], room: int
) -> None:
    outcome = assign(map(wallet, wallets), gateways(*live, room=room))
    loads = [len(outcome.of(name)) for name in live]
    assert all(load <= room for load in loads)
    assert len(outcome.owners) == min(len(wallets), room * len(live))
    assert len(outcome.uncovered) == len(wallets) - len(outcome.owners)


@given(numbers, names.filter(bool))
def test_with_room_for_all_a_joiner_takes_only_its_own_and_a_leaver_gives_only_its_own(
    wallets: set[int], live: list[str]
) -> None:
    everyone = gateways(*live, room=1000)
    before = assign(map(wallet, wallets), everyone).owners
    joined = assign(map(wallet, wallets), everyone | gateways("new", room=1000)).owners
    assert all(joined[address] in (owner, "new") for address, owner in before.items())
    left = assign(map(wallet, wallets), {name: room for name, room in everyone.items() if name != live[0]}).owners
    assert all(left.get(address) == owner for address, owner in before.items() if owner != live[0])


@given(st.lists(st.integers(0, 10_000), unique=True, max_size=40), names, st.integers(0, 8))
def test_the_outcome_does_not_depend_on_any_order(wallets: list[int], live: list[str], room: int) -> None:
    forth = assign(map(wallet, wallets), gateways(*live, room=room))
    back = assign(map(wallet, reversed(wallets)), gateways(*reversed(live), room=room))
    assert forth == back
