"""The order in which a wallet's signals are published, and what an answer of the stream means (DESIGN G3).

One publish is in flight per address, in number order, each expecting that the address' previous message is the last
one in the stream. A refusal says that the stream holds something else: then what lies behind our last known message
tells whether ours is already there.

Numbers of an address are dense, so what is committed and not confirmed is known by two numbers, however much it is.
Its rows are in memory as far as there is room; the others are read from SQL when their turn comes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hlmonitor.v1.storage_pb2 import SignalRow

MAX_ROWS = 20_000
"""Unconfirmed signals that all partitions of a process keep in memory together, unless a setting says otherwise."""
PAGE = 100
"""Signals that are read from SQL at once, if there is room for so many."""


@dataclass(slots=True)
class Room:
    """How many unconfirmed signals all partitions of a process may keep in memory together."""

    limit: int = MAX_ROWS
    used: int = 0

    @property
    def left(self) -> int:
        """For so many more."""
        return max(0, self.limit - self.used)


@dataclass(slots=True)
class PublishQueue:
    """The committed signals of one address that the stream has not confirmed."""

    room: Room = field(default_factory=Room)
    next_number: int = 1
    end: int = 1
    """The first number that is not committed."""
    last_seq: int = 0
    """Sequence of the address' previous message in the stream, 0 when there is none."""
    published_seq: int = 0
    """Where the stream confirmed `next_number - 1`; 0 when it confirmed nothing."""
    published_id: str = ""
    """Which signal that is; empty when SQL has it no more."""
    in_stream: dict[str, int] = field(default_factory=dict)
    """Sequence by signal id of what the stream was seen to hold behind `last_seq`, published without our knowing."""
    mark: str = ""
    """Token of our attempt to publish the head, the same over its repeats: what bears it in the stream is ours."""
    marks: frozenset[str] = frozenset()
    """The tokens of what is in `in_stream`."""
    _rows: dict[int, SignalRow] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.end - self.next_number

    @property
    def rows_in_sql(self) -> int:
        """How many of its signals are not in memory."""
        return len(self) - len(self._rows)

    def add(self, row: SignalRow) -> None:
        """A signal was committed. Of one that is published already nothing is taken; without room, its number alone."""
        if row.number < self.next_number:
            return
        self.end = max(self.end, row.number + 1)
        if row.number not in self._rows and self.room.left:
            self._keep(row)

    def goes_on(self, published_number: int, published_seq: int, published_id: str) -> None:
        """Publishing goes on after this number, as SQL knows: at the start, and when the stream has lost the rest."""
        self.next_number, self.last_seq = published_number + 1, published_seq
        self.published_seq, self.published_id = published_seq, published_id
        self.end = max(self.end, self.next_number)
        self.in_stream, self.mark, self.marks = {}, "", frozenset()

    def head(self) -> SignalRow | None:
        """The signal to publish now; None when there is none, or when it has to be read from SQL."""
        return self._rows.get(self.next_number)

    @property
    def must_read(self) -> int | None:
        """How many signals are to be read from SQL, from `next_number` on; None when the head is in memory."""
        if not len(self) or self.next_number in self._rows:
            return None
        # Without room one is read all the same, or nothing would go on.
        return min(PAGE, len(self), max(1, self.room.left))

    def read(self, rows: Iterable[SignalRow]) -> range:
        """SQL has these from `next_number` on; returns the numbers before them that it lacks, which are passed over."""
        first = self.end
        for row in rows:
            first = min(first, row.number)
            if row.number < self.end and row.number not in self._rows:
                self._keep(row)
        lacking = range(self.next_number, first)
        self.next_number = first
        return lacking

    @property
    def head_seq(self) -> int | None:
        """Where the stream holds the head already, so that it must not be sent again; None when it does not."""
        head = self.head()
        return self.in_stream.get(head.signal_id) if head else None

    @property
    def is_head_ours(self) -> bool:
        """Whether what the stream holds of the head came from our own attempt, whose answer was lost."""
        return bool(self.mark) and self.mark in self.marks

    def confirmed(self, seq: int) -> SignalRow:
        """The head is in the stream at this sequence."""
        row = self._rows.pop(self.next_number)
        self.room.used -= 1
        self.next_number += 1
        self.published_seq, self.published_id, self.mark = seq, row.signal_id, ""
        self.in_stream.pop(row.signal_id, None)
        self.last_seq = max(seq, *self.in_stream.values()) if self.in_stream else seq
        return row

    def refused(self, in_stream: dict[str, int], last_seq: int, marks: frozenset[str] = frozenset()) -> None:
        """The address' last message is another than expected: behind ours lie these ids, the last at `last_seq`.

        Ids are compared, not numbers: a stream may hold the numbers of another database.
        """
        self.in_stream, self.last_seq, self.marks = in_stream, last_seq, marks

    def close(self) -> None:
        """Give the room back."""
        self.room.used -= len(self._rows)
        self._rows.clear()

    def _keep(self, row: SignalRow) -> None:
        self._rows[row.number] = row
        self.room.used += 1
