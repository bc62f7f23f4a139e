"""The limits of the egress IP, shared with the gateways that leave through it too."""

from dataclasses import dataclass

from hlmonitor.gateway.settings import GatewaySettings
from hlmonitor.venue.core.limits import RateLedger


@dataclass(slots=True)
class Budgets:
    """The egress IP's limits, resized to this gateway's share of its group."""

    new_connections: RateLedger
    messages: RateLedger
    rest: RateLedger
    group_size: int = 0

    def share(self, settings: GatewaySettings, group_size: int, now: float) -> None:
        """Take an equal share. Who joins others waits one window: they may have spent all of it."""
        if group_size == self.group_size:
            return
        self.new_connections.resize(max(settings.new_connections_per_minute // group_size, 1))
        self.messages.resize(max(settings.messages_per_minute // group_size, 1))
        self.rest.resize(max(settings.rest_weight_per_minute // group_size, 1))
        if not self.group_size and group_size > 1:
            for ledger in (self.new_connections, self.messages, self.rest):
                ledger.spend_all(now)
        self.group_size = group_size
