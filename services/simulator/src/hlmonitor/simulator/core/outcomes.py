"""HIP-4 outcomes: what they are called, and the conversions between their tokens (facts 4.4).

An outcome has two sides, each a token of its own; a pair of both is worth one quote token, which the exchange
keeps until the outcome settles. Of the outcomes of a question exactly one settles to its first side. So

* split:           1 quote                     -> 1 of each side
* merge:           1 of each side              -> 1 quote
* merge question:  1 first side of every outcome of the question -> 1 quote
* negate:          1 second side of an outcome -> 1 first side of every other outcome of its question

Conversions are fills of the system, at the mark of the first side and what is missing to one for the second.
There are no fees on outcomes (the venue's documentation: "currently zero").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from .accounts import ZERO
from .balance_fills import BalanceFills
from .errors import RefusedError
from .events import OutcomeChange, OutcomeEvent
from .instruments import OUTCOME_IDS, USDC, Instrument, Kind, Token

if TYPE_CHECKING:
    from .margin import Margin
    from .state import ExchangeState

_SIDES: Final = 2


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A market that settles at `expiry_ms` by a perp's mark price: at or above `target`, the first side wins.

    Then the next one begins, `period_ms` long and with the mark price as target.
    """

    underlying: str
    target: Decimal
    expiry_ms: int
    period_ms: int


@dataclass(frozen=True, slots=True)
class OutcomeSpec:
    """One outcome. `question` is the one whose answer it may be."""

    outcome: int
    name: str
    description: str
    sides: tuple[str, str] = ("Yes", "No")
    quote: int = USDC
    start_px: Decimal = Decimal("0.5")
    question: int | None = None
    recurrence: Recurrence | None = None
    quiet: bool = True

    def coin(self, side: int) -> str:
        """Return the wire name of a side's book."""
        return f"#{10 * self.outcome + side}"


@dataclass(slots=True)
class Question:
    """Outcomes of which exactly one settles to its first side; the fallback if none of the named does."""

    question: int
    name: str
    description: str
    fallback: int
    named: tuple[int, ...]
    settled: list[int] = field(default_factory=list)

    @property
    def outcomes(self) -> tuple[int, ...]:
        """All possible answers."""
        return (*self.named, self.fallback)


@dataclass(frozen=True, slots=True)
class Settled:
    """How an outcome ended: what its first side was worth."""

    spec: OutcomeSpec
    fraction: Decimal
    details: str
    time_ms: int
    block: int


