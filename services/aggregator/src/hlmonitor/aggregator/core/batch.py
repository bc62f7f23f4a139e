"""What a partition has decided and not yet committed: one batch in flight, one being gathered.

A frozen batch never changes: it is sent again byte for byte until it is answered. Its signals may be published only
when it is committed (DESIGN G2).
"""

from dataclasses import dataclass, field

from hlmonitor.aggregator.core.orders import HeldFill, OrderState
from hlmonitor.aggregator.core.rows import LEG_NAMES, fill_row, order_row, status_row
from hlmonitor.domain.fills import FillDigest, Leg
from hlmonitor.domain.orders import OrderId
from hlmonitor.v1 import storage_pb2

MOST_ORDERS = 1_000
"""In the batch that is gathered while another is committed. A batch is one transaction and one message, both of which
have their limits."""
LAZY_S = 1.0
"""Rows that nobody waits for (published marks, position cache) are committed at least this often."""


@dataclass(slots=True)
class UnitDraft:
    """One order's share of the batch that is being gathered."""

    order: OrderState
    symbol: str
    fills: dict[FillDigest, HeldFill] = field(default_factory=dict)
    taken: list[tuple[FillDigest, Leg, int]] = field(default_factory=list)
    signals: list[storage_pb2.SignalRow] = field(default_factory=list)
    emitted_legs: set[Leg] = field(default_factory=set)
    status_changed: bool = False
    finished: bool = False


@dataclass(frozen=True, slots=True)
class FrozenBatch:
    """A batch as it is sent, and the signals that its commit releases."""

    number: int
    message: storage_pb2.CommitBatch
    signals: tuple[storage_pb2.SignalRow, ...]


