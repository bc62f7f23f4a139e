"""Which connection carries what."""

from hypothesis import given
from hypothesis import strategies as st

from hlmonitor.gateway.core.pool import Pool


def test_wallets_get_connections_of_their_own_until_there_are_no_more() -> None:
    pool = Pool(connections=2, subscriptions=100)
    assert [pool.place(name, 6, exclusive=True) for name in "abc"] == [0, 1, None]


def test_asking_again_gives_the_same_place() -> None:
    pool = Pool(connections=2, subscriptions=100)
    assert pool.place("a", 6, exclusive=True) == pool.place("a", 6, exclusive=True) == 0
    assert pool.load == 6


def test_a_released_place_is_free_again() -> None:
    pool = Pool(connections=1, subscriptions=100)
    pool.place("a", 6, exclusive=True)
    pool.release("a")
    pool.release("a")
    assert pool.place("b", 6, exclusive=True) == 0


def test_the_least_loaded_connection_is_taken() -> None:
    pool = Pool(connections=2, subscriptions=100)
    pool.place("a", 9, exclusive=False)
    pool.place("b", 3, exclusive=False)
    assert pool.place("c", 3, exclusive=False) == 1
    assert pool.loads() == {0: 9, 1: 6}


def test_what_names_no_user_is_never_shared_by_two() -> None:
    pool = Pool(connections=1, subscriptions=100)
    pool.place("coins", 3, exclusive=False)
    assert pool.place("a", 6, exclusive=True) == 0
    assert pool.place("b", 6, exclusive=True) is None
    assert pool.place("more coins", 3, exclusive=False) == 0


@given(
    st.integers(1, 4),
    st.integers(0, 30),
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 7), st.booleans(), st.booleans()), max_size=40),
)
def test_limits_hold_whatever_comes_and_goes(
    connections: int, subscriptions: int, steps: list[tuple[str, int, bool, bool]]
) -> None:
    pool = Pool(connections, subscriptions)
    homes: dict[str, tuple[int, int, bool]] = {}
    for tenant, load, exclusive, comes in steps:
        if not comes:
            pool.release(tenant)
            homes.pop(tenant, None)
        elif tenant not in homes and (number := pool.place(tenant, load, exclusive=exclusive)) is not None:
            homes[tenant] = (number, load, exclusive)
        assert pool.load == sum(load for _, load, _ in homes.values()) <= subscriptions
        assert len(pool.loads()) == len({number for number, _, _ in homes.values()}) <= connections
        exclusives = [number for number, _, alone in homes.values() if alone]
        assert len(exclusives) == len(set(exclusives))


def test_a_tenant_moves_to_a_second_connection_or_stays() -> None:
    pool = Pool(connections=2, subscriptions=100)
    pool.place("a", 7, exclusive=True)
    assert pool.place_again("a") == 1
    assert (pool.numbers("a"), pool.held, pool.load) == ([0, 1], 2, 14)
    assert pool.place("b", 7, exclusive=True) is None
    pool.moved("a")
    assert (pool.numbers("a"), pool.loads()) == ([1], {1: 7})
    assert pool.place_again("a") == 0
    pool.stayed("a")
    assert (pool.numbers("a"), pool.loads()) == ([1], {1: 7})
    pool.place_again("a")
    pool.release("a")
    assert (pool.numbers("a"), pool.held) == ([], 0)


def test_there_is_no_second_connection_without_a_spare_one_or_without_subscriptions() -> None:
    full = Pool(connections=1, subscriptions=100)
    full.place("a", 7, exclusive=True)
    assert full.place_again("a") is None
    narrow = Pool(connections=2, subscriptions=13)
    narrow.place("a", 7, exclusive=True)
    assert narrow.place_again("a") is None


def test_with_fewer_connections_than_before_nobody_is_turned_out_and_nobody_gets_in() -> None:
    pool = Pool(connections=3, subscriptions=100)
    for tenant in "abc":
        pool.place(tenant, 7, exclusive=True)
    pool.connections = 2
    pool.release("a")
    assert pool.place("d", 7, exclusive=True) is None
    pool.release("b")
    assert pool.place("d", 7, exclusive=True) is not None