class OutcomeDesk:
    """Keeps the outcomes, and converts their tokens for wallets."""

    def __init__(self, state: ExchangeState, margin: Margin) -> None:
        self._state = state
        self._margin = margin
        self.fills = BalanceFills(state)
        self.live: dict[int, OutcomeSpec] = {}
        self.settled: dict[int, Settled] = {}
        self.questions: dict[int, Question] = {}
        self.settled_questions: dict[int, Question] = {}

    def open(self, spec: OutcomeSpec) -> None:
        """List an outcome."""
        self.live[spec.outcome] = spec
        self._state.add_outcome(*(_side_of(spec, side) for side in range(_SIDES)))
        self.tell(OutcomeEvent.OUTCOME_CREATED, spec.outcome)

    def ask(self, question: Question) -> None:
        """Let outcomes that are listed be the answers to a question."""
        self.questions[question.question] = question
        self.tell(OutcomeEvent.QUESTION_UPDATED, question.question)

    def tell(self, event: OutcomeEvent, number: int) -> None:
        """Put a change of the listing into the block."""
        self._state.block.outcome_changes.append(OutcomeChange(event, number))

    def instrument(self, outcome: int, side: int) -> Instrument:
        """Return the instrument of one side of a live or settled outcome."""
        return self._state.universe.get(f"#{10 * outcome + side}")

    def px(self, outcome: int, side: int) -> Decimal:
        """Return what a side is worth: both together are worth one."""
        first = self._state.mark(f"#{10 * outcome}")
        return first if side == 0 else 1 - first

    def split(self, address: str, outcome: int, amount: Decimal) -> None:
        """Turn quote tokens into as many of both sides; raise RefusedError."""
        spec = self._live(outcome, amount)
        self._pay(address, spec.quote, -amount)
        for side in range(_SIDES):
            instrument = self.instrument(outcome, side)
            self.fills.add(address, instrument, amount, self.px(outcome, side), "Split Outcome")

    def merge(self, address: str, outcome: int, amount: Decimal) -> None:
        """Turn as many of both sides into quote tokens; raise RefusedError."""
        spec = self._live(outcome, amount)
        sides = [(outcome, side) for side in range(_SIDES)]
        self._check(address, sides, amount)
        self._pay(address, spec.quote, amount)
        for _, side in sides:
            self._take(address, outcome, side, amount, "Merge Outcome")

    def merge_question(self, address: str, question: int, amount: Decimal) -> None:
        """Turn first sides of every answer into quote tokens; raise RefusedError."""
        asked = self._asked(question)
        answers = [(outcome, 0) for outcome in asked.outcomes if outcome in self.live]
        self._live(answers[0][0], amount)
        self._check(address, answers, amount)
        self._pay(address, self.live[answers[0][0]].quote, amount)
        for outcome, side in answers:
            self._take(address, outcome, side, amount, "Merge Question")

    def negate(self, address: str, outcome: int, amount: Decimal) -> None:
        """Turn the second side of an answer into the first sides of all others; raise RefusedError."""
        spec = self._live(outcome, amount)
        if spec.question is None:
            raise RefusedError(f"Outcome {outcome} belongs to no question")
        self._check(address, [(outcome, 1)], amount)
        self._state.new_hash()
        self._take(address, outcome, 1, amount, "Negate Outcome")
        for other in self._asked(spec.question).outcomes:
            if other != outcome and other in self.live:
                self.fills.add(address, self.instrument(other, 0), amount, self.px(other, 0), "Negate Outcome")

    def pay_out(self, address: str, quote: int, amount: Decimal) -> None:
        """Pay a wallet out of what was kept."""
        self._state.escrow[quote] = self._state.escrow.get(quote, ZERO) - amount
        self._state.credit_token(address, quote, amount)

    def _pay(self, address: str, quote: int, amount: Decimal) -> None:
        account = self._state.account(address)
        spare = account.balance(quote).total - self._margin.hold(account, quote)
        if not account.house and spare + amount < 0:
            raise RefusedError(f"Insufficient balance: {address} cannot spare {-amount} of token {quote}")
        self._state.new_hash()
        self.pay_out(address, quote, amount)

    def _take(self, address: str, outcome: int, side: int, amount: Decimal, text: str) -> None:
        self.fills.take(address, self.instrument(outcome, side), amount, self.px(outcome, side), text)

    def _live(self, outcome: int, amount: Decimal) -> OutcomeSpec:
        spec = self.live.get(outcome)
        if spec is None:
            raise RefusedError(f"Outcome {outcome} is not listed")
        if amount <= 0 or amount != amount.to_integral_value():
            raise RefusedError("Outcome tokens come in whole numbers")
        return spec

    def _asked(self, question: int) -> Question:
        asked = self.questions.get(question)
        if asked is None:
            raise RefusedError(f"Question {question} is not listed")
        return asked

    def _check(self, address: str, sides: list[tuple[int, int]], amount: Decimal) -> None:
        account = self._state.account(address)
        for outcome, side in sides:
            token = self.instrument(outcome, side).base
            if account.balance(token).total - self._margin.hold(account, token) < amount:
                raise RefusedError(f"Insufficient balance: {address} cannot spare {amount} of +{10 * outcome + side}")


def _side_of(spec: OutcomeSpec, side: int) -> tuple[Instrument, Token]:
    number = 10 * spec.outcome + side
    token = Token(f"+{number}", OUTCOME_IDS + number, 0, 8)
    instrument = Instrument(
        spec.coin(side),
        Kind.OUTCOME,
        number,
        0,
        spec.start_px if side == 0 else 1 - spec.start_px,
        base=token.index,
        quote=spec.quote,
        # Agents quote the first side only: its book is merged with the other one.
        quiet=spec.quiet or side != 0,
        dual=spec.coin(1 - side),
    )
    return instrument, token
