"""Builds a partition from what the writer has of it, before its new owner decides anything."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hlmonitor.aggregator.core.convert import fill_of, status_of
from hlmonitor.aggregator.core.now import Now
from hlmonitor.aggregator.core.orders import OrderState, hold
from hlmonitor.aggregator.core.partition import Partition
from hlmonitor.aggregator.core.publishing import PublishQueue
from hlmonitor.aggregator.core.wallet import OpenGap
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.decimals import parse_amount
from hlmonitor.domain.fills import FillDigest, Leg, digest_of, is_spot
from hlmonitor.domain.orders import Kind, OrderId, OrderRef, TerminalStatus, order_of, twap_ref
from hlmonitor.v1 import events_pb2, storage_pb2

CLOCK_SKEW_MS = 5_000
"""How far the venue's clock may be ahead of ours."""
_PAIR_BYTES = 32
_DIGEST_BYTES = 16


def pairs_of(packed: bytes) -> Iterator[tuple[FillDigest, OrderId]]:
    """Digest and order id of each fill in the contract's packed form (16 + 16 bytes each)."""
    for at in range(0, len(packed), _PAIR_BYTES):
        middle = at + _DIGEST_BYTES
        yield FillDigest(packed[at:middle]), OrderId(packed[middle : at + _PAIR_BYTES])


@dataclass(slots=True)
class Restorer:
    """Takes the stream of LoadPartition item by item, then sets the timers going."""

    partition: Partition
    now: Now
    queues: dict[Address, PublishQueue] = field(default_factory=dict)
    fills: int = 0

    def take(self, item: storage_pb2.LoadPartitionResponse) -> None:
        """Take one item in.

        Raises:
            FieldError: a stored fill or status cannot be read: the database was changed by hand.
        """
        takers: dict[str, Callable[..., None]] = {
            "fill": self._fill,
            "status": self._status,
            "unpublished": self._unpublished,
            "watermark": self._watermark,
            "gap": self._gap,
            "position_cache": self._account,
            "known_fills": self._known,
            "counter": self._counter,
            "last_position": self._last_position,
        }
        kind = item.WhichOneof("item")
        # Rows of orders are made anew from their fills.
        if kind in takers:
            takers[kind](getattr(item, kind))

    def finish(self) -> None:
        """Everything was taken: judge each order, so that its timers run from now."""
        for wallet in self.partition.wallets.values():
            for order in list(wallet.orders.values()):
                if order.status is None and all(held.uncounted for held in order.fills.values()):
                    # Only its end let such fills be stored, and its status is resolved: it has no row to say so.
                    del wallet.orders[order.id]
                    self.partition.memory.remember(order)
                    continue
                self.partition.decider.decide(wallet, order, self.now)

    def _fill(self, row: storage_pb2.FillRow) -> None:
        fill = fill_of(row.fill)
        ref = order_of(fill)
        order = self._order(ref, OrderId(row.order_id))
        held = hold(digest_of(fill), fill, row.fill, self.now.wall_ms, uncounted=row.uncounted)
        if row.HasField("close_number"):
            held.taken[Leg.CLOSE] = row.close_number
        if row.HasField("open_number"):
            held.taken[Leg.OPEN] = row.open_number
        order.add(held, self.now.mono_s)
        self.fills += 1

    def _status(self, row: storage_pb2.StatusRow) -> None:
        status = status_of(row.status)
        if status.twap_id is not None:
            ref = twap_ref(status.address, status.coin, status.twap_id)
        else:
            ref = OrderRef(status.address, status.coin, status.oid, Kind.ORDER)
        order = self._order(ref, OrderId(row.order_id))
        filled = status.orig_sz - status.remaining_sz
        order.status = TerminalStatus(status.status, status.status_time_ms, filled, status.orig_sz)
        order.status_stored = True
        order.status_at_s = self.now.mono_s
        order.order_time_ms = status.order_time_ms

    def _order(self, ref: OrderRef, identity: OrderId) -> OrderState:
        return self.partition.wallet(ref.address).orders.setdefault(identity, OrderState(ref, identity))

    def _queue(self, address: str) -> PublishQueue:
        return self.queues.setdefault(Address(address), PublishQueue())

    def _unpublished(self, row: storage_pb2.SignalRow) -> None:
        self._queue(row.address).add(row)

    def _watermark(self, row: storage_pb2.Watermark) -> None:
        self.partition.wallet(Address(row.address)).watermarks[row.feed] = row.watermark_ms

    def _gap(self, row: storage_pb2.GapRow) -> None:
        gap = OpenGap(row.from_ms, row.reason, self.now.mono_s)
        self.partition.wallet(Address(row.address)).gaps[row.feed] = gap

    def _last_position(self, row: storage_pb2.LastPosition) -> None:
        if not is_spot(row.coin):
            continuity = self.partition.wallet(Address(row.address)).continuity
            continuity.seed(row.coin, parse_amount(row.position), row.time_ms)

    def _account(self, row: storage_pb2.PositionCacheRow) -> None:
        main = events_pb2.DexState(
            account_value=row.account_value,
            total_margin_used=row.total_margin_used,
            total_ntl_pos=row.total_ntl_pos,
            withdrawable=row.withdrawable,
        )
        self.partition.wallet(Address(row.address)).account.dexes[""] = main

    def _known(self, pairs: bytes) -> None:
        for digest, identity in pairs_of(pairs):
            self.partition.memory.remember_stored(identity, digest, self.now.wall_ms + CLOCK_SKEW_MS)

    def _counter(self, counter: storage_pb2.AddressCounter) -> None:
        self.partition.wallet(Address(counter.address)).next_number = counter.next_number
        queue = self._queue(counter.address)
        queue.next_number = counter.published_number + 1
        queue.last_seq = counter.published_seq
