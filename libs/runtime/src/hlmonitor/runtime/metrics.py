"""The metrics of every service, as one typed list.

The first block is the original's: names, types and labels are kept, so that its dashboards go on. Each is fed by the
service named in its sentence; a service exposes all and leaves the others' at zero.
"""

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

_PREFIX = "hl_monitor_"


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


@dataclass(frozen=True, slots=True)
class MetricDef:
    """One metric: its name without prefix, what it tells, and its labels."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


@dataclass(slots=True)
class Metrics:
    """The process' metrics. Attributes carry the names of the definitions."""

    registry: CollectorRegistry = field(default_factory=_registry)

    # The original's.
    signals_published_total: Counter = field(init=False)
    signal_errors_total: Counter = field(init=False)
    addresses_subscribed: Gauge = field(init=False)
    websocket_connected: Gauge = field(init=False)
    nats_connected: Gauge = field(init=False)
    trades_deduplicated_total: Counter = field(init=False)
    trades_processed_total: Counter = field(init=False)
    positions_total: Gauge = field(init=False)
    position_updates_total: Counter = field(init=False)
    margin_updates_total: Counter = field(init=False)
    order_aggregation_active: Gauge = field(init=False)
    order_flush_total: Counter = field(init=False)
    order_fills_per_order: Histogram = field(init=False)
    order_updates_received_total: Counter = field(init=False)
    pool_manager_connection_count: Gauge = field(init=False)
    cache_hit_total: Counter = field(init=False)
    cache_miss_total: Counter = field(init=False)
    message_queue_size: Gauge = field(init=False)
    message_queue_full_total: Counter = field(init=False)
    batch_write_size: Histogram = field(init=False)
    batch_write_duration_seconds: Histogram = field(init=False)
    batch_dedup_cache_hit_total: Counter = field(init=False)

    # Ours: gateway.
    frames_received_total: Counter = field(init=False)
    frames_rejected_total: Counter = field(init=False)
    venue_reconnects_total: Counter = field(init=False)
    venue_gaps_total: Counter = field(init=False)
    wallets_uncovered: Gauge = field(init=False)
    backfill_pages_total: Counter = field(init=False)
    backfill_rows_total: Counter = field(init=False)
    backfills_pending: Gauge = field(init=False)
    acknowledgement_lag_seconds: Gauge = field(init=False)
    events_sent_total: Counter = field(init=False)
    # Ours: aggregator.
    partitions_owned: Gauge = field(init=False)
    dir_mismatch_total: Counter = field(init=False)
    continuity_breaks_total: Counter = field(init=False)
    position_differences_total: Counter = field(init=False)
    balance_breaks_total: Counter = field(init=False)
    signal_latency_seconds: Histogram = field(init=False)
    signals_unpublished: Gauge = field(init=False)
    signals_unpublished_in_sql: Gauge = field(init=False)
    signals_republished_total: Counter = field(init=False)
    status_events_dropped_total: Counter = field(init=False)
    legacy_published_total: Counter = field(init=False)
    # Ours: writer.
    commits_refused_total: Counter = field(init=False)
    dead_letters_total: Counter = field(init=False)
    signal_conflicts_total: Counter = field(init=False)
    # Ours: address-loader and cleaner.
    watch_rows_rejected: Gauge = field(init=False)
    rows_cleaned_total: Counter = field(init=False)
    signal_rows_over_limit: Gauge = field(init=False)

    def __post_init__(self) -> None:
        """Make every metric of the list, so that attributes and list cannot differ."""
        for definition in COUNTERS:
            self._make(Counter, definition)
        for definition in GAUGES:
            self._make(Gauge, definition)
        for definition in HISTOGRAMS:
            histogram = Histogram(
                _PREFIX + definition.name,
                definition.help,
                definition.labels,
                registry=self.registry,
                buckets=definition.buckets,
            )
            setattr(self, definition.name, histogram)

    def _make(self, kind: type[Counter | Gauge], definition: MetricDef) -> None:
        metric = kind(_PREFIX + definition.name, definition.help, definition.labels, registry=self.registry)
        setattr(self, definition.name, metric)


