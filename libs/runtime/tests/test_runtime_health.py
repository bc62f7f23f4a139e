"""Health over HTTP: what live, ready, status and metrics answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec

from hlmonitor.runtime.health import Health, HealthServer
from hlmonitor.runtime.metrics import COUNTERS, GAUGES, HISTOGRAMS, Metrics


@asynccontextmanager
async def serving(health: Health, metrics: Metrics | None = None) -> AsyncIterator["Caller"]:
    server = HealthServer(health, metrics or Metrics())
    await server.start("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
            yield Caller(session)
    finally:
        await server.stop()


class Caller:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def get(self, path: str) -> tuple[int, str]:
        async with self._session.get(path) as response:
            return response.status, await response.text()

    async def json(self, path: str) -> tuple[int, dict[str, object]]:
        code, body = await self.get(path)
        return code, msgspec.json.decode(body)


async def test_ready_only_when_every_component_is_up_and_says_what_is_down() -> None:
    health = Health()
    database, nats = health.component("database"), health.component("nats")
    async with serving(health) as caller:
        assert await caller.get("/health/ready") == (503, "not ready\ndatabase: starting; nats: starting\n")
        database.up()
        nats.down("no connection to nats://nowhere:1")
        assert await caller.get("/health/ready") == (503, "not ready\nnats: no connection to nats://nowhere:1\n")
        nats.up()
        assert await caller.get("/health/ready") == (200, "ok")


async def test_a_stopping_service_is_live_but_neither_ready_nor_healthy() -> None:
    health = Health(stopping=True)
    async with serving(health) as caller:
        assert await caller.get("/health/live") == (200, "ok")
        assert await caller.get("/health/ready") == (503, "not ready\nstopping\n")
        code, summary = await caller.json("/health")
        assert (code, summary["healthy"]) == (503, False)


async def test_a_component_that_is_down_does_not_make_the_service_unhealthy() -> None:
    # As in the original: /health is 503 only while stopping.
    health = Health()
    health.component("nats")
    async with serving(health) as caller:
        code, summary = await caller.json("/health")
        assert (code, summary["healthy"], summary["ready"]) == (200, True, False)


async def test_health_has_the_originals_fields() -> None:
    health = Health()
    health.component("venue").up()
    health.component("nats").down("gone")
    health.add_status("address_count", lambda: 20)
    async with serving(health) as caller:
        _, summary = await caller.json("/health")
    assert summary["websocket"] == {"connected": True, "reconnecting": False}
    assert summary["nats"] == {"connected": False}
    assert summary["addresses"] == {"count": 20}
    assert isinstance(summary["healthy_since"], str)
    assert str(summary["uptime"]).endswith("s")
    assert summary["components"] == {"venue": "up", "nats": "gone"}


async def test_status_shows_what_the_service_adds() -> None:
    health = Health()
    health.add_status("partitions", lambda: {"owned": [1, 2]})
    async with serving(health) as caller:
        code, status = await caller.json("/status")
    assert (code, status["partitions"]) == (200, {"owned": [1, 2]})


async def test_metrics_list_every_definition_once_they_are_used() -> None:
    metrics = Metrics()
    for definition in (*COUNTERS, *GAUGES, *HISTOGRAMS):
        metric = getattr(metrics, definition.name)
        labelled = metric.labels(*definition.labels) if definition.labels else metric
        labelled.observe(1) if definition in HISTOGRAMS else labelled.inc()
    async with serving(Health(), metrics) as caller:
        code, text = await caller.get("/metrics")
    assert code == 200
    missing = [item.name for item in (*COUNTERS, *GAUGES, *HISTOGRAMS) if f"# HELP hl_monitor_{item.name}" not in text]
    assert missing == []
    assert "process_cpu_seconds_total" in text


def test_every_metric_of_the_original_is_there() -> None:
    originals = """signals_published_total signal_errors_total addresses_subscribed websocket_connected nats_connected
        trades_deduplicated_total trades_processed_total positions_total position_updates_total margin_updates_total
        order_aggregation_active order_flush_total order_fills_per_order order_updates_received_total
        pool_manager_connection_count cache_hit_total cache_miss_total message_queue_size message_queue_full_total
        batch_write_size batch_write_duration_seconds batch_dedup_cache_hit_total"""
    names = {definition.name for definition in (*COUNTERS, *GAUGES, *HISTOGRAMS)}
    assert set(originals.split()) <= names
    assert all(definition.help.endswith((".", "alert (cleaner).")) for definition in (*COUNTERS, *GAUGES, *HISTOGRAMS))
