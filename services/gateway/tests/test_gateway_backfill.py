"""Paging loses no row at a page's edge."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from hlmonitor.gateway.core.backfill import SURELY_WHOLE_BELOW, Pager


@dataclass(frozen=True, slots=True, order=True)
class Row:
    time: int
    tid: int


PAGE = 2000


def venue(rows: list[Row], start: int, end: int | None, *, page: int) -> list[Row]:
    inside = [row for row in sorted(rows) if row.time >= start and (end is None or row.time <= end)]
    return inside[:page]


def read(rows: list[Row], start: int, end: int | None = None, *, page: int = PAGE) -> tuple[list[Row], Pager[Row]]:
    pager = Pager[Row](start, end, lambda row: row.time)
    found = list[Row]()
    for _ in range(1000):
        begin = pager.next_start_ms
        if begin is None:
            return found, pager
        found += pager.page(venue(rows, begin, end, page=page))
    raise AssertionError("it never ends")


def test_nothing_is_read_in_one_page() -> None:
    found, pager = read([], 5)
    assert (found, pager.holes, pager.overtaken, pager.first_ms) == ([], [], [], None)


def test_rows_that_share_the_edge_of_a_page_are_all_read_once() -> None:
    rows = [Row(1, tid) for tid in range(1990)] + [Row(2, tid) for tid in range(1000)]
    found, pager = read(rows, 0)
    assert sorted(found) == sorted(rows)
    assert pager.rows_read == len(rows)
    assert pager.holes == []


def test_a_ms_that_fills_a_page_is_a_hole_and_what_follows_is_read() -> None:
    after = [Row(8, tid) for tid in range(600)]
    found, pager = read([*(Row(7, tid) for tid in range(PAGE + 1)), *after], 0)
    assert len(found) == PAGE + len(after)
    assert set(after) < set(found)
    assert pager.holes == [7]


def test_a_hole_at_the_end_of_the_stretch_ends_it() -> None:
    _, pager = read([Row(7, tid) for tid in range(PAGE + 1)], 0, 7)
    assert (pager.holes, pager.next_start_ms, pager.pages) == ([7], None, 1)


def test_as_many_rows_as_the_venue_keeps_prove_nothing_of_what_is_before_the_first() -> None:
    rows = [Row(time, 0) for time in range(10, 1_010)]
    for start, is_beyond in ((0, True), (10, False), (11, False)):
        _, pager = read(rows, start)
        assert pager.is_beyond(1_000) is is_beyond
    _, pager = read(rows[1:], 0)
    assert not pager.is_beyond(1_000)


def test_a_reading_that_the_venues_horizon_overtakes_says_of_what_it_saw_nothing() -> None:
    rows = [Row(time, 0) for time in range(20_000)]
    pager = Pager[Row](0, None, lambda row: row.time)
    pager.page(venue(rows[:10_000], 0, None, page=PAGE))
    edge_ms = PAGE - 1
    assert pager.next_start_ms == edge_ms
    pager.page(venue(rows[6_000:16_000], edge_ms, None, page=PAGE))
    assert pager.overtaken == [(edge_ms, 6_000)]
    pager.page(venue(rows[6_000:16_000], 7_999, None, page=PAGE))
    assert pager.overtaken == [(edge_ms, 6_000)]


def test_a_reading_is_not_overtaken_while_a_part_of_a_pages_last_ms_is_shown_again() -> None:
    rows = [*(Row(time, 0) for time in range(PAGE - 10)), *(Row(PAGE, tid) for tid in range(20)), Row(PAGE + 1, 0)]
    pager = Pager[Row](0, None, lambda row: row.time)
    pager.page(venue(rows, 0, None, page=PAGE))
    found = pager.page(venue(rows[PAGE - 1 :], PAGE, None, page=PAGE))
    assert (found, pager.overtaken) == (rows[PAGE:], [])


def test_both_bounds_are_included() -> None:
    rows = [Row(time, 0) for time in range(10)]
    found, pager = read(rows, 3, 6)
    assert [row.time for row in found] == [3, 4, 5, 6]
    assert pager.first_ms == 3


def test_newest_first_replies_come_out_oldest_first_and_one_ms_keeps_its_order() -> None:
    pager = Pager[Row](0, None, lambda row: row.time)
    assert pager.page([Row(3, 1), Row(2, 9), Row(2, 4), Row(1, 5)]) == [Row(1, 5), Row(2, 9), Row(2, 4), Row(3, 1)]


@given(
    st.lists(st.integers(1, SURELY_WHOLE_BELOW), max_size=12),
    st.integers(SURELY_WHOLE_BELOW + 1, PAGE),
    st.integers(0, 12),
)
def test_every_row_is_read_exactly_once_while_no_ms_fills_a_page(counts: list[int], page: int, start: int) -> None:
    rows = [Row(time, tid) for time, count in enumerate(counts) for tid in range(count)]
    found, pager = read(rows, start, page=page)
    holes = set(pager.holes)
    wanted = [row for row in rows if row.time >= start]
    assert [row for row in found if row.time not in holes] == [row for row in wanted if row.time not in holes]
    assert len(set(found)) == len(found)
    # A reply of one ms that is as long as the venue's lower documented limit may be cut off: it must not pass silently.
    assert all(counts[hole] >= SURELY_WHOLE_BELOW for hole in holes)
