"""TWAP orders: what is asked for, and how far each has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .accounts import ZERO
from .durations import MINUTE_MS
from .events import TwapState, TwapStatus

if TYPE_CHECKING:
    from decimal import Decimal

    from .events import TwapTrigger
    from .orders import Side


@dataclass(frozen=True, slots=True)
class TwapRequest:
    """What a wallet asks for. `slice_ms` None takes the exchange's own interval.

    With `trigger` nothing is sent until the mark price comes. It ends as soon as the mark price is worse than
    `stop_px`: above it for a buy, below it for a sell.
    """

    coin: str
    side: Side
    sz: Decimal
    duration_ms: int
    reduce_only: bool = False
    randomize: bool = False
    slice_ms: int | None = None
    stop_px: Decimal | None = None
    trigger: TwapTrigger | None = None


@dataclass(slots=True)
class Twap:
    """A TWAP through its life. Slices are counted in blocks, so that a run can be repeated exactly."""

    twap_id: int
    address: str
    request: TwapRequest
    started_ms: int
    slices: int
    every_blocks: int
    next_block: int
    done: int = 0
    target: Decimal = ZERO
    """What should have been executed by now."""
    executed_sz: Decimal = ZERO
    executed_ntl: Decimal = ZERO
    status: TwapStatus = TwapStatus.ACTIVATED
    ended_ms: int | None = None

    def state(self) -> TwapState:
        """Return what the history shows: progress stays "0.0" while the TWAP is active."""
        return self._state(ZERO, ZERO) if self.status.is_live else self.progress()

    def progress(self) -> TwapState:
        """Return the state with what was executed so far, as `twapStates` shows it."""
        return self._state(self.executed_sz, self.executed_ntl)

    def _state(self, executed_sz: Decimal, executed_ntl: Decimal) -> TwapState:
        request = self.request
        return TwapState(
            self.twap_id,
            self.address,
            request.coin,
            request.side,
            request.sz,
            executed_sz,
            executed_ntl,
            max(1, -(-request.duration_ms // MINUTE_MS)),
            request.reduce_only,
            request.randomize,
            self.started_ms,
            request.stop_px,
            request.trigger,
        )

    def is_beyond_stop(self, mark: Decimal) -> bool:
        """Tell whether the mark price is worse than the one at which to stop."""
        stop = self.request.stop_px
        return stop is not None and (mark - stop) * self.request.side.sign > 0

    def is_triggered(self, mark: Decimal) -> bool:
        """Tell whether the mark price has come from which to start."""
        trigger = self.request.trigger
        if trigger is None:
            return True
        return mark >= trigger.px if trigger.above else mark <= trigger.px
