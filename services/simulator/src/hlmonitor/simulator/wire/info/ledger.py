"""Money that moved without a trade. Rows are oldest first, the first 500 at most: the venue's page of time ranges."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.durations import HOUR_MS
from hlmonitor.simulator.core.instruments import MAIN_DEX
from hlmonitor.simulator.wire.ledger_updates import ledger_update_row
from hlmonitor.simulator.wire.requests import ledger as asked
from hlmonitor.simulator.wire.rows import amount, funding_delta_row

from .topic import FailedAnswerError, Topic, dex_named, listed

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange

TOPIC = Topic()

PAGE: Final = 500


def _within(
    time_ms: int, request: asked.UserFunding | asked.UserNonFundingLedgerUpdates | asked.FundingHistory
) -> bool:
    return time_ms >= (request.start_time or 0) and (request.end_time is None or time_ms <= request.end_time)


@TOPIC.answers_to(asked.UserFunding)
def _user_funding(request: asked.UserFunding, exchange: Exchange) -> object:
    payments = exchange.state.ledger.latest(request.user.lower()).fundings
    return [funding_delta_row(paid) for paid in islice((p for p in payments if _within(p.time, request)), PAGE)]


@TOPIC.answers_to(asked.UserNonFundingLedgerUpdates)
def _ledger_updates(request: asked.UserNonFundingLedgerUpdates, exchange: Exchange) -> object:
    updates = exchange.state.ledger.latest(request.user.lower()).ledger_updates
    return [ledger_update_row(update) for update in islice((u for u in updates if _within(u.time_ms, request)), PAGE)]


@TOPIC.answers_to(asked.FundingHistory)
def _funding_history(request: asked.FundingHistory, exchange: Exchange) -> object:
    if listed(exchange, request.coin).is_spot:
        raise FailedAnswerError("spot has no funding")
    rates = (rate for rate in exchange.funding.history.get(request.coin, ()) if _within(rate.time, request))
    return [
        {"coin": rate.coin, "fundingRate": amount(rate.rate), "premium": amount(rate.premium), "time": rate.time}
        for rate in islice(rates, PAGE)
    ]


@TOPIC.answers_to(asked.PredictedFundings)
def _predicted_fundings(_request: asked.PredictedFundings, exchange: Exchange) -> object:
    """The rates of the main dex. The venue tells those of two other venues beside its own; here there are none."""
    state = exchange.state
    due_ms = state.now_ms - state.now_ms % HOUR_MS + HOUR_MS
    return [
        (
            i.coin,
            [
                ("BinPerp", None),
                (
                    "HlPerp",
                    {
                        "fundingRate": amount(exchange.funding.rate(i.coin)),
                        "nextFundingTime": due_ms,
                        "fundingIntervalHours": 1,
                    },
                ),
                ("BybitPerp", None),
            ],
        )
        for i in dex_named(exchange, MAIN_DEX).instruments
        if i.coin not in state.delisted
    ]
