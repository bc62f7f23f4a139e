"""The TWAPs that run: slices at a fixed interval, each an immediate order of its own with a zero hash."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from .events import TwapStatus, TwapUpdate
from .orders import ZERO_HASH, Order, Origin, Status, Tif
from .precision import round_px, round_sz
from .twap import Twap

if TYPE_CHECKING:
    from decimal import Decimal

    from .matching import Matcher
    from .state import ExchangeState
    from .twap import TwapRequest

_CATCH_UP: Final = 3
_SPREAD_PERCENT: Final = 20
"""A randomised slice is up to so much smaller or larger than its even share."""
_DESCRIPTIONS: Final = {
    Status.PERP_MARGIN_REJECTED: "Insufficient margin to place order.",
    Status.INSUFFICIENT_SPOT_BALANCE_REJECTED: "Insufficient spot balance.",
    Status.REDUCE_ONLY_REJECTED: "Reduce only order would increase position.",
    Status.REJECTED: "Trading is halted.",
}


class TwapDesk:
    """Runs every live TWAP."""

    def __init__(self, state: ExchangeState, matcher: Matcher) -> None:
        self._state = state
        self._matcher = matcher
        self._next_id = state.now_ms // 1000
        self.active: dict[int, Twap] = {}

    def start(self, address: str, request: TwapRequest) -> Twap:
        """Start a TWAP. Its first slice goes out at the end of this block, or of the one in which it triggers."""
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
        if not twap.is_triggered(state.mark(request.coin)):
            twap.status = TwapStatus.WAITING
        self.active[twap.twap_id] = twap
        state.ledger.record_twap(twap)
        self._report(twap)
        return twap

    def of(self, address: str) -> list[Twap]:
        """Return the live TWAPs of an address, oldest first."""
        return [twap for twap in self.active.values() if twap.address == address]

    def terminate(self, twap_id: int) -> bool:
        """Stop a TWAP before its end; tell whether it was live."""
        twap = self.active.get(twap_id)
        if twap is None:
            return False
        self._end(twap, TwapStatus.TERMINATED)
        return True

    def run(self) -> None:
        """Start, stop and continue what is due in this block."""
        for twap in list(self.active.values()):
            if twap.status is TwapStatus.WAITING:
                self._wake(twap)
            if twap.next_block <= self._state.block.number and twap.status is TwapStatus.ACTIVATED:
                self._continue(twap)

    def _wake(self, twap: Twap) -> None:
        if twap.is_triggered(self._state.mark(twap.request.coin)):
            twap.status, twap.next_block = TwapStatus.ACTIVATED, self._state.block.number
            self._report(twap)

    def _continue(self, twap: Twap) -> None:
        if twap.is_beyond_stop(self._state.mark(twap.request.coin)):
            self._end(twap, TwapStatus.STOPPED)
            return
        refused = self._slice(twap)
        twap.next_block += twap.every_blocks
        if refused is not None:
            self._end(twap, TwapStatus.ERROR, _DESCRIPTIONS.get(refused, f"Order was rejected: {refused}."))
        elif twap.done >= twap.slices or twap.executed_sz >= twap.request.sz:
            self._end(twap, TwapStatus.FINISHED)

    def _slice(self, twap: Twap) -> Status | None:
        """Send the next slice; return why it was refused, None if it was not."""
        twap.done += 1
        order = self._slice_order(twap)
        if order.remaining <= 0:
            return None
        refused = self._matcher.admission.slice_refusal(order)
        if refused is not None:
            return refused
        start = len(self._state.block.fills)
        self._matcher.submit(order)
        if order.filled:
            self._state.ledger.record_order(order)
        for fill in self._state.block.fills[start:]:
            if fill.oid == order.oid:
                twap.executed_sz += fill.sz
                twap.executed_ntl += fill.sz * fill.px
        return None

    def _slice_order(self, twap: Twap) -> Order:
        state, request = self._state, twap.request
        instrument = state.universe.get(request.coin)
        bound = state.mark(request.coin) * (1 + state.config.twap_slippage * request.side.sign)
        sz = round_sz(instrument, self._due(twap))
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

    @staticmethod
    def _due(twap: Twap) -> Decimal:
        """Return the next slice's size: its share and what earlier slices lack, at most three shares."""
        request = twap.request
        if twap.done >= twap.slices:
            twap.target = request.sz
        elif request.randomize:
            twap.target += request.sz * _percent(twap) / 100 / twap.slices
        else:
            twap.target = request.sz * twap.done / twap.slices
        most = request.sz * _CATCH_UP / twap.slices
        return min(min(twap.target, request.sz) - twap.executed_sz, most)

    def _end(self, twap: Twap, status: TwapStatus, description: str | None = None) -> None:
        del self.active[twap.twap_id]
        twap.status, twap.ended_ms = status, self._state.now_ms
        self._report(twap, description)

    def _report(self, twap: Twap, description: str | None = None) -> None:
        row = TwapUpdate(self._state.now_ms // 1000, twap.state(), twap.status, description)
        self._state.block.twap_updates.append(row)
        self._state.ledger.record_twap_row(row)


def _percent(twap: Twap) -> int:
    """Return how large a randomised slice is in percent of its even share: a hash, so that a run can be repeated."""
    digest = blake2b(f"{twap.twap_id}:{twap.done}".encode(), digest_size=8).digest()
    return 100 - _SPREAD_PERCENT + int.from_bytes(digest, "big") % (2 * _SPREAD_PERCENT + 1)
