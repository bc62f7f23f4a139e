"""From a request to its answer: finds the function of its type in the topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import accounts, fees, fills, ledger, listings, orders, prices, roles, staking, status, vaults

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.wire.requests import Info

ANSWERS: Final = {
    kind: function
    for module in (listings, prices, accounts, roles, orders, fills, ledger, fees, staking, status, vaults)
    for kind, function in module.TOPIC.answers.items()
}


class Answerer:
    """Reads; never changes anything."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def answer(self, request: Info) -> object:
        """Return the reply as plain data; raise FailedAnswerError."""
        return ANSWERS[type(request)](request, self._exchange)

    @staticmethod
    def extra_weight(request: Info, reply: object) -> int:
        """Return what a reply costs beyond the request's own weight."""
        if not request.items_per_weight or not isinstance(reply, list):
            return 0
        return len(reply) // request.items_per_weight
