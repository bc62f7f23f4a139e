"""Fills of a user: ordinary ones, and those of TWAP slices, which come on feeds of their own (facts 3.3)."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from hlmonitor.simulator.wire import frames
from hlmonitor.simulator.wire.history import aggregate, newest_first
from hlmonitor.simulator.wire.rows import fill_row, slice_row, twap_history_row

from .source import listened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hlmonitor.simulator.core.events import Block, Fill
    from hlmonitor.simulator.wire.frames import Frame
    from hlmonitor.simulator.wire.subscriptions import Subscription

    from .source import Delivery, Heard, View


def recent_fills(view: View, user: str, *, slices: bool) -> list[Fill]:
    """Return the latest fills that a first frame shows, oldest first."""
    rows = (f for f in reversed(view.ledger.latest(user).fills) if (f.twap_id is not None) == slices)
    return list(islice(rows, view.config.snapshot_rows))[::-1]


class Fills:
    """`userFills`: recent fills first, then each block's."""

    kinds = ("userFills",)

    def __init__(self, view: View) -> None:
        self._view = view

    def first(self, wanted: Subscription) -> Frame | None:
        """Return the recent fills, newest first."""
        recent = recent_fills(self._view, wanted.key, slices=False)
        fills = newest_first(aggregate(recent) if wanted.option("aggregateByTime") else recent)
        return frames.user_rows("userFills", wanted.key, "fills", map(fill_row, fills), is_snapshot=True)

    def live(self, block: Block, heard: Heard) -> Iterator[Delivery]:
        """Yield the block's fills by user."""
        ordinary = (fill for fill in block.fills if fill.twap_id is None)
        for wanted, fills in listened(ordinary, lambda fill: fill.address, "userFills", heard):
            rows = aggregate(fills) if wanted.option("aggregateByTime") else fills
            yield wanted, frames.user_rows("userFills", wanted.key, "fills", map(fill_row, rows))


class Slices:
    """`userTwapSliceFills`: the fills that `userFills` does not have."""

    kinds = ("userTwapSliceFills",)

    def __init__(self, view: View) -> None:
        self._view = view

    def first(self, wanted: Subscription) -> Frame | None:
        """Return the recent slice fills, newest first."""
        rows = map(slice_row, newest_first(recent_fills(self._view, wanted.key, slices=True)))
        return frames.user_rows("userTwapSliceFills", wanted.key, "twapSliceFills", rows, is_snapshot=True)

    def live(self, block: Block, heard: Heard) -> Iterator[Delivery]:
        """Yield the block's slice fills by user."""
        slices = (fill for fill in block.fills if fill.twap_id is not None)
        for wanted, fills in listened(slices, lambda fill: fill.address, "userTwapSliceFills", heard):
            yield wanted, frames.user_rows("userTwapSliceFills", wanted.key, "twapSliceFills", map(slice_row, fills))


class TwapHistory:
    """`userTwapHistory`: the changes of a user's TWAPs."""

    kinds = ("userTwapHistory",)

    def __init__(self, view: View) -> None:
        self._view = view

    def first(self, wanted: Subscription) -> Frame | None:
        """Return the recent changes, newest first."""
        rows = islice(reversed(self._view.ledger.latest(wanted.key).twap_rows), self._view.config.snapshot_rows)
        return frames.user_rows("userTwapHistory", wanted.key, "history", map(twap_history_row, rows), is_snapshot=True)

    def live(self, block: Block, heard: Heard) -> Iterator[Delivery]:
        """Yield the block's changes by user."""
        for wanted, rows in listened(block.twap_updates, lambda row: row.state.address, self.kinds[0], heard):
            yield wanted, frames.user_rows("userTwapHistory", wanted.key, "history", map(twap_history_row, rows))
