"""TWAP orders: slices at a fixed interval, each an immediate order of its own with a zero hash."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from .accounts import ZERO
from .events import TwapState, TwapStatus, TwapUpdate
from .orders import ZERO_HASH, Order, Origin, Side, Tif
from .precision import round_px, round_sz

if TYPE_CHECKING:
    from decimal import Decimal

    from .margin import Margin
    from .matching import Matcher
    from .state import ExchangeState

_CATCH_UP: Final = 3
_MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class TwapRequest:
    """What a wallet asks for. `slice_ms` None takes the exchange's own interval."""

    coin: str
    side: Side
    sz: Decimal
    duration_ms: int
    reduce_only: bool = False
    randomize: bool = False
    slice_ms: int | None = None


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
    executed_sz: Decimal = ZERO
    executed_ntl: Decimal = ZERO
    status: TwapStatus = TwapStatus.ACTIVATED
    ended_ms: int | None = None

    def progress(self) -> TwapState:
        """Return the TWAP as it stands, with what it executed so far."""
        return TwapState(
            self.twap_id,
            self.address,
            self.request.coin,
            self.request.side,
            self.request.sz,
            self.executed_sz,
            self.executed_ntl,
            max(1, -(-self.request.duration_ms // _MINUTE_MS)),
            self.request.reduce_only,
            self.request.randomize,
            self.started_ms,
        )

    def state(self) -> TwapState:
        """Return what the history shows: progress stays "0.0" while the TWAP is active."""
        progress = self.progress()
        if self.status is not TwapStatus.ACTIVATED:
            return progress
        return replace(progress, executed_sz=ZERO, executed_ntl=ZERO)


class TwapDesk:
    """Runs every active TWAP."""

    def __init__(self, state: ExchangeState, margin: Margin, matcher: Matcher) -> None:
        self._state = state
        self._margin = margin
        self._matcher = matcher
        self._next_id = state.now_ms // 1000
        self.active: dict[int, Twap] = {}

    def start(self, address: str, request: TwapRequest) -> Twap:
        """Activate a TWAP; its first slice goes out at the end of this block."""
        state = self._state
        slice_ms = request.slice_ms or state.config.twap_slice_ms
        self._next_id += 1
        twap = Twap(
            self._next_id,
            address,
            request,
            state.now_ms,
            slices=max(1, request.duration_ms // slice_ms),
            every_blocks=max(1, slice_ms // state.config.block_ms),
            next_block=state.block.number,
        )
        self.active[twap.twap_id] = twap
        state.ledger.record_twap(twap)
        self._report(twap)
        return twap

    def terminate(self, twap_id: int) -> bool:
        """Stop a TWAP before its end; tell whether it was active."""
        twap = self.active.get(twap_id)
        if twap is None:
            return False
        self._end(twap, TwapStatus.TERMINATED)
        return True

    def run(self) -> None:
        """Send the slices that are due in this block."""
        for twap in list(self.active.values()):
            if twap.next_block > self._state.block.number:
                continue
            self._slice(twap)
            twap.next_block += twap.every_blocks
            if twap.done >= twap.slices or twap.executed_sz >= twap.request.sz:
                self._end(twap, TwapStatus.FINISHED)

    def _slice(self, twap: Twap) -> None:
        twap.done += 1
        order = self._slice_order(twap)
        if order.remaining <= 0 or not self._allowed(order):
            return
        start = len(self._state.block.fills)
        self._matcher.submit(order)
        if order.filled:
            self._state.ledger.record_order(order)
        for fill in self._state.block.fills[start:]:
            if fill.oid == order.oid:
                twap.executed_sz += fill.sz
                twap.executed_ntl += fill.sz * fill.px

    def _slice_order(self, twap: Twap) -> Order:
        state, request = self._state, twap.request
        instrument = state.universe.get(request.coin)
        due = request.sz * twap.done / twap.slices - twap.executed_sz
        most = request.sz * _CATCH_UP / twap.slices
        last = twap.done >= twap.slices
        sz = round_sz(instrument, min(request.sz - twap.executed_sz if last else due, most))
        bound = state.mark(request.coin) * (1 + state.config.twap_slippage * request.side.sign)
        return Order(
            oid=state.new_oid(),
            address=twap.address,
            coin=request.coin,
            side=request.side,
            limit_px=round_px(instrument, bound),
            orig_sz=sz,
            remaining=sz,
            tif=Tif.IOC,
            reduce_only=request.reduce_only,
            cloid=None,
            placed_ms=state.now_ms,
            tx_hash=ZERO_HASH,
            origin=Origin.TWAP,
            twap_id=twap.twap_id,
        )

    def _allowed(self, order: Order) -> bool:
        account = self._state.accounts[order.address]
        if self._state.universe.get(order.coin).is_spot:
            return self._margin.affords(account, order)
        if order.reduce_only:
            return bool(self._margin.reducible(order))
        return self._margin.covers(account, order, order.limit_px)

    def _end(self, twap: Twap, status: TwapStatus) -> None:
        del self.active[twap.twap_id]
        twap.status, twap.ended_ms = status, self._state.now_ms
        self._report(twap)

    def _report(self, twap: Twap) -> None:
        row = TwapUpdate(self._state.now_ms // 1000, twap.state(), twap.status)
        self._state.block.twap_updates.append(row)
        self._state.ledger.record_twap_row(row)
