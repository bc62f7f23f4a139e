"""How outcomes end: trading stops at once, balances are paid out in the block after (an assumption).

In between a balance shows as `oN` instead of `+N`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Final

from .durations import DAY_MS
from .errors import RefusedError
from .events import OutcomeEvent
from .outcomes import Settled
from .precision import round_px

if TYPE_CHECKING:
    from collections.abc import Callable

    from .accounts import Account
    from .outcomes import OutcomeDesk, OutcomeSpec, Question, Recurrence
    from .state import ExchangeState

_SIDES: Final = 2


class OutcomeSettler:
    """Settles on command, and recurring markets by the clock. `cancel` takes all orders of a coin away."""

    def __init__(self, state: ExchangeState, desk: OutcomeDesk, cancel: Callable[[str], object]) -> None:
        self._state = state
        self._desk = desk
        self._cancel = cancel
        self._unpaid: list[Settled] = []

    def settle(self, outcome: int, fraction: Decimal, details: str = "") -> None:
        """End an outcome: its first side is worth `fraction`, the second what is missing to one.

        An answer that wins settles its question: all others are worth nothing.

        Raises:
            RefusedError: it is not listed, the fraction is not within 0 and 1, or the question already says otherwise.
        """
        spec = self._desk.live.get(outcome)
        if spec is None:
            raise RefusedError(f"Outcome {outcome} is not listed")
        if not 0 <= fraction <= 1:
            raise RefusedError("A settle fraction lies between 0 and 1")
        if spec.question is None:
            self._end(spec, fraction, details)
        else:
            self._answer(self._desk.questions[spec.question], spec, fraction, details)

    def _answer(self, question: Question, spec: OutcomeSpec, fraction: Decimal, details: str) -> None:
        if fraction not in {0, 1}:
            raise RefusedError("An answer to a question is right or wrong: its settle fraction is 0 or 1")
        remaining = [number for number in question.outcomes if number in self._desk.live]
        if fraction == 0 and len(remaining) == 1:
            raise RefusedError(f"Outcome {spec.outcome} is the last answer to question {question.question}")
        for number in remaining if fraction == 1 else (spec.outcome,):
            self._end(self._desk.live[number], Decimal(int(number == spec.outcome) * int(fraction)), details)
            if number in question.named:
                question.settled.append(number)
        if fraction == 1:
            self._desk.settled_questions[question.question] = self._desk.questions.pop(question.question)
            self._desk.tell(OutcomeEvent.QUESTION_SETTLED, question.question)
        else:
            self._desk.tell(OutcomeEvent.QUESTION_UPDATED, question.question)

    def _end(self, spec: OutcomeSpec, fraction: Decimal, details: str) -> None:
        state = self._state
        settled = Settled(spec, fraction, details, state.now_ms, state.block.number)
        del self._desk.live[spec.outcome]
        self._desk.settled[spec.outcome] = settled
        for side in range(_SIDES):
            coin = spec.coin(side)
            self._cancel(coin)
            state.delisted[coin] = None
            state.universe.retire(coin)
            token = state.universe.get(coin).base
            state.universe.token_by_index[token] = replace(
                state.universe.token_by_index[token], name=f"o{10 * spec.outcome + side}"
            )
            state.block.spot_changed.update(holder.address for holder in self._holders(token))
        self._unpaid.append(settled)
        self._desk.tell(OutcomeEvent.OUTCOME_SETTLED, spec.outcome)

    def _holders(self, token: int) -> list[Account]:
        held = (account for account in self._state.accounts.values() if token in account.spot)
        return [account for account in held if account.spot[token].total]

    def run(self) -> None:
        """Do what is due in this block: pay out, and end recurring markets whose time has come."""
        self._pay()
        now = self._state.now_ms
        for spec in list(self._desk.live.values()):
            if spec.recurrence is not None and spec.recurrence.expiry_ms <= now:
                self._renew(spec, spec.recurrence)

    def _renew(self, spec: OutcomeSpec, recurrence: Recurrence) -> None:
        """Settle a recurring market by the mark of its underlying, and begin the next."""
        mark = self._state.mark(recurrence.underlying)
        self.settle(spec.outcome, Decimal(int(mark >= recurrence.target)), f"{recurrence.underlying} mark {mark}")
        period = recurrence.period_ms
        expiry = recurrence.expiry_ms + period * (1 + (self._state.now_ms - recurrence.expiry_ms) // period)
        target = round_px(self._state.universe.get(recurrence.underlying), mark)
        following = replace(recurrence, target=target, expiry_ms=expiry)
        number = max((*self._desk.live, *self._desk.settled)) + 1
        self._desk.open(replace(spec, outcome=number, description=describe(following), recurrence=following))

    def _pay(self) -> None:
        """Pay out what settled in an earlier block."""
        unpaid, self._unpaid = self._unpaid, []
        for settled in unpaid:
            if settled.block == self._state.block.number:
                self._unpaid.append(settled)
                continue
            for side in range(_SIDES):
                self._pay_side(settled, side)

    def _pay_side(self, settled: Settled, side: int) -> None:
        worth = settled.fraction if side == 0 else 1 - settled.fraction
        instrument = self._desk.instrument(settled.spec.outcome, side)
        for account in self._holders(instrument.base):
            sz = account.spot[instrument.base].total
            self._desk.fills.take(account.address, instrument, sz, worth, "Settlement")
            if worth:
                self._desk.pay_out(account.address, instrument.quote, sz * worth)


def describe(recurrence: Recurrence) -> str:
    """Write a recurring market's terms as the venue does: fields and values between bars."""
    expiry = datetime.fromtimestamp(recurrence.expiry_ms / 1000, UTC)
    target = recurrence.target.quantize(Decimal(1), ROUND_HALF_EVEN)
    return (
        f"class:priceBinary|underlying:{recurrence.underlying}|expiry:{expiry:%Y%m%d-%H%M}"
        f"|targetPrice:{target}|period:{recurrence.period_ms // DAY_MS}d"
    )
