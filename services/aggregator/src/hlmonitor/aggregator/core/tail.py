"""Whether the stream still has what it confirmed, and if not, from which number on it lost it (DESIGN G3).

A JetStream that was restored from an older disk, or wiped, has lost its tail: of every wallet what came after some
sequence. Nobody but the owner publishes for a wallet, so before it does, the message at the highest sequence that was
ever confirmed to a partition tells: it is the same, or everything behind some sequence is gone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from hlmonitor.aggregator.core.publishing import PublishQueue
from hlmonitor.domain.addresses import Address
from hlmonitor.v1.storage_pb2 import SignalRow

LOOK_S = 30.0
"""How often a partition's owner looks, besides at each connection."""
IN_TURN = 16
"""So many wallets are looked at beside the highest sequence, in turn: should a stream fail over to a server without its
tail while our connection stands, others' messages may have taken that sequence before we look."""


class Bounds(NamedTuple):
    """What the stream holds."""

    first_seq: int
    last_seq: int
    max_age_s: float
    """How long it keeps messages; 0: for ever."""


class Look(NamedTuple):
    """A signal that the stream has confirmed, and where."""

    address: Address
    seq: int
    signal_id: str


def is_lost(bounds: Bounds, seq: int, signal_id: str, found_id: str | None) -> bool:
    """Whether a confirmed signal is not where it was, though it has not aged out. `found_id`: what is there."""
    return found_id != signal_id and seq >= bounds.first_seq


@dataclass(slots=True)
class TailWatch:
    """Chooses what to look at."""

    due_s: float = 0.0
    """When to look again, monotonic."""
    _looked: Address | None = None
    """The last wallet that had its turn."""

    def looks(self, queues: Mapping[Address, PublishQueue], now_s: float) -> list[Look]:
        """The highest sequence, and some wallets in turn."""
        self.due_s = now_s + LOOK_S
        known = looks_of(queues)
        if not known:
            return []
        highest = max(known, key=lambda look: look.seq)
        known.sort()
        later = [look for look in known if self._looked is None or look.address > self._looked]
        chosen = (later or known)[:IN_TURN]
        self._looked = chosen[-1].address
        return [highest, *(look for look in chosen if look != highest)]


def looks_of(queues: Mapping[Address, PublishQueue]) -> list[Look]:
    """The last confirmed signal of every wallet that has one; one that SQL has no more has aged out of the stream."""
    return [
        Look(address, queue.published_seq, queue.published_id)
        for address, queue in queues.items()
        if queue.published_seq and queue.published_id
    ]


@dataclass(slots=True)
class TailSearch:
    """Finds the last number of a wallet that the stream still has, by halving: what is lost is all at the end."""

    lost: int
    """This number is lost, and so is everything after it."""
    kept: int = 0
    """Everything up to this number is there, or has aged out."""
    seq: int = 0
    """Where `kept` is in the stream; 0 when it is not known to be there."""
    signal_id: str = ""
    """Which signal `kept` is, as far as `seq` is known."""

    @property
    def number(self) -> int | None:
        """The number to look at next; None when the search is over."""
        return None if self.kept + 1 >= self.lost else (self.kept + self.lost) // 2

    def told(self, number: int, row: SignalRow | None, *, is_lost: bool) -> None:
        """Take in whether a number is lost. `row`: what SQL has of it."""
        if is_lost:
            self.lost = number
        else:
            self.kept = number
            self.seq, self.signal_id = (row.published_seq, row.signal_id) if row else (0, "")


def must_be_there(row: SignalRow, bounds: Bounds, now_ms: int) -> bool:
    """Whether the stream would still hold a signal if it had not lost it."""
    return not bounds.max_age_s or row.decided_at_ms >= now_ms - bounds.max_age_s * 1000


@dataclass(slots=True)
class TailGuard:
    """When a partition may publish: while the stream of this connection was seen to have its tail.

    Of a stream that has not, SQL learns first what it lost; publishing goes on when that is committed.
    """

    checked: int | None = None
    """The connection whose stream was looked at."""
    in_doubt: bool = False
    _rewinds: Mapping[Address, TailSearch] = field(default_factory=dict)
    _after_batch: int | None = None

    def may_publish(self, connection: int) -> bool:
        """Whether the stream was looked at since this connection stands."""
        return self.checked == connection and self._after_batch is None

    @property
    def is_rewinding(self) -> bool:
        """SQL is about to know what is lost."""
        return self._after_batch is not None

    def doubted(self) -> None:
        """The stream said something that it would not say if it had its tail: every wallet is looked at."""
        self.checked, self.in_doubt = None, True

    def looked(self, connection: int) -> None:
        """It has its tail."""
        self.checked, self.in_doubt = connection, False

    def rewinds(self, found: Mapping[Address, TailSearch], after_batch: int, connection: int) -> None:
        """It has lost these; SQL knows that when this batch is committed."""
        self.looked(connection)
        self._rewinds, self._after_batch = found, after_batch

    def committed(self, batch: int) -> Iterable[tuple[Address, TailSearch]]:
        """Batches up to this one are committed: what is to be published again from now on."""
        if self._after_batch is None or batch < self._after_batch:
            return ()
        found, self._rewinds, self._after_batch = self._rewinds, {}, None
        return found.items()