COUNTERS = (
    MetricDef("signals_published_total", "Signals confirmed by the stream (aggregator).", ("side", "symbol")),
    MetricDef("signal_errors_total", "Publishes that failed and are tried again (aggregator).", ("type",)),
    MetricDef("trades_deduplicated_total", "Fills that were known already (aggregator)."),
    MetricDef("trades_processed_total", "Fills by effect: opening, closing, ignored (aggregator).", ("type",)),
    MetricDef("position_updates_total", "Position snapshots by status: success, error (aggregator).", ("status",)),
    MetricDef("margin_updates_total", "Account value snapshots by status: success, error (aggregator).", ("status",)),
    MetricDef(
        "order_flush_total", "Signals by cause: status, timeout, grace, system, removal (aggregator).", ("trigger",)
    ),
    MetricDef("order_updates_received_total", "Order status entries from the venue (gateway)."),
    MetricDef("cache_hit_total", "Look-ups found, by cache: dedup, symbol, price (aggregator).", ("cache_type",)),
    MetricDef(
        "cache_miss_total",
        "Look-ups not found, by cache: dedup, symbol, price (aggregator).",
        ("cache_type",),
    ),
    MetricDef("message_queue_full_total", "Times a bounded queue was full (gateway, aggregator, writer)."),
    MetricDef("batch_dedup_cache_hit_total", "Rows that were stored already (writer).", ("table",)),
    MetricDef("frames_received_total", "Frames from the venue, by channel (gateway).", ("channel",)),
    MetricDef("frames_rejected_total", "Frames that could not be used, by reason (gateway).", ("reason",)),
    MetricDef("venue_reconnects_total", "Connections opened again, by cause (gateway).", ("cause",)),
    MetricDef("venue_gaps_total", "Stretches of a feed that were not vouched for, by reason (gateway).", ("reason",)),
    MetricDef("backfill_pages_total", "Pages read over REST, by kind: catch_up, asked, routine (gateway).", ("kind",)),
    MetricDef("backfill_rows_total", "Rows read over REST, by kind: catch_up, asked, routine (gateway).", ("kind",)),
    MetricDef("events_sent_total", "Events handed to aggregators, repeats included (gateway)."),
    MetricDef("dir_mismatch_total", "Fills whose dir contradicts position, side and size (aggregator)."),
    MetricDef("continuity_breaks_total", "Fills whose start position is not where the last one ended (aggregator)."),
    MetricDef(
        "position_differences_total",
        "Positions that the venue told for seconds and that are not where our fills led (aggregator).",
    ),
    MetricDef(
        "balance_breaks_total",
        "Spot fills whose balance is not where the last one left it, by what came of it: explained, read_again"
        " (aggregator).",
        ("result",),
    ),
    MetricDef(
        "signals_republished_total", "Signals that the stream had lost and has again: someone must look (aggregator)."
    ),
    MetricDef(
        "status_events_dropped_total", "Status events that NATS was away for too long for; SQL has them (aggregator)."
    ),
    MetricDef("legacy_published_total", "Messages on the original's subject (aggregator)."),
    MetricDef("commits_refused_total", "Batches refused, by reason (writer).", ("reason",)),
    MetricDef("dead_letters_total", "Units of one order whose data the database refused (writer)."),
    MetricDef("signal_conflicts_total", "Signals whose id is stored with other content: someone must look (writer)."),
    MetricDef("rows_cleaned_total", "Rows deleted, by table (cleaner).", ("table",)),
)
GAUGES = (
    MetricDef("addresses_subscribed", "Wallets whose subscriptions are acknowledged (gateway)."),
    MetricDef("websocket_connected", "1 while every connection that should be up is up (gateway)."),
    MetricDef("nats_connected", "1 while connected to NATS (every service that uses it)."),
    MetricDef("positions_total", "Open positions of the wallets held here (aggregator)."),
    MetricDef("order_aggregation_active", "Orders in memory that are not finished (aggregator)."),
    MetricDef("pool_manager_connection_count", "Connections to the venue (gateway)."),
    MetricDef(
        "message_queue_size",
        "Entries waiting: un-acked events (gateway), events (aggregator), batches (writer).",
    ),
    MetricDef("wallets_uncovered", "Watched wallets that no gateway has room for (gateway)."),
    MetricDef("backfills_pending", "REST work of wallets that waits or is being done (gateway)."),
    MetricDef("acknowledgement_lag_seconds", "Age of the oldest event that is not durable yet (gateway)."),
    MetricDef("partitions_owned", "Partitions that this process owns and has loaded (aggregator)."),
    MetricDef("signals_unpublished", "Signals committed and not yet confirmed by the stream (aggregator)."),
    MetricDef(
        "signals_unpublished_in_sql",
        "Those of them that memory has no room for, read when it is their turn (aggregator).",
    ),
    MetricDef("watch_rows_rejected", "Rows of the watch list without a valid address (address-loader)."),
    MetricDef("signal_rows_over_limit", "Signal rows above the limit that are too young to delete: alert (cleaner)."),
)
HISTOGRAMS = (
    MetricDef(
        "order_fills_per_order",
        "Fills of an order when it is finished (aggregator).",
        (),
        (1, 2, 3, 5, 10, 20, 50),
    ),
    MetricDef("batch_write_size", "Rows in one transaction (writer).", (), (1, 10, 25, 50, 100, 200, 500)),
    MetricDef(
        "batch_write_duration_seconds",
        "Duration of one transaction (writer).",
        (),
        (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
    ),
    MetricDef(
        "signal_latency_seconds",
        "From the receipt of a signal's last event at the gateway to the stream's confirmation (aggregator).",
        (),
        (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
    ),
)
