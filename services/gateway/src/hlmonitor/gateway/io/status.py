"""What a gateway shows of itself: `/status` and gauges, each read at the moment when somebody asks."""

import time
from dataclasses import dataclass

from hlmonitor.domain.partitions import partition_of
from hlmonitor.gateway.io.supervisor import Supervisor
from hlmonitor.runtime.clock import wall_ms


@dataclass(slots=True)
class Status:
    """Reads what the supervisor holds."""

    supervisor: Supervisor

    def add_metrics(self) -> None:
        """Feed the gauges."""
        metrics, wallets, window = self.supervisor.service.metrics, self.supervisor.wallets, self.supervisor.window
        metrics.addresses_subscribed.set_function(self._subscribed)
        metrics.pool_manager_connection_count.set_function(lambda: wallets.connected)
        metrics.websocket_connected.set_function(lambda: wallets.connected == len(wallets.running))
        metrics.message_queue_size.set_function(lambda: window.statistics().events)
        metrics.acknowledgement_lag_seconds.set_function(self._acknowledgement_lag_s)
        metrics.wallets_uncovered.set_function(lambda: len(self.supervisor.uncovered()))
        metrics.backfills_pending.set_function(
            lambda: sum(len(running.wallet.backlog) for running in wallets.running.values())
        )

    def add_status(self) -> None:
        """Show wallets, connections, windows and streams in `/status`."""
        supervisor, health = self.supervisor, self.supervisor.service.health
        health.add_status("address_count", lambda: len(supervisor.wallets.running))
        health.add_status("wallets", self._wallets)
        health.add_status("uncovered", supervisor.uncovered)
        health.add_status("connections", supervisor.wallets.pool.loads)
        health.add_status("window", supervisor.window.statistics)
        health.add_status("budgets_used", self._budgets_used)
        health.add_status(
            "streams", lambda: {name: it.link.connected or it.link.last_error for name, it in supervisor.links.items()}
        )

    def _wallets(self) -> list[dict[str, object]]:
        wallets, window = self.supervisor.wallets, self.supervisor.window
        return [
            {
                "address": address,
                "state": running.wallet.state(),
                "connections": wallets.pool.numbers(address),
                "partition": partition_of(address),
                "unacknowledged_events": window.held_of(address),
                "refusal": running.wallet.refusal,
                "leaves": running.leaves,
                "backfill": running.wallet.backlog.shown(),
            }
            for address, running in sorted(wallets.running.items())
        ]

    def _budgets_used(self) -> dict[str, float]:
        budgets, now = self.supervisor.budgets, time.monotonic()
        return {
            "new_connections": budgets.new_connections.used(now),
            "messages": budgets.messages.used(now),
            "rest_weight": budgets.rest.used(now),
        }

    def _acknowledgement_lag_s(self) -> float:
        oldest_ms = self.supervisor.window.oldest_received_ms()
        return 0.0 if oldest_ms is None else max(wall_ms() - oldest_ms, 0) / 1000

    def _subscribed(self) -> int:
        return sum(running.wallet.session.is_acknowledged for running in self.supervisor.wallets.running.values())
