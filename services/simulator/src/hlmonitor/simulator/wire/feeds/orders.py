"""Order statuses of a user: bare on `orderUpdates`, whole orders on `userHistoricalOrders`."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from hlmonitor.simulator.core.orders import Origin
from hlmonitor.simulator.wire import frames
from hlmonitor.simulator.wire.rows import amount, history_row, order_update_row

from .source import listened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hlmonitor.simulator.core.events import Block, OrderUpdate
    from hlmonitor.simulator.wire.frames import Frame
    from hlmonitor.simulator.wire.subscriptions import Subscription

    from .source import Delivery, Heard, View


class Statuses:
    """`orderUpdates`: no snapshot, and no frame says whose it is (facts 1.8)."""

    kinds = ("orderUpdates",)

    def first(self, _wanted: Subscription) -> Frame | None:
        """Start in silence: what happened during a gap must be read over REST."""
        return None

    def live(self, block: Block, heard: Heard) -> Iterator[Delivery]:
        """Yield the block's statuses by user."""
        for wanted, rows in listened(block.order_updates, lambda update: update.address, "orderUpdates", heard):
            yield wanted, frames.bare_rows("orderUpdates", map(order_update_row, rows))


class OrderHistory:
    """`userHistoricalOrders` (undocumented): the latest orders, then each one whose status changed."""

    kinds = ("userHistoricalOrders",)

    def __init__(self, view: View) -> None:
        self._view = view

    def first(self, wanted: Subscription) -> Frame | None:
        """Return the latest orders, newest first."""
        orders = reversed(self._view.ledger.of(wanted.key).orders.values())
        rows = (history_row(order) for order in orders if order.origin is Origin.ORDINARY)
        recent = islice(rows, self._view.config.snapshot_rows)
        return frames.user_rows("userHistoricalOrders", wanted.key, "orderHistory", recent, is_snapshot=True)

    def live(self, block: Block, heard: Heard) -> Iterator[Delivery]:
        """Yield the orders whose status changed, one row for each change."""
        for wanted, changes in listened(block.order_updates, lambda update: update.address, self.kinds[0], heard):
            rows = [row for row in map(self._row, changes) if row is not None]
            if rows:
                yield wanted, frames.user_rows("userHistoricalOrders", wanted.key, "orderHistory", rows)

    def _row(self, update: OrderUpdate) -> dict[str, object] | None:
        """Write the order as it was when its status changed; the live order may have moved on since."""
        order = self._view.ledger.of(update.address).orders.get(update.oid)
        if order is None:
            return None
        row = history_row(order)
        body = row["order"]
        return {
            "order": body | {"sz": amount(update.sz)} if isinstance(body, dict) else body,
            "status": update.status,
            "statusTimestamp": update.status_ms,
        }
