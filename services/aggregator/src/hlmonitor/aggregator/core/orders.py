"""One order's book-keeping: its fills, what signals took of them, and how it ended."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from msgspec.structs import replace

from hlmonitor.aggregator.core.inputs import FillInput
from hlmonitor.domain.decimals import ZERO, plus, product, total
from hlmonitor.domain.fills import Fill, FillDigest, Leg, Part, Side, split
from hlmonitor.domain.orders import Kind, OrderId, OrderRef, TerminalStatus, kind_of
from hlmonitor.v1 import events_pb2


@dataclass(slots=True)
class HeldFill:
    """A fill in memory, with the number of the signal that took each of its parts."""

    digest: FillDigest
    fill: Fill
    raw: bytes
    """The serialized Fill as it came: what the writer stores."""
    parts: tuple[Part, ...]
    received_at_ms: int
    uncounted: bool = False
    """Older than the wallet's signals, or than what is told at all: it counts in the order's sum, never in amounts."""
    taken: dict[Leg, int] = field(default_factory=dict)

    def part(self, leg: Leg) -> Part | None:
        """The part that belongs to a leg."""
        for part in self.parts:
            if part.leg is leg:
                return part
        return None


@dataclass(slots=True)
class LegTotals:
    """Everything of a leg that was seen, emitted or not: what its row shows."""

    long: bool
    size: Decimal = ZERO
    notional: Decimal = ZERO
    last_received_at_ms: int = 0


@dataclass(slots=True)
class OrderState:
    """An order that is not finished."""

    ref: OrderRef
    id: OrderId
    fills: dict[FillDigest, HeldFill] = field(default_factory=dict)
    filled: Decimal = ZERO
    """Sum of all fills' sizes, uncounted ones included."""
    cloid: str | None = None
    status: TerminalStatus | None = None
    order_time_ms: int = 0
    """When the order was placed, if a status told it."""
    status_stored: bool = False
    """The status has a row in SQL that must be resolved."""
    status_at_s: float = 0.0
    """When the status came, or when a late fill gave the order new grace."""
    backfill_asked_at_s: float | None = None
    """When what its end lacks was asked for first."""
    was_read: bool = False
    """The feed of its fills was read again through the moment of its end."""
    first_pending_at_s: float | None = None
    """When the first fill that no signal took came; None while there is none."""
    last_fill_at_s: float = 0.0
    received_at_ms: int = 0
    """Gateway's receipt of the last event, local wall clock."""
    totals: dict[Leg, LegTotals] = field(default_factory=dict)
    scheduled_s: float | None = None
    """When it is to be judged again, if that is planned."""
    is_urgent: bool = False
    """An episode that waits for nothing more."""
    is_revived: bool = False
    """It was finished before: its earlier fills are no longer in memory."""
    _pending: dict[Leg, list[HeldFill]] = field(default_factory=dict)

    def add(self, held: HeldFill, now_s: float) -> None:
        """Take a fill in. The caller knows that it is new."""
        self.fills[held.digest] = held
        self.filled = plus(self.filled, held.fill.sz)
        self.cloid = self.cloid or held.fill.cloid
        self.last_fill_at_s = now_s
        self.received_at_ms = max(self.received_at_ms, held.received_at_ms)
        if self.ref.kind is Kind.ORDER and kind_of(held.fill.dir) is Kind.UNKNOWN:
            self.ref = replace(self.ref, kind=Kind.UNKNOWN)
        if held.uncounted:
            return
        for part in held.parts:
            totals = self.totals.setdefault(part.leg, LegTotals(part.long))
            totals.size = plus(totals.size, part.sz)
            totals.notional = plus(totals.notional, product(part.sz, held.fill.px))
            totals.last_received_at_ms = max(totals.last_received_at_ms, held.received_at_ms)
            if part.leg not in held.taken:
                self._pending.setdefault(part.leg, []).append(held)
                if self.first_pending_at_s is None:
                    self.first_pending_at_s = now_s

    def take(self, leg: Leg, number: int) -> list[HeldFill]:
        """Mark what is pending of a leg as taken by a signal, and return it in execution order."""
        taken = in_execution_order(self._pending.pop(leg, []))
        for held in taken:
            held.taken[leg] = number
        if not self._pending:
            self.first_pending_at_s = None
        return taken

    @property
    def pending_legs(self) -> list[Leg]:
        """Legs with something unemitted, close before open."""
        return [leg for leg in (Leg.CLOSE, Leg.OPEN) if leg in self._pending]

    @property
    def unemitted(self) -> Decimal:
        """Size that no signal took yet, in coin units."""
        parts = ((held, leg) for leg, helds in self._pending.items() for held in helds)
        return total(part.sz for held, leg in parts if (part := held.part(leg)))

    @property
    def is_whole(self) -> bool:
        """The terminal status is known and every fill that it speaks of was seen."""
        return self.status is not None and self.status.orig_sz > 0 and self.filled == self.status.filled

    @property
    def is_unseen(self) -> bool:
        """The terminal status speaks of fills, and none was seen."""
        return self.status is not None and self.status.tells_of_fills and self.filled == ZERO

    @property
    def fill_feed(self) -> events_pb2.Feed.ValueType:
        """The feed that tells its fills."""
        return events_pb2.FEED_USER_FILLS if self.ref.twap_id is None else events_pb2.FEED_USER_TWAP_SLICE_FILLS


def hold(heard: FillInput, received_at_ms: int, *, uncounted: bool) -> HeldFill:
    """A fill split into its parts, ready to be taken in."""
    return HeldFill(heard.digest, heard.fill, heard.raw, split(heard.fill), received_at_ms, uncounted)


def in_execution_order(helds: Iterable[HeldFill]) -> list[HeldFill]:
    """By time, then along the chain of start positions, then by trade id.

    An order has one side, so within a millisecond its start positions only rise (buys) or only fall (sells). Where one
    of them is not known there is no chain in its millisecond.
    """
    told = list(helds)
    chainless = {held.fill.time_ms for held in told if not held.fill.seeded}

    def key(held: HeldFill) -> tuple[int, Decimal, int]:
        fill = held.fill
        if fill.time_ms in chainless:
            return fill.time_ms, ZERO, fill.tid
        return fill.time_ms, fill.start_position if fill.side is Side.BUY else -fill.start_position, fill.tid

    return sorted(told, key=key)
