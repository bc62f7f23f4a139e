"""What is told every second: a heartbeat on `hl.status.v1.>`, and to the metrics what the cores counted."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from hlmonitor.aggregator.core.news import SUBJECT
from hlmonitor.aggregator.core.tally import Tally
from hlmonitor.aggregator.io.owner import Owner
from hlmonitor.aggregator.io.query import Totals
from hlmonitor.aggregator.io.signal_stream import SignalStream, StreamError
from hlmonitor.runtime.clock import wall_ms
from hlmonitor.runtime.metrics import Metrics

HEARTBEAT_S = 1.0
HEARTBEAT_SUBJECT = f"{SUBJECT}.heartbeat"


@dataclass(slots=True)
class StatusReporter:
    """Tells consumers that silence is calm, and the metrics what happened."""

    stream: SignalStream
    owner: Owner
    metrics: Metrics
    totals: Totals
    instance: str

    async def run(self) -> None:
        """Report every second, for ever."""
        while True:
            self.export()
            await self._heartbeat()
            await asyncio.sleep(HEARTBEAT_S)

    def export(self) -> None:
        """Move the cores' counts to the metrics."""
        hosts = [host for host in self.owner.hosts.values() if host.partition]
        for host in hosts:
            if host.partition:
                self._count(host.partition.take_tally())
        metrics = self.metrics
        metrics.partitions_owned.set(len(hosts))
        metrics.order_aggregation_active.set(sum(host.open_orders for host in hosts))
        metrics.signals_unpublished.set(sum(host.unpublished for host in hosts))
        metrics.signals_unpublished_in_sql.set(sum(host.unpublished_in_sql for host in hosts))
        metrics.message_queue_size.set(sum(len(host.intake) for host in self.owner.hosts.values()))
        metrics.positions_total.set(
            sum(
                wallet.account.open_positions()
                for host in hosts
                if host.partition
                for wallet in host.partition.wallets.values()
            )
        )

    def _count(self, tally: Tally) -> None:
        metrics = self.metrics
        self.totals.fills += tally.fills
        self.totals.duplicates += tally.duplicates
        self.totals.signals += tally.triggers.total()
        metrics.trades_deduplicated_total.inc(tally.duplicates)
        metrics.cache_hit_total.labels("dedup").inc(tally.duplicates)
        metrics.cache_miss_total.labels("dedup").inc(tally.fills - tally.duplicates)
        metrics.dir_mismatch_total.inc(tally.dir_mismatches)
        metrics.continuity_breaks_total.inc(tally.breaks)
        metrics.position_differences_total.inc(tally.position_differences)
        for result, count in tally.balance_breaks.items():
            metrics.balance_breaks_total.labels(result).inc(count)
        for effect, count in tally.effects.items():
            metrics.trades_processed_total.labels(effect).inc(count)
        for trigger, count in tally.triggers.items():
            metrics.order_flush_total.labels(trigger).inc(count)
        for fills in tally.fills_per_order:
            metrics.order_fills_per_order.observe(fills)
        _count_snapshots(metrics, tally.snapshots, "success")
        _count_snapshots(metrics, tally.snapshot_errors, "error")

    async def _heartbeat(self) -> None:
        beat = {
            "aggregator": self.instance,
            "time_ms": wall_ms(),
            "partitions": sorted(number for number, host in self.owner.hosts.items() if host.state == "ready"),
            "signals": self.totals.signals,
            "unpublished": sum(host.unpublished for host in self.owner.hosts.values()),
            "open_gaps": sum(host.open_gaps for host in self.owner.hosts.values()),
        }
        try:
            await self.stream.tell(f"{HEARTBEAT_SUBJECT}.{self.instance}", msgspec.json.encode(beat))
        except StreamError:
            # A consumer that hears nothing knows that there is nothing to rely on: that is the message.
            return


def _count_snapshots(metrics: Metrics, parts: Mapping[str, int], status: str) -> None:
    # A perp snapshot carries positions and margin; a spot snapshot only balances, which are positions too.
    for part, count in parts.items():
        metrics.position_updates_total.labels(status).inc(count)
        if part == "perps":
            metrics.margin_updates_total.labels(status).inc(count)
