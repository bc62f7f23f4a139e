"""`outcomeMetaUpdates`: what was listed, changed and settled among outcomes (facts 4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hlmonitor.simulator.wire import frames
from hlmonitor.simulator.wire.outcomes import outcome_change_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hlmonitor.simulator.core.events import Block
    from hlmonitor.simulator.wire.frames import Frame
    from hlmonitor.simulator.wire.subscriptions import Subscription

    from .source import Delivery, Heard, View


class OutcomeMetaUpdates:
    """Only changes: what is listed already is asked for with `outcomeMeta`."""

    kinds = ("outcomeMetaUpdates",)

    def __init__(self, view: View) -> None:
        self._view = view

    def first(self, _wanted: Subscription) -> Frame | None:
        """Start in silence (an assumption)."""
        return None

    def live(self, block: Block, heard: Heard) -> Iterator[Delivery]:
        """Yield the block's changes."""
        if block.outcome_changes and heard.any("outcomeMetaUpdates"):
            updates = [outcome_change_row(self._view.exchange, change) for change in block.outcome_changes]
            for wanted in heard.of("outcomeMetaUpdates"):
                yield wanted, frames.message("outcomeMetaUpdates", updates)
