"""Sharing the work: partitions of addresses and rendezvous hashing over members."""

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from hlmonitor.domain.addresses import parse_address
from hlmonitor.domain.partitions import PARTITIONS, partition_of
from hlmonitor.domain.rendezvous import owner_of, partition_owner, ranking

NAMES = st.text("abcdefghij-0123456789", min_size=1, max_size=12)
MEMBERS = st.lists(NAMES, min_size=1, max_size=8, unique=True)
KEYS = [f"partition-{number}" for number in range(PARTITIONS)]


def test_partitions_of_known_addresses_stay_what_they_are() -> None:
    # Rows are stored under these numbers: another value orphans them.
    known = {byte: partition_of(parse_address(f"0x{byte * 20}")) for byte in ("00", "11", "ab", "ff")}
    assert known == {"00": 39, "11": 12, "ab": 57, "ff": 52}


@given(st.text("0123456789abcdef", min_size=40, max_size=40))
def test_every_address_has_a_partition(digits: str) -> None:
    assert 0 <= partition_of(parse_address(f"0x{digits}")) < PARTITIONS


def test_partitions_share_the_addresses_about_evenly() -> None:
    counts = Counter(partition_of(parse_address(f"0x{number:040x}")) for number in range(6400))
    assert len(counts) == PARTITIONS
    assert max(counts.values()) < 200


@given(MEMBERS, st.randoms(use_true_random=False))
def test_the_owner_does_not_depend_on_the_order_of_the_members(members: list[str], random: Random) -> None:
    shuffled = random.sample(members, len(members))
    assert [owner_of(members, key) for key in KEYS] == [owner_of(shuffled, key) for key in KEYS]


@given(MEMBERS, NAMES)
def test_a_joining_member_takes_keys_and_moves_none_between_others(members: list[str], joiner: str) -> None:
    for key in KEYS:
        before, after = owner_of(members, key), owner_of({*members, joiner}, key)
        assert after in {before, joiner}


@given(MEMBERS)
def test_a_leaving_members_keys_alone_move_and_to_the_next_in_the_ranking(members: list[str]) -> None:
    leaver, rest = members[0], members[1:]
    for key in KEYS:
        order = ranking(members, key)
        expected = next((name for name in order if name != leaver), None)
        assert owner_of(rest, key) == expected


@given(MEMBERS)
def test_the_first_of_the_ranking_is_the_owner(members: list[str]) -> None:
    assert all(ranking(members, key)[0] == owner_of(members, key) for key in KEYS)


def test_nobody_owns_anything_without_members() -> None:
    assert owner_of([], "key") is None
    assert partition_owner([], 3) is None


def test_owners_of_partitions_stay_what_they_are() -> None:
    # Gateways and aggregators of different versions must agree on these.
    owners = [partition_owner(["a", "b", "c"], number) for number in range(12)]
    assert "".join(owner or "-" for owner in owners) == "abccccccaaab"
