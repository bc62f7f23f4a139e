"""What a user was paid or paid without trading: funding, and everything else that the ledger has.

First frames are oldest first, as the replies of `/info` are (an assumption).
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from hlmonitor.simulator.wire import frames
from hlmonitor.simulator.wire.ledger_updates import ledger_update_row
from hlmonitor.simulator.wire.rows import funding_row

from .source import listened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hlmonitor.simulator.core.events import Block
    from hlmonitor.simulator.wire.frames import Frame
    from hlmonitor.simulator.wire.subscriptions import Subscription

    from .source import Delivery, Heard, View


class Fundings:
    """`userFundings`: the recent payments, then those of each hour."""

    kinds = ("userFundings",)

    def __init__(self, view: View) -> None:
        self._view = view

    def first(self, wanted: Subscription) -> Frame:
        """Return the recent payments."""
        payments = self._view.ledger.latest(wanted.key).fundings
        recent = list(islice(reversed(payments), self._view.config.snapshot_rows))[::-1]
        return frames.user_rows("userFundings", wanted.key, "fundings", map(funding_row, recent), is_snapshot=True)

    def live(self, block: Block, heard: Heard) -> Iterator[Delivery]:
        """Yield the block's payments by user."""
        for wanted, rows in listened(block.fundings, lambda payment: payment.address, "userFundings", heard):
            yield wanted, frames.user_rows("userFundings", wanted.key, "fundings", map(funding_row, rows))


class LedgerUpdates:
    """`userNonFundingLedgerUpdates`: the whole history, then what is added."""

    kinds = ("userNonFundingLedgerUpdates",)

    def __init__(self, view: View) -> None:
        self._view = view

    def first(self, wanted: Subscription) -> Frame:
        """Return everything that the ledger has, however much it is."""
        rows = map(ledger_update_row, self._view.ledger.latest(wanted.key).ledger_updates)
        return frames.user_rows(wanted.type, wanted.key, "nonFundingLedgerUpdates", rows, is_snapshot=True)

    def live(self, block: Block, heard: Heard) -> Iterator[Delivery]:
        """Yield the block's updates by user."""
        for wanted, changes in listened(block.ledger_updates, lambda update: update.address, self.kinds[0], heard):
            rows = map(ledger_update_row, changes)
            yield wanted, frames.user_rows(wanted.type, wanted.key, "nonFundingLedgerUpdates", rows)
