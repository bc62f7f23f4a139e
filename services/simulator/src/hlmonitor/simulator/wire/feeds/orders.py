"""Order statuses of a user: bare on `orderUpdates`, whole orders on `userHistoricalOrders`."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from hlmonitor.simulator.wire import frames
from hlmonitor.simulator.wire.rows import order_update_row, status_change_row

from .source import listened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hlmonitor.simulator.core.events import Block
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
    """`userHistoricalOrders` (undocumented): the latest changes of orders' statuses, then each that comes."""

    kinds = ("userHistoricalOrders",)

    def __init__(self, view: View) -> None:
        self._view = view

    def first(self, wanted: Subscription) -> Frame | None:
        """Return the latest changes, newest first."""
        changes = reversed(self._view.ledger.latest(wanted.key).statuses)
        recent = map(status_change_row, islice(changes, self._view.config.snapshot_rows))
        return frames.user_rows("userHistoricalOrders", wanted.key, "orderHistory", recent, is_snapshot=True)

    def live(self, block: Block, heard: Heard) -> Iterator[Delivery]:
        """Yield the block's changes by user."""
        for wanted, changes in listened(block.order_updates, lambda update: update.address, self.kinds[0], heard):
            rows = map(status_change_row, changes)
            yield wanted, frames.user_rows("userHistoricalOrders", wanted.key, "orderHistory", rows)
