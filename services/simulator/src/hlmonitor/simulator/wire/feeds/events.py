"""`userEvents`: several kinds of news of a user on one channel, each frame of exactly one kind (facts 1.8)."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.accounts import MICRO, ZERO
from hlmonitor.simulator.core.orders import Status
from hlmonitor.simulator.wire import frames
from hlmonitor.simulator.wire.rows import amount, fill_row, funding_row, slice_row, twap_history_row

from .source import listened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hlmonitor.simulator.core.events import Block, Liquidation, OrderUpdate
    from hlmonitor.simulator.wire.frames import Frame
    from hlmonitor.simulator.wire.subscriptions import Subscription

    from .source import Delivery, Heard

_address: Final = attrgetter("address")
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
        """Yield fills, what TWAPs did, cancels that the owner did not ask for, funding, liquidations."""
        yield from _trading(block, heard)
        for wanted, payments in listened(block.fundings, _address, "userEvents", heard):
            for payment in payments:
                yield wanted, frames.event("funding", funding_row(payment))
        for wanted, closings in listened(block.liquidations, _address, "userEvents", heard):
            for closing in closings:
                yield wanted, frames.event("liquidation", _liquidation_row(closing))


class Notifications:
    """`notification`: texts for the user's screen. The exchange has one occasion for them, liquidations."""

    kinds = ("notification",)

    def first(self, _wanted: Subscription) -> Frame | None:
        """Start in silence."""
        return None

    def live(self, block: Block, heard: Heard) -> Iterator[Delivery]:
        """Yield a text for each liquidation of the user. Its words are an assumption."""
        for wanted, closings in listened(block.liquidations, _address, "notification", heard):
            for closing in closings:
                coins = ", ".join(coin for coin, _ in closing.positions)
                yield wanted, frames.message("notification", {"notification": f"Liquidation: {coins}"})


def _liquidation_row(closing: Liquidation) -> dict[str, object]:
    """Write a liquidation. Neither amount has a sign: an account that is worth less than nothing shows zero."""
    return {
        "lid": closing.lid,
        "liquidator": closing.liquidator,
        "liquidated_user": closing.address,
        "liquidated_ntl_pos": amount(closing.ntl.quantize(MICRO)),
        "liquidated_account_value": amount(max(closing.account_value, ZERO).quantize(MICRO)),
    }


def _trading(block: Block, heard: Heard) -> Iterator[Delivery]:
    fills = (fill for fill in block.fills if fill.twap_id is None)
    for wanted, rows in listened(fills, _address, "userEvents", heard):
        yield wanted, frames.event_rows("fills", map(fill_row, rows))
    slices = (fill for fill in block.fills if fill.twap_id is not None)
    for wanted, rows in listened(slices, _address, "userEvents", heard):
        yield wanted, frames.event_rows("twapSliceFills", map(slice_row, rows))
    for wanted, updates in listened(block.twap_updates, lambda row: row.state.address, "userEvents", heard):
        yield wanted, frames.event_rows("twapHistory", map(twap_history_row, updates))
    cancels = filter(is_non_user_cancel, block.order_updates)
    for wanted, gone in listened(cancels, _address, "userEvents", heard):
        yield wanted, frames.event_rows("nonUserCancel", ({"coin": u.coin, "oid": u.oid} for u in gone))
