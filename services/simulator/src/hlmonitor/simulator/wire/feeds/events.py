"""`userEvents`: several kinds of news of a user on one channel, each frame of exactly one kind (facts 1.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.orders import Status
from hlmonitor.simulator.wire import frames
from hlmonitor.simulator.wire.rows import fill_row, slice_row, twap_history_row

from .source import grouped, listened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hlmonitor.simulator.core.events import Block, OrderUpdate
    from hlmonitor.simulator.wire.frames import Frame
    from hlmonitor.simulator.wire.subscriptions import Subscription

    from .source import Delivery, Heard

_CANCEL_SUFFIXES: Final = ("Canceled", "Cancel")


def is_non_user_cancel(update: OrderUpdate) -> bool:
    """Tell whether the venue ended an order by itself: any of the canceled family but the owner's `canceled`."""
    return update.status is not Status.CANCELED and update.status.value.endswith(_CANCEL_SUFFIXES)


class Events:
    """No snapshot; the channel is `user`, and no frame says whose it is."""

    kinds = ("userEvents",)

    def first(self, _wanted: Subscription) -> Frame | None:
        """Start in silence."""
        return None

    def live(self, block: Block, heard: Heard) -> Iterator[Delivery]:
        """Yield fills, cancels that the owner did not ask for, and what TWAPs did."""
        fills = grouped((f for f in block.fills if f.twap_id is None), lambda fill: fill.address)
        for wanted, rows in listened(fills, "userEvents", heard):
            yield wanted, frames.event_rows("fills", map(fill_row, rows))
        slices = grouped((f for f in block.fills if f.twap_id is not None), lambda fill: fill.address)
        for wanted, rows in listened(slices, "userEvents", heard):
            yield wanted, frames.event_rows("twapSliceFills", map(slice_row, rows))
        changes = grouped(block.twap_updates, lambda update: update.state.address)
        for wanted, updates in listened(changes, "userEvents", heard):
            yield wanted, frames.event_rows("twapHistory", map(twap_history_row, updates))
        cancels = grouped(filter(is_non_user_cancel, block.order_updates), lambda update: update.address)
        for wanted, gone in listened(cancels, "userEvents", heard):
            yield wanted, frames.event_rows("nonUserCancel", ({"coin": u.coin, "oid": u.oid} for u in gone))
