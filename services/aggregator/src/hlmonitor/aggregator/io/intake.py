"""The way of events into a partition: in order, held up while something must be known first, acknowledged when durable.

Events wait here while the partition is loaded, while our copy of the watch list does not have their wallet yet, while
SQL is asked whether an old row is new, and while more is decided than the writer commits. What waits is bounded by the
gateways' windows: it is not acknowledged.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from hlmonitor.aggregator.core.acks import AckLedger
from hlmonitor.aggregator.core.convert import FieldError, Input, input_of
from hlmonitor.aggregator.core.inputs import FillInput, StatusInput
from hlmonitor.aggregator.core.now import Now
from hlmonitor.aggregator.core.partition import Partition
from hlmonitor.aggregator.core.recall import AskFor, Question, lookup_of
from hlmonitor.aggregator.io.sessions import Session, Sessions
from hlmonitor.domain.addresses import Address
from hlmonitor.runtime.kv import Freshness
from hlmonitor.runtime.logs import Log
from hlmonitor.v1 import events_pb2, ingest_pb2, storage_pb2

STRANGER_S = 1.0
"""Events of a wallet that our copy of the watch list does not have wait for it this long before the list is read anew.
They wait until it was: only a list that is newer than they are says that nobody watches the wallet any more."""
BEHIND_S = 1.0
"""When the first that waits has waited so long, timers wait too."""
MAX_LOOKUPS = 1_000
"""Fills and orders that one question asks for; the contract allows 5,000."""
MAX_WOKEN = 100
"""Resting orders among them: each is answered with all its fills, and a message has a limit."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    session: Session
    event: events_pb2.Event
    address: Address
    value: Input
    since_s: float


@dataclass(slots=True)
class Intake:
    """The events of one partition that are not in its state yet, and those that are not durable yet."""

    partition_number: int
    sessions: Sessions
    log: Log
    clock: Callable[[], Now]
    watch_list: Freshness = field(default_factory=Freshness)
    _waiting: deque[_Waiting] = field(default_factory=deque)
    _ledgers: dict[Session, AckLedger] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._waiting)

    def is_behind(self, now: Now) -> bool:
        """Whether events wait for so long that what an order lacks may well be among them."""
        return bool(self._waiting) and now.mono_s - self._waiting[0].since_s >= BEHIND_S

    def take(self, session: Session, event: events_pb2.Event) -> None:
        """Queue an event. One that cannot be read is logged with its field and counts as dealt with."""
        try:
            address, value = input_of(event)
        except FieldError as error:
            self.log.warning("event_rejected", field=error.field, reason=str(error))
            return
        self._waiting.append(_Waiting(session, event, address, value, self.clock().mono_s))

    def flow(self, partition: Partition, now: Now) -> storage_pb2.LookupRequest | None:
        """Let events into the partition as far as may be; returns what SQL must be asked before the next one may."""
        while self._waiting and not partition.outbox.is_full:
            head = self._waiting[0]
            if not partition.is_watched(head.address) and self.watch_list.read_s <= head.since_s:
                if now.mono_s - head.since_s >= STRANGER_S:
                    self.watch_list.want(head.since_s)
                return None
            if _question(partition, head):
                return self._lookup(partition)
            self._waiting.popleft()
            self._apply(partition, head, now)
            ledger = self._ledgers.setdefault(head.session, AckLedger())
            ledger.receive(head.event.seq, partition.outbox.needs_batch)
        return None

    def acknowledge(self, partition: Partition) -> None:
        """Tell the gateways what is durable."""
        for session, ledger in self._ledgers.items():
            through = ledger.committed(partition.outbox.committed)
            if through is not None:
                session.ack(self.partition_number, partition.outbox.epoch, through)

    def closed(self, session: Session) -> None:
        """A gateway's stream has ended: what it sent stays, acknowledgements have nowhere to go."""
        self._ledgers.pop(session, None)

    def superseded_by(self, session: Session) -> None:
        """Drop what waits of a gateway's earlier streams: by this one it sends again all that was not acknowledged.

        Otherwise streams that break again and again would fill the memory with the same events.
        """
        self._waiting = deque(
            waiting
            for waiting in self._waiting
            if waiting.session is session or waiting.session.incarnation != session.incarnation
        )

    def disown(self) -> None:
        """Tell the gateways that what they sent here and was not acknowledged has to be sent again."""
        for session in dict.fromkeys([*self._ledgers, *(waiting.session for waiting in self._waiting)]):
            session.say(ingest_pb2.BatchReply(not_owner=ingest_pb2.NotOwner(partition=self.partition_number)))
        self._ledgers.clear()
        self._waiting.clear()

    def _lookup(self, partition: Partition) -> storage_pb2.LookupRequest:
        """Everything that waits and will have to be asked for, in one question."""
        questions: dict[Question, None] = {}
        woken = 0
        for waiting in self._waiting:
            if (asked := _question(partition, waiting)) and asked not in questions:
                questions[asked] = None
                woken += asked.what is AskFor.REST
            if len(questions) >= MAX_LOOKUPS or woken >= MAX_WOKEN:
                break
        return lookup_of(questions, partition.outbox)

    def _apply(self, partition: Partition, waiting: _Waiting, now: Now) -> None:
        received_at_ms = waiting.event.received_at_ms
        match waiting.value:
            case FillInput() as fill:
                partition.fill(fill, received_at_ms, now)
            case StatusInput() as status:
                partition.status(status, received_at_ms, now)
            case events_pb2.AccountSnapshot() as snapshot:
                partition.snapshot(snapshot, received_at_ms)
            case events_pb2.Gap() as gap:
                partition.gap(gap, now)
                if not gap.HasField("to_ms") and self.sessions.prefer_another(waiting.address, waiting.session):
                    partition.read_again(gap, now)
            case events_pb2.CaughtUp() as caught_up:
                partition.caught_up(caught_up, now)
            case events_pb2.Closed():
                if self.sessions.let_go(waiting.address, waiting.session):
                    partition.lost_gateway(waiting.address, now)
            case events_pb2.Opened():
                self.sessions.serves(waiting.address, waiting.session)
                partition.opened(waiting.address)
            case unreachable:
                assert_never(unreachable)


def _question(partition: Partition, waiting: _Waiting) -> Question | None:
    if isinstance(waiting.value, FillInput | StatusInput):
        return partition.question(waiting.value, waiting.event.received_at_ms)
    return None
