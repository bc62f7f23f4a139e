"""Money that moved without a trade. Rows are oldest first, the first 500 at most: the venue's page of time ranges."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.wire.ledger_updates import ledger_update_row
from hlmonitor.simulator.wire.requests import ledger as asked
from hlmonitor.simulator.wire.rows import funding_delta_row

from .topic import Topic

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange

TOPIC = Topic()

PAGE: Final = 500


def _within(time_ms: int, request: asked.UserFunding | asked.UserNonFundingLedgerUpdates) -> bool:
    return time_ms >= (request.start_time or 0) and (request.end_time is None or time_ms <= request.end_time)


@TOPIC.answers_to(asked.UserFunding)
def _user_funding(request: asked.UserFunding, exchange: Exchange) -> object:
    payments = exchange.state.ledger.of(request.user.lower()).fundings
    return [funding_delta_row(paid) for paid in islice((p for p in payments if _within(p.time, request)), PAGE)]


@TOPIC.answers_to(asked.UserNonFundingLedgerUpdates)
def _ledger_updates(request: asked.UserNonFundingLedgerUpdates, exchange: Exchange) -> object:
    updates = exchange.state.ledger.of(request.user.lower()).ledger_updates
    return [ledger_update_row(update) for update in islice((u for u in updates if _within(u.time_ms, request)), PAGE)]
