"""The rates of the egress IP, shared with the gateways that leave through it too."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hlmonitor.gateway.core.shares import Spent
from hlmonitor.gateway.settings import GatewaySettings
from hlmonitor.venue.core.limits import RateLedger


@dataclass(slots=True)
class Budgets:
    """The egress IP's rates, resized to this gateway's share of its group."""

    new_connections: RateLedger
    messages: RateLedger
    rest: RateLedger
    group_size: int = 0
    overspent: Spent = field(default_factory=Spent)
    """What we took within the last window beyond the share that we have now: whoever joined must not take it again."""

    def share(self, settings: GatewaySettings, group_size: int, others: Iterable[Spent], now: float) -> None:
        """Take an equal share of a group that agrees on its size.

        Who joins counts what the others took beyond their shares. Who gets more, because one has left, counts it as
        taken, for that one may have.
        """
        if group_size == self.group_size:
            return
        joins, self.group_size = not self.group_size, group_size
        limits = (settings.new_connections_per_minute, settings.messages_per_minute, settings.rest_weight_per_minute)
        taken = [sum(units) for units in zip(Spent(), *others, strict=True)]
        over = []
        for ledger, limit, units in zip(self._ledgers(), limits, taken, strict=True):
            share = max(limit // group_size, 1)
            ledger.charge(units if joins else max(share - ledger.limit, 0), now)
            ledger.resize(share)
            over.append(max(int(ledger.used(now) - share), 0))
        self.overspent = Spent(*over)

    def _ledgers(self) -> tuple[RateLedger, RateLedger, RateLedger]:
        return self.new_connections, self.messages, self.rest
