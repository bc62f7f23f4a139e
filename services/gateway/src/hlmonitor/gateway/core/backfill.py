"""Reading a stretch of a feed over REST, page by page, without losing a row at a page's edge.

The venue shows at most so many of the latest rows, and a page at most so many from a time on. A page that lies wholly
in one ms may have been cut off there, and nothing asks for the rest of that ms: the reading goes on behind it, and says
so. A wallet that trades faster than it is read pushes rows out of the venue's reach between two pages: the rows at the
last page's edge are not shown again then, and the reading says from where to where it was overtaken.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Row = TypeVar("Row", bound=Hashable)

SURELY_WHOLE_BELOW = 500
"""The venue's documents name 500 (rows or distinct blocks) and 2000 as a page's limit: fewer rows are all there are."""
_PAGE_LIMITS = (500, 2000)


@dataclass(slots=True)
class Pager(Generic[Row]):
    """Asks for rows from a time on until there are no more. Both bounds are inclusive, in ms of venue time."""

    start_ms: int
    end_ms: int | None
    time_of: Callable[[Row], int]
    rows_read: int = 0
    first_ms: int | None = None
    """Time of the oldest row that came."""
    pages: int = 0
    holes: list[int] = field(default_factory=list)
    """Each ms of which rows may be missing, because it filled a page."""
    overtaken: list[tuple[int, int]] = field(default_factory=list)
    """Stretches, both bounds inclusive, of which the venue kept nothing any more when they were asked for."""
    _done: bool = False
    _edge: set[Row] = field(default_factory=set)
    _asked_from_ms: int = field(init=False)

    def __post_init__(self) -> None:
        """Keep where the stretch begins: `start_ms` moves on."""
        self._asked_from_ms = self.start_ms

    @property
    def next_start_ms(self) -> int | None:
        """Where the next page begins, or None when all was read."""
        return None if self._done else self.start_ms

    def page(self, rows: Iterable[Row]) -> list[Row]:
        """Take a reply; returns the rows that were not read before, oldest first.

        The next page begins at the last row's own time, because more rows of that ms may follow (rotki #12226).
        Rows of one ms keep the venue's order.
        """
        ordered = sorted(rows, key=self.time_of)
        if ordered and self._edge and self._edge.isdisjoint(ordered):
            self.overtaken.append((self.start_ms, self.time_of(ordered[0])))
        new = [row for row in ordered if row not in self._edge]
        if new and self.first_ms is None:
            self.first_ms = self.time_of(new[0])
        self.pages += 1
        self.rows_read += len(new)
        if self._is_cut_within_one_ms(ordered):
            self._leave_behind(self.time_of(ordered[-1]))
        elif len(ordered) < SURELY_WHOLE_BELOW or not new:
            self._done = True
        else:
            self.start_ms = self.time_of(ordered[-1])
            self._edge = {row for row in ordered if self.time_of(row) == self.start_ms}
        return new

    def is_beyond(self, horizon_rows: int) -> bool:
        """Whether the venue may have had older rows of the stretch than the first that came: it keeps only so many."""
        return self.rows_read >= horizon_rows and self.first_ms is not None and self.first_ms > self._asked_from_ms

    def _is_cut_within_one_ms(self, ordered: list[Row]) -> bool:
        cut = len(ordered) in _PAGE_LIMITS or len(ordered) > max(_PAGE_LIMITS)
        return cut and self.time_of(ordered[0]) == self.time_of(ordered[-1])

    def _leave_behind(self, ms: int) -> None:
        self.holes.append(ms)
        self.start_ms, self._edge = ms + 1, set()
        self._done = self.end_ms is not None and self.start_ms > self.end_ms
