"""Turns verdicts into signals, finished orders and requests, and remembers when to look again."""

import heapq
from dataclasses import dataclass, field

from hlmonitor.aggregator.core.batch import Outbox
from hlmonitor.aggregator.core.memory import Memory
from hlmonitor.aggregator.core.metadata import Markets
from hlmonitor.aggregator.core.now import Now
from hlmonitor.aggregator.core.orders import OrderState
from hlmonitor.aggregator.core.requests import BackfillRequest, Request
from hlmonitor.aggregator.core.resting import Resting
from hlmonitor.aggregator.core.rows import signal_row
from hlmonitor.aggregator.core.signals import Decision, build_signal
from hlmonitor.aggregator.core.tally import Tally
from hlmonitor.aggregator.core.triggers import Patience, Trigger, judge
from hlmonitor.aggregator.core.wallet import Wallet
from hlmonitor.domain.orders import OrderId
from hlmonitor.domain.sizes import SizeBounds
from hlmonitor.v1 import storage_pb2

_OF_PATIENCE = frozenset({Trigger.GRACE, Trigger.TIMEOUT})
UNCOMMITTED_S = 10.0
"""An order that may rest but is not committed is looked at again so late: while SQL is away there may be many."""


@dataclass(slots=True)
class Decider:
    """Judges the orders of one partition."""

    outbox: Outbox
    memory: Memory
    markets: Markets
    patience: Patience
    sizes: SizeBounds = field(default_factory=SizeBounds)
    tally: Tally = field(default_factory=Tally)
    resting: Resting = field(default_factory=Resting)
    requests: list[Request] = field(default_factory=list)
    _due: list[tuple[float, int, OrderId, str]] = field(default_factory=list)
    """When, and among those of one time in the order in which they were planned."""
    _planned: int = 0

    def decide(self, wallet: Wallet, order: OrderState, now: Now, *, heard: bool = False) -> None:
        """Judge an order after something happened to it.

        `heard`: an event of the wallet was taken in, and others may wait behind it. What the order lacks may be among
        them, however late it is, so its patience ends with the next look of the timers only.
        """
        patience = wallet.patience(self.patience)
        verdict = judge(
            order,
            patience,
            now.mono_s,
            paused_until_s=wallet.paused_until_s(now.mono_s),
            has_gap=bool(wallet.gaps),
            is_unread=order.is_unseen and not order.was_read and wallet.entry is not None,
        )
        if heard and verdict.trigger in _OF_PATIENCE and patience.order_timeout_s:
            self._schedule(order, now.mono_s)
            return
        if verdict.ask_backfill:
            self._ask_backfill(order, now)
        if verdict.trigger is not None:
            self._emit(wallet, order, verdict.trigger, now, complete=verdict.complete)
        if verdict.closes:
            self._close(wallet, order, verdict.trigger)
        elif verdict.rests:
            self._rest(wallet, order, now)
        elif verdict.look_again_s is not None:
            self._schedule(order, verdict.look_again_s)

    def next_due(self, now: Now) -> tuple[str, OrderId] | None:
        """The next order (wallet, order) whose time has come, once; the caller judges it if it still lives."""
        if not self._due or self._due[0][0] > now.mono_s:
            return None
        _, _, identity, address = heapq.heappop(self._due)
        return address, identity

    def run_again(self, wallet: Wallet, until_s: float, now: Now) -> None:
        """The wallet's timers were to stand still until then and do not: what they would have ended is due."""
        for order in wallet.orders.values():
            if order.scheduled_s is not None and order.scheduled_s <= until_s:
                self._schedule(order, now.mono_s)

    def flush(self, wallet: Wallet, order: OrderState, now: Now) -> None:
        """Send what is unemitted as a partial and close the order: its wallet is not watched any more."""
        self._emit(wallet, order, Trigger.REMOVAL, now, complete=False)
        self._close(wallet, order, Trigger.REMOVAL)

    def _emit(self, wallet: Wallet, order: OrderState, trigger: Trigger, now: Now, *, complete: bool) -> None:
        for leg in order.pending_legs:
            number = wallet.take_number()
            taken = order.take(leg, number)
            decision = Decision(number, trigger, complete, now)
            signal = build_signal(order, leg, taken, decision, wallet.account, self.markets, self.sizes)
            unit = self.outbox.unit(order, signal.symbol)
            unit.signals.append(signal_row(signal))
            unit.taken.extend((held.digest, leg, number) for held in taken)
            unit.emitted_legs.add(leg)
            self.tally.triggers[trigger.value] += 1

    def _close(self, wallet: Wallet, order: OrderState, trigger: Trigger | None) -> None:
        if trigger is Trigger.GRACE and order.is_unseen and not wallet.has_begun_before(order):
            self.outbox.gap(_unseen(wallet, order))
        self.outbox.finish(order, self.markets.symbol_of(order.ref.coin))
        wallet.orders.pop(order.id, None)
        wallet.episodes.tell(order.id)
        self.memory.remember(order)
        if order.fills:
            self.tally.fills_per_order.append(len(order.fills))

    def _rest(self, wallet: Wallet, order: OrderState, now: Now) -> None:
        if self.outbox.holds(order.id):
            self._schedule(order, now.mono_s + UNCOMMITTED_S)
            return
        del wallet.orders[order.id]
        # Repeats of its fills are recognised without a question, as long as memory has room for them.
        self.memory.remember(order)
        self.resting.add(order.id)

    def _ask_backfill(self, order: OrderState, now: Now) -> None:
        if order.backfill_asked_at_s is None:
            order.backfill_asked_at_s = now.mono_s
        first_ms = min((held.fill.time_ms for held in order.fills.values()), default=0)
        status_ms = order.status.time_ms if order.status else 0
        oids = (order.ref.oid,) if order.ref.twap_id is None else ()
        # The end of a TWAP is told in whole seconds: it may lie before the beginning.
        from_ms = min(filter(None, (order.order_time_ms or first_ms, status_ms)), default=0)
        self.requests.append(BackfillRequest(order.ref.address, order.fill_feed, from_ms, oids))

    def _schedule(self, order: OrderState, due_s: float) -> None:
        if order.scheduled_s is not None and order.scheduled_s <= due_s:
            return
        order.scheduled_s = due_s
        self._planned += 1
        heapq.heappush(self._due, (due_s, self._planned, order.id, order.ref.address))


def _unseen(wallet: Wallet, order: OrderState) -> storage_pb2.GapRow:
    """The record that a status spoke of fills that never came."""
    time_ms = order.status.time_ms if order.status else 0
    return storage_pb2.GapRow(
        address=order.ref.address,
        feed=order.fill_feed,
        from_ms=wallet.record_from_ms(order.fill_feed, order.order_time_ms or time_ms),
        to_ms=time_ms,
        reason=f"no fill of order {order.ref.oid} was seen",
        state="unprovable",
    )
