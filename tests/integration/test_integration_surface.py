"""What operators see of the running system: each of the original's metrics fed, and its health answers."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from world import World, config, quick, running_world, until

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

ORIGINAL = {
    "signals_published_total": ("counter", ("side", "symbol")),
    "signal_errors_total": ("counter", ("type",)),
    "addresses_subscribed": ("gauge", ()),
    "websocket_connected": ("gauge", ()),
    "nats_connected": ("gauge", ()),
    "trades_deduplicated_total": ("counter", ()),
    "trades_processed_total": ("counter", ("type",)),
    "positions_total": ("gauge", ()),
    "position_updates_total": ("counter", ("status",)),
    "margin_updates_total": ("counter", ("status",)),
    "order_aggregation_active": ("gauge", ()),
    "order_flush_total": ("counter", ("trigger",)),
    "order_fills_per_order": ("histogram", ()),
    "order_updates_received_total": ("counter", ()),
    "pool_manager_connection_count": ("gauge", ()),
    "cache_hit_total": ("counter", ("cache_type",)),
    "cache_miss_total": ("counter", ("cache_type",)),
    "message_queue_size": ("gauge", ()),
    "message_queue_full_total": ("counter", ()),
    "batch_write_size": ("histogram", ()),
    "batch_write_duration_seconds": ("histogram", ()),
    "batch_dedup_cache_hit_total": ("counter", ("table",)),
}
"""The 22 families of the original: type and labels."""
ERRORS_ONLY = {"signal_errors_total", "message_queue_full_total", "batch_dedup_cache_hit_total"}
"""Fed by what goes wrong: tests below make it go wrong; the last one's is
`test_writer_commit.py`, because who owns a partition asks for what is stored before it sends it again."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    # A narrow window, so that a writer that stands still fills it.
    settings = quick(gateway={"window_events": 500, "window_events_per_address": 25}, simulator={"rate": 30})
    async with running_world(config(tmp_path_factory.mktemp("surface"), settings=settings)) as found:
        await found.watch_whales()
        await found.until_signals(30)
        yield found


async def test_every_metric_of_the_original_is_fed(world: World) -> None:
    await world.stack.control("disconnect", {"all": True})

    async def all_are_fed() -> bool:
        return ORIGINAL.keys() - ERRORS_ONLY <= await fed(world)

    try:
        await until(all_are_fed, "every family is fed")
    except AssertionError:
        pytest.fail(f"never fed: {sorted(ORIGINAL.keys() - ERRORS_ONLY - await fed(world))}")
    families = await scraped(world)
    for name, (kind, labels) in ORIGINAL.items():
        assert families[name].type == kind, name
        assert {label for sample in families[name].samples for label in sample.labels} - {"le"} <= set(labels), name
    effects = {sample.labels["type"] for sample in families["trades_processed_total"].samples if sample.value}
    assert {"opening", "closing"} <= effects <= {"opening", "closing", "ignored"}


async def test_a_writer_that_stands_still_fills_the_windows_and_the_venue_fills_the_gap(world: World) -> None:
    world.stack["writer"].pause()

    async def full() -> bool:
        return await world.metric("gateway", "message_queue_full_total") > 0

    await until(full, "a window was full")
    world.stack["writer"].resume()

    async def has_gap() -> bool:
        return await world.metric("gateway", "venue_gaps_total") > 0

    await until(has_gap, "what was dropped is a gap")


async def test_publishes_that_fail_are_counted(world: World) -> None:
    world.stack.nats.kill()

    async def failed() -> bool:
        return await world.metric("aggregator", "signal_errors_total") > 0

    await until(failed, "a publish failed")
    await until(lambda: nobody_is_connected(world), "every aggregator misses NATS")
    rounds = rounds_done(world)
    await asyncio.to_thread(world.stack.nats.start)
    # A round that began as NATS came back may fail seconds later; of two, one began after that.
    await until(lambda: all_are_well(world, rounds + 2), "everything is as before")


async def test_every_service_answers_as_the_original_does(world: World) -> None:
    for name, service in world.stack.services.items():
        for path in ("/health", "/status"):
            code, body = await service.get(path)
            assert code == 200, (name, path)
            check_form(json.loads(body))
        assert await service.get("/health/live") == (200, "ok"), name
        assert await service.get("/health/ready") == (200, "ok"), name
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{service.health_port}/metrics") as reply,
        ):
            assert reply.content_type == "text/plain", name
    assert (await world.stack["gateway-1"].status())["addresses"]["count"] > 0
    assert (await world.stack["gateway-1"].status())["websocket"] == {"connected": True, "reconnecting": False}
    assert (await world.stack["aggregator-1"].status())["nats"] == {"connected": True}


async def nobody_is_connected(world: World) -> bool:
    return await world.metric("aggregator", "nats_connected") == 0


def rounds_done(world: World) -> int:
    """Rounds that the address-loader has finished."""
    return world.stack["address-loader"].log_file.read_text().count("round_done")


async def all_are_well(world: World, rounds: int) -> bool:
    """Everything is ready at the same time, after so many rounds."""
    looks = await asyncio.gather(*(service.get("/health/ready") for service in world.stack.services.values()))
    return set(looks) == {(200, "ok")} and rounds_done(world) >= rounds


async def test_after_all_this_nothing_is_missing_doubled_or_wrong(world: World) -> None:
    await world.settled_verdict(crashed=True)


def check_form(answer: dict[str, Any]) -> None:
    original = ("healthy", "healthy_since", "uptime", "websocket", "nats", "addresses")
    assert tuple(answer)[: len(original)] == original
    assert answer["healthy"] is True
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*(Z|[+-]\d\d:\d\d)", str(answer["healthy_since"]))
    assert re.fullmatch(r"(\d+h)?(\d+m)?\d+(\.\d+)?s", str(answer["uptime"]))
    assert answer["websocket"].keys() == {"connected", "reconnecting"}
    assert answer["nats"].keys() == {"connected"}
    assert isinstance(answer["addresses"]["count"], int)


@dataclass
class Family:
    """A metric family over all services."""

    type: str = ""
    samples: list[Sample] = field(default_factory=list)


async def scraped(world: World) -> dict[str, Family]:
    found: dict[str, Family] = {}
    for service in world.stack.services.values():
        _, body = await service.get("/metrics")
        for family in text_string_to_metric_families(body):
            suffix = "_total" if family.type == "counter" else ""
            merged = found.setdefault(family.name.removeprefix("hl_monitor_") + suffix, Family())
            merged.type = family.type
            merged.samples += [sample for sample in family.samples if not sample.name.endswith("_created")]
    return found


async def fed(world: World) -> set[str]:
    """The families of which some service has a sample that is not zero."""
    families = await scraped(world)
    return {name for name, family in families.items() if any(sample.value for sample in family.samples)}
