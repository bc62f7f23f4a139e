"""The order in which a wallet's signals are published, and what an answer of the stream means (DESIGN G3).

One publish is in flight per address, in number order, each expecting that the address' previous message is the last
one in the stream. A refusal says that the stream holds something else: then what lies behind our last known message
tells whether ours is already there.
"""

from dataclasses import dataclass, field

from hlmonitor.v1.storage_pb2 import SignalRow


@dataclass(slots=True)
class PublishQueue:
    """The committed signals of one address that the stream has not confirmed."""

    next_number: int = 1
    last_seq: int = 0
    """Sequence of the address' previous message in the stream, 0 when there is none."""
    in_stream: dict[str, int] = field(default_factory=dict)
    """Sequence by signal id of what the stream was seen to hold behind `last_seq`, published without our knowing."""
    _waiting: dict[int, SignalRow] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, row: SignalRow) -> None:
        """A signal was committed. One that is published already is not taken."""
        if row.number >= self.next_number:
            self._waiting[row.number] = row

    def head(self) -> SignalRow | None:
        """The signal to publish now; None while its number is not committed."""
        return self._waiting.get(self.next_number)

    @property
    def head_seq(self) -> int | None:
        """Where the stream holds the head already, so that it must not be sent again; None when it does not."""
        head = self.head()
        return self.in_stream.get(head.signal_id) if head else None

    def confirmed(self, seq: int) -> SignalRow:
        """The head is in the stream at this sequence."""
        row = self._waiting.pop(self.next_number)
        self.next_number += 1
        self.in_stream.pop(row.signal_id, None)
        self.last_seq = max(seq, *self.in_stream.values()) if self.in_stream else seq
        return row

    def refused(self, in_stream: dict[str, int], last_seq: int) -> None:
        """The address' last message is another than expected: it is at `last_seq`, and these ids lie behind ours.

        Ids are compared, not numbers: a stream may hold the numbers of another database.
        """
        self.in_stream = in_stream
        self.last_seq = last_seq
