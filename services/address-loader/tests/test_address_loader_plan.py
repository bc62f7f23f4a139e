"""From the list, SQL's entries and KV's copies to what has to change, by example and by property."""

from hypothesis import given
from hypothesis import strategies as st

from hlmonitor.address_loader.core.plan import Change, Rejected, Step, Times, plan, read_rows
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import ListedAddress, WatchEntry

NOW_MS = 1_700_000_000_000
TIMES = Times(grace_ms=300_000, purge_after_ms=600_000)
ANNA, BERT, CARL = (Address("0x" + letter * 40) for letter in "abc")


def entry(address: Address = ANNA, removed_ago_ms: int | None = None, label: str = "") -> WatchEntry:
    removed_at_ms = None if removed_ago_ms is None else NOW_MS - removed_ago_ms
    return WatchEntry(
        address=address, watch_from_ms=5, removed_at_ms=removed_at_ms, label=label, order_timeout_s=0.0, priority=3
    )


def one(wanted: dict[Address, str], stored: WatchEntry | None) -> Step | None:
    steps = plan(wanted, {ANNA: stored} if stored else {}, {}, NOW_MS, TIMES)
    assert len(steps) <= 1
    return steps[0] if steps else None


def test_a_new_wallet_is_watched_from_now() -> None:
    expected = WatchEntry(address=ANNA, watch_from_ms=NOW_MS, label="whale")
    assert one({ANNA: "whale"}, None) == Step(Change.ADDED, ANNA, None, expected)


def test_a_wallet_that_is_watched_already_is_left_alone() -> None:
    assert one({ANNA: ""}, entry(label="whale")) is None


def test_a_vanished_wallet_is_removed_now_and_keeps_everything_else() -> None:
    assert one({}, entry()) == Step(Change.REMOVED, ANNA, entry(), entry(removed_ago_ms=0))


def test_a_removed_wallet_waits_for_its_purge() -> None:
    assert one({}, entry(removed_ago_ms=900_000)) is None
    late = entry(removed_ago_ms=900_001)
    assert one({}, late) == Step(Change.PURGED, ANNA, late, None)


def test_a_wallet_that_is_back_within_the_grace_goes_on_as_before() -> None:
    removed = entry(removed_ago_ms=299_999)
    assert one({ANNA: ""}, removed) == Step(Change.BACK_IN_GRACE, ANNA, removed, entry())


def test_a_wallet_that_is_back_later_is_watched_from_now() -> None:
    step = one({ANNA: ""}, entry(removed_ago_ms=300_000))
    assert step is not None
    assert step.change is Change.BACK_AFTER_GRACE
    assert step.after is not None
    assert (step.after.watch_from_ms, step.after.removed_at_ms, step.after.priority) == (NOW_MS, None, 3)


def test_a_new_label_in_sql_is_taken_over_and_an_empty_one_is_not() -> None:
    step = one({ANNA: "shark"}, entry(label="whale"))
    assert step == Step(Change.RELABELLED, ANNA, entry(label="whale"), entry(label="shark"))


def test_what_only_kv_knows_is_taken_over() -> None:
    assert plan({ANNA: ""}, {}, {ANNA: entry()}, NOW_MS, TIMES) == [Step(Change.NOTED, ANNA, entry(), entry())]
    removed = Step(Change.REMOVED, ANNA, entry(), entry(removed_ago_ms=0))
    assert plan({}, {}, {ANNA: entry()}, NOW_MS, TIMES) == [removed]


def test_what_kv_says_of_a_wallet_that_sql_knows_counts_for_nothing() -> None:
    other = entry(label="other", removed_ago_ms=5)
    assert plan({ANNA: ""}, {ANNA: entry()}, {ANNA: other}, NOW_MS, TIMES) == []


def test_a_wallet_whose_copy_nobody_can_read_is_new_or_nothing() -> None:
    new = WatchEntry(address=ANNA, watch_from_ms=NOW_MS)
    assert plan({ANNA: ""}, {}, {ANNA: None}, NOW_MS, TIMES) == [Step(Change.ADDED, ANNA, None, new)]
    assert plan({}, {}, {ANNA: None}, NOW_MS, TIMES) == []


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
def entries(draw: st.DrawFn) -> dict[Address, WatchEntry]:
    labels = st.sampled_from(["", "whale"])
    return {address: entry(address, draw(REMOVALS), draw(labels)) for address in draw(st.sets(ADDRESSES))}


@st.composite
def unreadable_too(draw: st.DrawFn) -> dict[Address, WatchEntry | None]:
    return {address: draw(st.sampled_from([None, found])) for address, found in draw(entries()).items()}


def applied(stored: dict[Address, WatchEntry], steps: list[Step]) -> dict[Address, WatchEntry]:
    after = dict(stored)
    for step in steps:
        after.pop(step.address, None)
        if step.after is not None:
            assert step.after.address == step.address
            after[step.address] = step.after
    return after


@given(WANTED, entries(), unreadable_too())
def test_after_a_round_exactly_the_wanted_wallets_are_watched(
    wanted: dict[Address, str], stored: dict[Address, WatchEntry], copies: dict[Address, WatchEntry | None]
) -> None:
    after = applied(stored, plan(wanted, stored, copies, NOW_MS, TIMES))
    assert {address for address, found in after.items() if found.removed_at_ms is None} == wanted.keys()


@given(WANTED, entries(), unreadable_too())
def test_a_second_round_changes_nothing_whatever_became_of_the_copies(
    wanted: dict[Address, str], stored: dict[Address, WatchEntry], copies: dict[Address, WatchEntry | None]
) -> None:
    after = applied(stored, plan(wanted, stored, copies, NOW_MS, TIMES))
    still = {address: copies.get(address) for address in after}
    assert plan(wanted, after, still, NOW_MS, TIMES) == []


@given(WANTED, entries(), unreadable_too())
def test_signals_of_a_wallet_start_anew_only_if_it_is_new_or_its_grace_is_over(
    wanted: dict[Address, str], stored: dict[Address, WatchEntry], copies: dict[Address, WatchEntry | None]
) -> None:
    after = applied(stored, plan(wanted, stored, copies, NOW_MS, TIMES))
    for address in wanted:
        before = stored.get(address) or copies.get(address)
        if before is not None and (before.removed_at_ms is None or NOW_MS - before.removed_at_ms < TIMES.grace_ms):
            assert after[address].watch_from_ms == before.watch_from_ms


@given(entries(), st.integers(0, 2_000_000))
def test_a_removed_wallet_is_never_forgotten_before_its_time(stored: dict[Address, WatchEntry], later_ms: int) -> None:
    for step in plan({}, stored, {}, NOW_MS + later_ms, TIMES):
        if step.change is Change.PURGED:
            assert step.before is not None
            assert step.before.removed_at_ms is not None
            assert NOW_MS + later_ms - step.before.removed_at_ms > TIMES.grace_ms + TIMES.purge_after_ms