@dataclass(slots=True)
class Outbox:
    """The batches of one partition under one epoch."""

    partition: int
    epoch: int
    committed: int = 0
    in_flight: FrozenBatch | None = None
    _units: dict[OrderId, UnitDraft] = field(default_factory=dict)
    _sent: dict[OrderId, UnitDraft] = field(default_factory=dict)
    """The units of the batch in flight."""
    _watermarks: dict[tuple[str, int], storage_pb2.Watermark] = field(default_factory=dict)
    _gaps: list[storage_pb2.GapRow] = field(default_factory=list)
    _enriched: dict[bytes, storage_pb2.FillRow] = field(default_factory=dict)
    _late: dict[tuple[str, int], storage_pb2.GapRow] = field(default_factory=dict)
    _cache: dict[str, storage_pb2.PositionCacheRow] = field(default_factory=dict)
    _published: list[storage_pb2.PublishedMark] = field(default_factory=list)
    _removed: dict[str, None] = field(default_factory=dict)
    _rewound: list[storage_pb2.Rewind] = field(default_factory=list)
    _lazy_since_s: float | None = None

    @property
    def needs_batch(self) -> int:
        """The batch whose commit makes everything durable that was received so far."""
        if self._is_urgent:
            return self.committed + (2 if self.in_flight else 1)
        return self.committed + (1 if self.in_flight else 0)

    @property
    def is_idle(self) -> bool:
        """Nothing is gathered and nothing is in flight."""
        return self.in_flight is None and not self._is_urgent and not self._is_lazy

    @property
    def is_full(self) -> bool:
        """More is decided than the writer commits: what comes waits for the next batch."""
        return len(self._units) >= MOST_ORDERS

    def unit(self, order: OrderState, symbol: str) -> UnitDraft:
        """The order's share of the batch that is being gathered."""
        draft = self._units.get(order.id)
        if draft is None:
            draft = self._units[order.id] = UnitDraft(order, symbol)
        elif draft.order is not order:
            # The order had finished in this batch and goes on: a late fill came.
            order.status_stored = draft.order.status_stored
            draft.order, draft.finished, draft.status_changed = order, False, order.status is not None
        return draft

    def is_waiting(self, order_id: OrderId, digest: FillDigest) -> bool:
        """Whether a fill is on its way to SQL, which does not know it yet."""
        gathered, sent = self._units.get(order_id), self._sent.get(order_id)
        return bool((gathered and digest in gathered.fills) or (sent and digest in sent.fills))

    def holder_of(self, digest: FillDigest) -> OrderId | None:
        """The order of a fill that is on its way to SQL."""
        for units in (self._units, self._sent):
            for identity, draft in units.items():
                if digest in draft.fills:
                    return identity
        return None

    def enrich(self, row: storage_pb2.FillRow) -> None:
        """Add attributes to a fill that is stored, or is in this batch."""
        self._enriched[row.digest] = row

    def holds(self, order_id: OrderId) -> bool:
        """Whether something of an order is on its way to SQL."""
        return order_id in self._units or order_id in self._sent

    def finishing(self, order_id: OrderId) -> OrderState | None:
        """An order whose end is on its way to SQL, which does not know it yet."""
        draft = self._units.get(order_id) or self._sent.get(order_id)
        return draft.order if draft and draft.finished else None

    def finish(self, order: OrderState, symbol: str) -> None:
        """Mark an order's rows as finished, if it has or gets any."""
        if order.fills or order.status_stored or order.id in self._units:
            self.unit(order, symbol).finished = True

    def watermark(self, row: storage_pb2.Watermark) -> None:
        """Move a watermark; it is committed with or after all events before it."""
        self._watermarks[row.address, row.feed] = row

    def gap(self, row: storage_pb2.GapRow) -> None:
        """Record a gap, or that it was closed."""
        self._gaps.append(row)

    def late(self, row: storage_pb2.GapRow) -> None:
        """Record that fills came too late to be told; those of a feed that one batch stores are one stretch."""
        known = self._late.setdefault((row.address, row.feed), row)
        known.from_ms, known.to_ms = min(known.from_ms, row.from_ms), max(known.to_ms, row.to_ms)

    def removed(self, address: str) -> None:
        """A wallet is not watched any more: its orders that rest are finished."""
        self._removed[address] = None

    def cache(self, row: storage_pb2.PositionCacheRow, now_s: float) -> None:
        """Keep the newest position cache row of a wallet."""
        self._cache[row.address] = row
        self._be_lazy(now_s)

    def published(self, mark: storage_pb2.PublishedMark, now_s: float) -> None:
        """A signal was confirmed by the stream."""
        self._published.append(mark)
        self._be_lazy(now_s)

    def rewound(self, rows: list[storage_pb2.Rewind]) -> int:
        """The stream lost what these say; returns the batch whose commit makes SQL know it."""
        self._rewound += rows
        return self.needs_batch

    def freeze(self, now_s: float, *, force: bool = False) -> FrozenBatch | None:
        """The next batch to send, if none is in flight and there is something to say (or lazy rows waited enough)."""
        waited = self._lazy_since_s is not None and (force or now_s - self._lazy_since_s >= LAZY_S)
        if self.in_flight or not (self._is_urgent or waited):
            return None
        signals = tuple(signal for draft in self._units.values() for signal in draft.signals)
        self.in_flight = FrozenBatch(self.committed + 1, self._message(), signals)
        self._sent = self._units
        self._clear()
        return self.in_flight

    def done(self, number: int, dead_letters: list[storage_pb2.DeadLetter]) -> list[storage_pb2.SignalRow]:
        """The batch in flight is committed: the signals to publish now, voids in the place of refused ones."""
        batch = self.in_flight
        if batch is None or batch.number != number:
            return []
        self.in_flight, self._sent = None, {}
        self.committed = number
        refused = {signal_id for letter in dead_letters for signal_id in letter.signal_ids}
        kept = [row for row in batch.signals if row.signal_id not in refused]
        return kept + [void for letter in dead_letters for void in letter.voids]

    @property
    def _is_urgent(self) -> bool:
        work = (self._units, self._watermarks, self._gaps, self._late, self._removed, self._enriched, self._rewound)
        return any(work)

    @property
    def _is_lazy(self) -> bool:
        return bool(self._cache or self._published)

    def _be_lazy(self, now_s: float) -> None:
        if self._lazy_since_s is None:
            self._lazy_since_s = now_s

    def _message(self) -> storage_pb2.CommitBatch:
        return storage_pb2.CommitBatch(
            partition=self.partition,
            epoch=self.epoch,
            number=self.committed + 1,
            units=[_unit(draft) for draft in self._units.values()],
            watermarks=self._watermarks.values(),
            # What is open stands last: of two rows that begin at one time, that one is kept.
            gaps=[*self._late.values(), *self._gaps],
            position_cache=self._cache.values(),
            enriched=self._enriched.values(),
            published=self._published,
            removed=self._removed,
            rewound=self._rewound,
        )

    def _clear(self) -> None:
        self._units, self._watermarks, self._enriched = {}, {}, {}
        self._gaps, self._late, self._cache, self._published, self._removed = [], {}, {}, [], {}
        self._rewound = []
        self._lazy_since_s = None


def _unit(draft: UnitDraft) -> storage_pb2.OrderUnit:
    order = draft.order
    unit = storage_pb2.OrderUnit(
        order_id=order.id,
        address=order.ref.address,
        fills=[fill_row(order, held) for held in draft.fills.values()],
        # Fills of this batch carry their marks; older ones are marked where they are stored.
        marks=[
            storage_pb2.FillMark(digest=digest, leg=LEG_NAMES[leg], number=number)
            for digest, leg, number in draft.taken
            if digest not in draft.fills
        ],
        rows=[
            order_row(order, leg, totals, draft.symbol, finished=draft.finished, emitted=leg in draft.emitted_legs)
            for leg, totals in order.totals.items()
        ],
        signals=draft.signals,
    )
    if order.status is not None and (draft.status_changed or (draft.finished and order.status_stored)):
        unit.statuses.append(status_row(order, resolved=draft.finished))
        order.status_stored = not draft.finished
    return unit
