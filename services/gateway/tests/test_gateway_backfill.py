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
    assert (found, pager.stalled_at_ms, pager.first_ms) == ([], None, None)


def test_rows_that_share_the_edge_of_a_page_are_all_read_once() -> None:
    rows = [Row(1, tid) for tid in range(1990)] + [Row(2, tid) for tid in range(1000)]
    found, pager = read(rows, 0)
    assert sorted(found) == sorted(rows)
    assert pager.rows_read == len(rows)
    assert pager.stalled_at_ms is None


def test_a_page_within_one_ms_stops_with_an_alarm() -> None:
    found, pager = read([Row(7, tid) for tid in range(PAGE + 1)], 0)
    assert len(found) == PAGE
    assert pager.stalled_at_ms == 7


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
    stalled = pager.stalled_at_ms
    wanted = [row for row in rows if row.time >= start and (stalled is None or row.time <= stalled)]
    assert found == wanted
    # A reply of one ms that is as long as the venue's lower documented limit may be cut off: it must not pass silently.
    assert stalled is None or counts[stalled] >= SURELY_WHOLE_BELOW
