"""HIP-4 outcomes: the listing, its changes, and how one ended (facts 4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hlmonitor.simulator.core.events import OutcomeChange, OutcomeEvent

from .rows import amount

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.outcomes import OutcomeSpec, Question


def outcome_meta(exchange: Exchange) -> dict[str, object]:
    """Write the live outcomes and questions."""
    desk = exchange.outcomes
    return {
        "outcomes": [outcome_row(exchange, spec) for spec in desk.live.values()],
        "questions": [question_row(question) for question in desk.questions.values()],
    }


def outcome_row(exchange: Exchange, spec: OutcomeSpec) -> dict[str, object]:
    """Write an outcome."""
    return {
        "outcome": spec.outcome,
        "name": spec.name,
        "description": spec.description,
        "sideSpecs": [{"name": side} for side in spec.sides],
        "quoteToken": exchange.state.universe.token_by_index[spec.quote].name,
    }


def question_row(question: Question) -> dict[str, object]:
    """Write a question."""
    return {
        "question": question.question,
        "name": question.name,
        "description": question.description,
        "fallbackOutcome": question.fallback,
        "namedOutcomes": list(question.named),
        "settledNamedOutcomes": list(question.settled),
    }


def settled_outcome(exchange: Exchange, outcome: int) -> dict[str, object] | None:
    """Write how an outcome ended; null while it has not."""
    desk = exchange.outcomes
    settled = desk.settled.get(outcome)
    if settled is None:
        return None
    row: dict[str, object] = {
        "spec": outcome_row(exchange, settled.spec),
        "settleFraction": amount(settled.fraction),
        "details": settled.details,
    }
    number = settled.spec.question
    if number is not None:
        active = desk.questions.get(number)
        question = active or desk.settled_questions[number]
        row["question"] = {
            "question": {"active" if active is not None else "settled": number},
            "name": question.name,
            "description": question.description,
        }
    return row


def outcome_change_row(exchange: Exchange, change: OutcomeChange) -> dict[str, object]:
    """Write an entry of `outcomeMetaUpdates`: what was created or changed as a whole, what settled by its number."""
    desk, number = exchange.outcomes, change.number
    match change.event:
        case OutcomeEvent.OUTCOME_CREATED:
            spec = desk.live[number] if number in desk.live else desk.settled[number].spec
            value: object = outcome_row(exchange, spec)
        case OutcomeEvent.QUESTION_UPDATED:
            value = question_row(desk.questions.get(number) or desk.settled_questions[number])
        case OutcomeEvent.OUTCOME_SETTLED | OutcomeEvent.QUESTION_SETTLED:
            value = number
    return {change.event.value: value}
