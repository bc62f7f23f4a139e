"""What is known of earlier fills and orders: what memory holds, what is on its way to SQL, and what SQL must be asked.

SQL is asked for rows from snapshots and REST, which may be older than what memory holds; for a status that came long
after its time; for anything not later than what memory had to forget; and for whatever may belong to a resting order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from hlmonitor.aggregator.core.batch import Outbox
from hlmonitor.aggregator.core.inputs import FillInput, StatusInput
from hlmonitor.aggregator.core.memory import FinishedOrder, Memory
from hlmonitor.aggregator.core.orders import OrderState
from hlmonitor.aggregator.core.packed import pairs_of
from hlmonitor.aggregator.core.resting import Resting
from hlmonitor.aggregator.core.wallet import Wallet
from hlmonitor.domain.fills import Feed, FillDigest
from hlmonitor.domain.orders import OrderId, is_terminal, order_id
from hlmonitor.v1 import storage_pb2

LIVE_STATUS_MS = 30_000
"""A status that came this soon after its time is of an order that memory must know if it was finished."""


class AskFor(Enum):
    """What SQL can be asked."""

    FILL = auto()
    """Is this fill stored?"""
    END = auto()
    """Is this order finished?"""
    REST = auto()
    """Does this order rest, and with which fills?"""


class Question(NamedTuple):
    """What SQL must be asked before an event may be taken in; `key` is a fill's digest or an order's id."""

    what: AskFor
    key: bytes


@dataclass(slots=True)
class Recall:
    """The past of one partition."""

    memory: Memory
    outbox: Outbox
    resting: Resting
    newest_ms: int = 0
    """The latest time of a fill that was told, venue time."""

    def holder(self, wallet: Wallet, heard: FillInput) -> OrderId | None:
        """The order or episode that has this fill already."""
        identity, digest = heard.order_id, heard.digest
        order = wallet.orders.get(identity)
        # What memory had to forget may not have reached SQL yet.
        if (order and digest in order.fills) or self.outbox.is_waiting(identity, digest):
            return identity
        known = self.memory.order_of(digest)
        if known is None and wallet.knows_episodes:
            # The same fill comes by another feed, which puts it elsewhere.
            return wallet.holder_of(digest) or self.outbox.holder_of(digest)
        return known

    def finished(self, identity: OrderId) -> FinishedOrder | OrderState | None:
        """What is known of an order that has finished."""
        return self.memory.finished(identity) or self.outbox.finishing(identity)

    def about_fill(self, wallet: Wallet, heard: FillInput) -> Question | None:
        """What must be asked before this fill may be taken in."""
        fill, digest, identity = heard.fill, heard.digest, heard.order_id
        self.newest_ms = max(self.newest_ms, fill.time_ms)
        if self.holder(wallet, heard) is not None:
            return None
        order = wallet.orders.get(identity)
        if order is None and fill.feed is not Feed.TRADES and self._may_rest(identity):
            return Question(AskFor.REST, identity)
        may_be_old = fill.replayed or fill.time_ms <= self.memory.forgotten_ms
        counts = order is not None or (wallet.entry is not None and fill.time_ms >= wallet.entry.signals_from_ms)
        return Question(AskFor.FILL, digest) if may_be_old and counts and not self.memory.is_settled(digest) else None

    def about_status(self, wallet: Wallet, status: StatusInput, received_at_ms: int) -> Question | None:
        """What must be asked before this status may be taken in."""
        identity = order_id(status.ref)
        if (
            not is_terminal(status.status, status.remaining_sz)
            or identity in wallet.orders
            or wallet.says_nothing(status)
        ):
            return None
        if self._may_rest(identity):
            return Question(AskFor.REST, identity)
        is_recent = status.status_time_ms > max(received_at_ms - LIVE_STATUS_MS, self.memory.forgotten_ms)
        if is_recent or self.finished(identity) or self.memory.is_settled(identity):
            return None
        return Question(AskFor.END, identity)

    def _may_rest(self, identity: OrderId) -> bool:
        # What is on its way to SQL does not rest: SQL would answer with what was before.
        return self.resting.must_ask(identity) and not self.outbox.holds(identity)

    def learn(self, asked: storage_pb2.LookupRequest, answer: storage_pb2.LookupResponse) -> None:
        """Take in what SQL has of what it was asked for; the fills of resting orders are taken in one by one."""
        stored = dict(pairs_of(answer.known_fills))
        for digest, identity in stored.items():
            self.memory.remember_stored(identity, digest, self.newest_ms)
        for finished in answer.finished_orders:
            self.memory.remember_finished(OrderId(finished))
        self.memory.settle((*asked.digests, *asked.order_ids), stored)
        self.resting.settle(OrderId(key) for key in asked.resting_orders)

    def fill_taken_in(self, identity: OrderId, digest: FillDigest) -> None:
        """A fill that SQL may have been asked for is dealt with."""
        self.memory.taken_in(digest)
        self.resting.taken_in(identity)

    def status_taken_in(self, identity: OrderId) -> None:
        """A status whose order SQL may have been asked for is dealt with."""
        self.memory.taken_in(identity)
        self.resting.taken_in(identity)


def lookup_of(questions: Iterable[Question], outbox: Outbox) -> storage_pb2.LookupRequest:
    """The questions of one partition, each key once."""
    keys: dict[AskFor, dict[bytes, None]] = {what: {} for what in AskFor}
    for what, key in questions:
        keys[what][key] = None
    return storage_pb2.LookupRequest(
        partition=outbox.partition,
        epoch=outbox.epoch,
        digests=keys[AskFor.FILL],
        order_ids=keys[AskFor.END],
        resting_orders=keys[AskFor.REST],
    )
