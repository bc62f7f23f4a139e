"""The outcomes that every exchange starts with: a daily market on BTC, and a question with three answers."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from .durations import DAY_MS
from .outcome_settlement import describe
from .outcomes import OutcomeSpec, Question, Recurrence

if TYPE_CHECKING:
    from .outcomes import OutcomeDesk

RECURRING: Final = 33
QUESTION: Final = 5
NAMED: Final = (41, 42)
FALLBACK: Final = 40
_SIX_MS: Final = DAY_MS // 4
_ANSWERS: Final = (
    (FALLBACK, "Fallback", "", "0.1"),
    (NAMED[0], "Higher", "index:0", "0.5"),
    (NAMED[1], "Unchanged", "index:1", "0.4"),
)


def open_all(desk: OutcomeDesk, genesis_ms: int, btc_px: Decimal) -> None:
    """List them. The daily market ends at six in the morning, UTC, as on the venue; agents trade nothing else."""
    expiry = (genesis_ms - _SIX_MS) // DAY_MS * DAY_MS + _SIX_MS + DAY_MS
    recurrence = Recurrence("BTC", btc_px, expiry, DAY_MS)
    desk.open(OutcomeSpec(RECURRING, "Recurring", describe(recurrence), recurrence=recurrence, quiet=False))
    for outcome, name, description, px in _ANSWERS:
        desk.open(OutcomeSpec(outcome, name, description, start_px=Decimal(px), question=QUESTION))
    desk.ask(Question(QUESTION, "Next rate decision", "class:multiple", FALLBACK, NAMED))
