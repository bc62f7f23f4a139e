"""What an account holds and what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hlmonitor.simulator.wire.requests import accounts as asked
from hlmonitor.simulator.wire.states import clearinghouse_state, spot_state

from .topic import Topic, dex_named

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange

TOPIC = Topic()


@TOPIC.answers_to(asked.ClearinghouseState)
def _clearinghouse_state(request: asked.ClearinghouseState, exchange: Exchange) -> object:
    dex = dex_named(exchange, request.dex)
    return clearinghouse_state(exchange, request.user.lower(), dex.name)


@TOPIC.answers_to(asked.SpotClearinghouseState)
def _spot_state(request: asked.SpotClearinghouseState, exchange: Exchange) -> object:
    return spot_state(exchange, request.user.lower())


@TOPIC.answers_to(asked.UserRole)
def _user_role(request: asked.UserRole, exchange: Exchange) -> object:
    return {"role": "user" if request.user.lower() in exchange.state.accounts else "missing"}


@TOPIC.answers_to(asked.UserAbstraction)
def _user_abstraction(_request: asked.UserAbstraction, _exchange: Exchange) -> object:
    return "disabled"
