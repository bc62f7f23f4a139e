"""Builds a partition from what the writer has of it, before its new owner decides anything."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hlmonitor.aggregator.core.convert import status_of
from hlmonitor.aggregator.core.now import Now
from hlmonitor.aggregator.core.packed import order_ids_of, pairs_of
from hlmonitor.aggregator.core.partition import Partition
from hlmonitor.aggregator.core.publishing import PublishQueue, Room
from hlmonitor.aggregator.core.wallet import OpenGap, Wallet
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.decimals import parse_amount
from hlmonitor.domain.fills import is_spot
from hlmonitor.domain.orders import OrderId, TerminalStatus
from hlmonitor.v1 import events_pb2, storage_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

CLOCK_SKEW_MS = 5_000
"""How far the venue's clock may be ahead of ours."""


@dataclass(slots=True)
class Restorer:
    """Takes the stream of LoadPartition item by item, then sets the timers going."""

    partition: Partition
    now: Now
    room: Room = field(default_factory=Room)
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
            "resting_orders": self._resting,
            "last_position": self._last_position,
        }
        kind = item.WhichOneof("item")
        # Rows of orders are made anew from their fills.
        if kind in takers:
            takers[kind](getattr(item, kind))

    def finish(self) -> None:
        """Everything was taken: judge each order; its timers run from now, or from when a gateway has caught up."""
        for wallet in self.partition.wallets.values():
            self._settle_feed(wallet)
            wallet.vigil.lost_gateway(self.now.mono_s)
            for order in list(wallet.orders.values()):
                if order.status is None and all(held.uncounted for held in order.fills.values()):
                    # Only its end let such fills be stored, and its status is resolved: it has no row to say so.
                    del wallet.orders[order.id]
                    self.partition.memory.remember(order)
                    continue
                self.partition.decider.decide(wallet, order, self.now)

    def _settle_feed(self, wallet: Wallet) -> None:
        """How the wallet is watched: by trades if that feed was followed last, as far as anything stored tells."""
        trades = events_pb2.FEED_TRADES
        if trades in wallet.gaps:
            wallet.tracked.forget()
        user_ms = wallet.watermarks.get(events_pb2.FEED_USER_FILLS, 0)
        wallet.is_by_trades |= trades in wallet.gaps or wallet.watermarks.get(trades, -1) >= user_ms

    def _fill(self, row: storage_pb2.FillRow) -> None:
        self.partition.restore(row, self.now)
        self.fills += 1

    def _status(self, row: storage_pb2.StatusRow) -> None:
        status = status_of(row.status)
        order = self.partition.wallet(status.address).order(status.ref, OrderId(row.order_id))
        order.status = TerminalStatus(status.status, status.status_time_ms, status.filled, status.orig_sz)
        order.status_stored = True
        order.status_at_s = self.now.mono_s
        order.order_time_ms = status.order_time_ms

    def _queue(self, address: str) -> PublishQueue:
        return self.queues.setdefault(Address(address), PublishQueue(self.room))

    def _unpublished(self, row: storage_pb2.SignalRow) -> None:
        self._queue(row.address).add(row)

    def _watermark(self, row: storage_pb2.Watermark) -> None:
        self.partition.wallet(Address(row.address)).watermarks[row.feed] = row.watermark_ms

    def _gap(self, row: storage_pb2.GapRow) -> None:
        gap = OpenGap(row.from_ms, row.reason, self.now.mono_s)
        self.partition.wallet(Address(row.address)).gaps[row.feed] = gap

    def _last_position(self, row: storage_pb2.LastPosition) -> None:
        if not is_spot(row.coin):
            wallet, position = self.partition.wallet(Address(row.address)), parse_amount(row.position)
            wallet.positions.seed(row.coin, position, row.time_ms)
            if wallet.entry and row.time_ms >= wallet.entry.watch_from_ms:
                # Between two watches it may have moved.
                wallet.tracked.stored(row.coin, position, row.time_ms)

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

    def _resting(self, ids: bytes) -> None:
        for identity in order_ids_of(ids):
            self.partition.decider.resting.add(identity)

    def _counter(self, counter: storage_pb2.AddressCounter) -> None:
        self.partition.wallet(Address(counter.address)).next_number = counter.next_number
        queue = self._queue(counter.address)
        queue.goes_on(counter.published_number, counter.published_seq, counter.published_id)
        queue.end = counter.next_number
