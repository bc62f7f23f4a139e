"""The rates of the egress IP, shared with the gateways that leave through it too."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hlmonitor.gateway.core.shares import Spent
from hlmonitor.gateway.settings import GatewaySettings
from hlmonitor.venue.core.limits import WINDOW_S, RateLedger


@dataclass(slots=True)
class Budgets:
    """The egress IP's rates, resized to this gateway's share of its group."""

    new_connections: RateLedger
    messages: RateLedger
    rest: RateLedger
    group_size: int = 0
    overspent: Spent = field(default_factory=Spent)
    """What we took within the last window beyond the share that we have now: whoever joined must not take it again."""
    _fewer_since: float | None = None

    def share(self, settings: GatewaySettings, group_size: int, others: Iterable[Spent], now: float) -> None:
        """Take an equal share of a group that agrees on its size.

        Who joins counts what the others took beyond their shares. Who would get more, because one has left, waits a
        window for it: that one may have used it.
        """
        if group_size >= self.group_size:
            self._fewer_since = None
        elif self._fewer_since is None:
            self._fewer_since = now
        if group_size == self.group_size or (self._fewer_since is not None and now - self._fewer_since < WINDOW_S):
            return
        joins, self.group_size = not self.group_size, group_size
        limits = (settings.new_connections_per_minute, settings.messages_per_minute, settings.rest_weight_per_minute)
        taken = [sum(units) for units in zip(Spent(), *others, strict=True)]
        over = []
        for ledger, limit, units in zip(self._ledgers(), limits, taken, strict=True):
            share = max(limit // group_size, 1)
            ledger.charge(units if joins else 0, now)
            ledger.resize(share)
            over.append(max(int(ledger.used(now) - share), 0))
        self.overspent = Spent(*over)

    def _ledgers(self) -> tuple[RateLedger, RateLedger, RateLedger]:
        return self.new_connections, self.messages, self.rest
