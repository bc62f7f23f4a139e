"""From SQL's rows and KV's entries to what has to change, by example and by property."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from hlmonitor.address_loader.core.plan import Change, Rejected, Times, Write, plan, read_rows
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import ListedAddress, WatchEntry

NOW_MS = 1_700_000_000_000
TIMES = Times(grace_ms=300_000, purge_after_ms=600_000)
ANNA, BERT, CARL = (Address("0x" + letter * 40) for letter in "abc")


class Held(NamedTuple):
    entry: WatchEntry | None
    revision: int


def entry(address: Address = ANNA, removed_ago_ms: int | None = None, label: str = "") -> WatchEntry:
    removed_at_ms = None if removed_ago_ms is None else NOW_MS - removed_ago_ms
    return WatchEntry(
        address=address, watch_from_ms=5, removed_at_ms=removed_at_ms, label=label, order_timeout_s=0.0, priority=3
    )


def one(wanted: dict[Address, str], held: dict[Address, Held]) -> Write | None:
    writes = plan(wanted, held, NOW_MS, TIMES)
    assert len(writes) <= 1
    return writes[0] if writes else None


def test_a_new_wallet_is_watched_from_now() -> None:
    expected = WatchEntry(address=ANNA, watch_from_ms=NOW_MS, label="whale")
    assert one({ANNA: "whale"}, {}) == Write(Change.ADDED, ANNA, expected, None)


def test_a_wallet_that_is_watched_already_is_left_alone() -> None:
    assert one({ANNA: ""}, {ANNA: Held(entry(label="whale"), 7)}) is None


def test_a_vanished_wallet_is_removed_now_and_keeps_everything_else() -> None:
    write = one({}, {ANNA: Held(entry(), 7)})
    assert write == Write(Change.REMOVED, ANNA, entry(removed_ago_ms=0), 7)


def test_a_removed_wallet_waits_for_its_purge() -> None:
    assert one({}, {ANNA: Held(entry(removed_ago_ms=900_000), 7)}) is None
    assert one({}, {ANNA: Held(entry(removed_ago_ms=900_001), 7)}) == Write(Change.PURGED, ANNA, None, 7)


def test_a_wallet_that_is_back_within_the_grace_goes_on_as_before() -> None:
    write = one({ANNA: ""}, {ANNA: Held(entry(removed_ago_ms=299_999), 7)})
    assert write == Write(Change.BACK_IN_GRACE, ANNA, entry(), 7)


def test_a_wallet_that_is_back_later_is_watched_from_now() -> None:
    write = one({ANNA: ""}, {ANNA: Held(entry(removed_ago_ms=300_000), 7)})
    assert write is not None
    assert write.change is Change.BACK_AFTER_GRACE
    assert write.entry is not None
    assert (write.entry.watch_from_ms, write.entry.removed_at_ms, write.entry.priority) == (NOW_MS, None, 3)


def test_a_new_label_in_sql_is_taken_over_and_an_empty_one_is_not() -> None:
    write = one({ANNA: "shark"}, {ANNA: Held(entry(label="whale"), 7)})
    assert write == Write(Change.RELABELLED, ANNA, entry(label="shark"), 7)


def test_an_unreadable_entry_is_replaced_or_deleted() -> None:
    held = {ANNA: Held(None, 7)}
    assert one({ANNA: ""}, held) == Write(Change.ADDED, ANNA, WatchEntry(address=ANNA, watch_from_ms=NOW_MS), 7)
    assert one({}, held) == Write(Change.PURGED, ANNA, None, 7)


def test_bad_rows_are_named_and_good_ones_still_count() -> None:
    rows = [
        ListedAddress("hl_watch_addresses", 1, f" 0x{'A' * 40} ", ""),
        ListedAddress("hl_watch_addresses", 2, "0x123", "oops"),
        ListedAddress("hl_watch_addresses", 3, ANNA, "whale"),
        ListedAddress("hl_watch_addresses", 4, ANNA, "shark"),
        ListedAddress("hl_watch_addresses", 5, "", ""),
    ]
    wanted, rejected = read_rows(rows)
    assert wanted == {ANNA: "whale"}
    assert [(row.table, row.row_id) for row in rejected] == [("hl_watch_addresses", 2), ("hl_watch_addresses", 5)]
    assert rejected[0] == Rejected("hl_watch_addresses", 2, "'0x123' is not an address: expected 0x and 40 hex digits")


ADDRESSES = st.sampled_from([ANNA, BERT, CARL])
WANTED = st.dictionaries(ADDRESSES, st.sampled_from(["", "whale", "shark"]))
REMOVALS = st.none() | st.integers(-1000, 2_000_000)


@st.composite
def holdings(draw: st.DrawFn) -> dict[Address, Held]:
    held = {}
    for address in draw(st.sets(ADDRESSES)):
        readable = entry(address, draw(REMOVALS), draw(st.sampled_from(["", "whale"])))
        held[address] = Held(draw(st.sampled_from([None, readable])), draw(st.integers(1, 1000)))
    return held


def applied(held: dict[Address, Held], writes: list[Write]) -> dict[Address, Held]:
    after = dict(held)
    for write in writes:
        assert (held[write.address].revision if write.address in held else None) == write.revision
        after.pop(write.address, None)
        if write.entry is not None:
            assert write.entry.address == write.address
            after[write.address] = Held(write.entry, 2000)
    return after


@given(WANTED, holdings())
def test_after_a_round_exactly_the_wanted_wallets_are_watched(
    wanted: dict[Address, str], held: dict[Address, Held]
) -> None:
    after = applied(held, plan(wanted, held, NOW_MS, TIMES))
    watched = {address for address, stored in after.items() if stored.entry and stored.entry.removed_at_ms is None}
    assert watched == wanted.keys()


@given(WANTED, holdings())
def test_a_second_round_changes_nothing(wanted: dict[Address, str], held: dict[Address, Held]) -> None:
    after = applied(held, plan(wanted, held, NOW_MS, TIMES))
    assert plan(wanted, after, NOW_MS, TIMES) == []


@given(WANTED, holdings())
def test_signals_of_a_wallet_start_anew_only_if_it_is_new_or_its_grace_is_over(
    wanted: dict[Address, str], held: dict[Address, Held]
) -> None:
    after = applied(held, plan(wanted, held, NOW_MS, TIMES))
    for address in wanted.keys() & held.keys():
        before, now = held[address].entry, after[address].entry
        assert now is not None
        if before is not None and (before.removed_at_ms is None or NOW_MS - before.removed_at_ms < TIMES.grace_ms):
            assert now.watch_from_ms == before.watch_from_ms


@given(holdings(), st.integers(0, 2_000_000))
def test_a_removed_wallet_is_never_deleted_before_its_time(held: dict[Address, Held], later_ms: int) -> None:
    for write in plan({}, held, NOW_MS + later_ms, TIMES):
        before = held[write.address].entry
        if write.change is Change.PURGED and before is not None:
            assert before.removed_at_ms is not None
            assert NOW_MS + later_ms - before.removed_at_ms > TIMES.grace_ms + TIMES.purge_after_ms
