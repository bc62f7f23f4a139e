"""The watch list's entries: what adding and removing a wallet makes of one."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import WatchEntry, unwatched, watched

ANNA = Address("0x" + "a" * 40)
GRACE_MS = 300_000
TIMES = st.integers(1_600_000_000_000, 1_600_001_000_000)


def entry(removed_at_ms: int | None = None) -> WatchEntry:
    return WatchEntry(address=ANNA, watch_from_ms=5, removed_at_ms=removed_at_ms, label="whale", priority=2)


@given(TIMES)
def test_a_new_wallets_signals_start_now(now_ms: int) -> None:
    new = watched(None, ANNA, now_ms=now_ms, grace_ms=GRACE_MS)
    assert new == WatchEntry(address=ANNA, watch_from_ms=now_ms)


@given(TIMES)
def test_adding_a_watched_wallet_changes_nothing(now_ms: int) -> None:
    assert watched(entry(), ANNA, now_ms=now_ms, grace_ms=GRACE_MS) == entry()


@given(TIMES, st.integers(0, GRACE_MS - 1))
def test_a_wallet_that_is_back_within_the_grace_goes_on_as_before(removed_ms: int, later_ms: int) -> None:
    back = watched(entry(removed_ms), ANNA, now_ms=removed_ms + later_ms, grace_ms=GRACE_MS)
    assert back == entry()


@given(TIMES, st.integers(GRACE_MS, 10 * GRACE_MS))
def test_a_wallet_that_is_back_after_the_grace_starts_anew_but_keeps_its_settings(removed_ms: int, later: int) -> None:
    now_ms = removed_ms + later
    back = watched(entry(removed_ms), ANNA, now_ms=now_ms, grace_ms=GRACE_MS)
    assert back == WatchEntry(address=ANNA, watch_from_ms=now_ms, label="whale", priority=2)


def test_signals_start_with_the_watch_or_where_they_are_wished_to() -> None:
    assert entry().signals_from_ms == 5
    assert msgspec.structs.replace(entry(), backfill_from_ms=3).signals_from_ms == 3


def test_a_wallet_that_is_back_after_the_grace_forgets_where_its_signals_started() -> None:
    gone = msgspec.structs.replace(entry(1), backfill_from_ms=3)
    back = watched(gone, ANNA, now_ms=GRACE_MS + 1, grace_ms=GRACE_MS)
    assert back.signals_from_ms == GRACE_MS + 1


@given(TIMES, st.integers(0, GRACE_MS))
def test_the_grace_runs_from_the_first_removal(now_ms: int, later_ms: int) -> None:
    removed = unwatched(entry(), now_ms=now_ms)
    assert removed == entry(now_ms)
    assert unwatched(removed, now_ms=now_ms + later_ms) == removed
