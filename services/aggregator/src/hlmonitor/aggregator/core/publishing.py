"""The order in which a wallet's signals are published, and what an answer of the stream means (DESIGN G3).

One publish is in flight per address, in number order, each expecting that the address' previous message is the last
one in the stream. A refusal says that the stream holds something else: then its last message tells whether ours is
already there.
"""

from dataclasses import dataclass, field

from hlmonitor.v1.storage_pb2 import SignalRow


@dataclass(slots=True)
class PublishQueue:
    """The committed signals of one address that the stream has not confirmed."""

    next_number: int = 1
    last_seq: int = 0
    """Sequence of the address' previous message in the stream, 0 when there is none."""
    in_stream: int = 0
    """The highest number that the stream was seen to hold: what an owner before us published without our knowing."""
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
    def head_is_published(self) -> bool:
        """The stream holds the head already; it must not be sent again."""
        return self.next_number <= self.in_stream

    def confirmed(self, seq: int) -> SignalRow:
        """The head is in the stream at this sequence."""
        row = self._waiting.pop(self.next_number)
        self.next_number += 1
        self.last_seq = seq
        return row

    def refused(self, last_seq: int, last_number: int) -> None:
        """The stream's last message of the address is another than expected: this one."""
        self.last_seq = last_seq
        self.in_stream = last_number
