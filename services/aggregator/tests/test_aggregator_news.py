"""What is told on `hl.status.v1.>`: after the commit, again by a new owner, bounded while NATS is away."""

import asyncio
import itertools
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from aggregates import WHALE
from model_stream import ModelStream
from owning import StoredWriter, owning

from hlmonitor.aggregator.core.news import UNCOVERED_S, CoverageNews, News, Source, Sources
from hlmonitor.aggregator.io.announcer import MAX_NEWS, Announcer
from hlmonitor.aggregator.io.jetstream import JetStream
from hlmonitor.aggregator.io.sessions import Session
from hlmonitor.domain.fills import Feed
from hlmonitor.local.nats import NatsServer
from hlmonitor.local.waiting import eventually
from hlmonitor.runtime.health import Component
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.runtime.nats import connect_nats
from hlmonitor.v1 import events_pb2, storage_pb2

FEED = events_pb2.FEED_USER_FILLS
ONE, OTHER = Source("gateway-1", "192.0.2.1"), Source("gateway-2", "192.0.2.2")
_seqs = itertools.count(1)


def _gap(from_ms: int, to_ms: int | None = None) -> events_pb2.Event:
    gap = events_pb2.Gap(address=WHALE, feed=FEED, from_ms=from_ms, to_ms=to_ms, reason="reconnect")
    return events_pb2.Event(seq=next(_seqs), gap=gap)


def _caught_up(from_ms: int, through_ms: int) -> events_pb2.Event:
    caught_up = events_pb2.CaughtUp(address=WHALE, feed=FEED, from_ms=from_ms, through_ms=through_ms)
    return events_pb2.Event(seq=next(_seqs), caught_up=caught_up)


def _told(stream: ModelStream, *kinds: str) -> list[dict[str, Any]]:
    """What was told of these kinds; on a slow machine a wallet that nobody serves is told as uncovered in between."""
    return [
        msgspec.json.decode(payload)
        for subject, payload in stream.told
        if any(subject.startswith(f"hl.status.v1.{kind}.") for kind in kinds)
    ]


def _words(told: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    """Type, and what of it changes."""
    return [(it["type"], it.get("state"), it.get("from_ms"), it.get("to_ms"), it.get("through_ms")) for it in told]


async def test_gaps_and_coverage_are_told_in_order_and_not_before_sql_knows() -> None:
    stream, writer, known = ModelStream(), StoredWriter(), []

    def note(batch: storage_pb2.CommitBatch) -> None:
        known.append((len(batch.gaps) + len(batch.watermarks), len(_told(stream, "gap", "caught_up"))))

    writer.on_commit = note
    async with owning(writer, stream) as owned:
        for event in (_gap(10), _gap(20, 30), _caught_up(0, 40)):
            owned.host.take(Session(), event)
        await eventually(lambda: len(_told(stream, "gap", "caught_up")) == 4, "all is told")
        assert _words(_told(stream, "gap", "caught_up")) == [
            ("gap", "open", 10, None, None),
            ("gap", "unprovable", 20, 30, None),
            ("gap", "covered", 10, 40, None),
            ("caught_up", None, None, None, 40),
        ]
    told_before = 0
    for rows, told in known:
        assert told <= told_before
        told_before += rows


async def test_new_owner_tells_again_what_is_open() -> None:
    stream, writer = ModelStream(), StoredWriter()
    async with owning(writer, stream) as owned:
        owned.host.take(Session(), _gap(10))
        await eventually(lambda: len(_told(stream, "gap")) == 1, "it is told")
    async with owning(writer, stream):
        await eventually(lambda: len(_told(stream, "gap")) == 2, "it is told again")
    assert _words(_told(stream, "gap")) == [("gap", "open", 10, None, None)] * 2


def test_source_is_told_when_it_changes_and_uncovered_when_nobody_has_served_for_a_while() -> None:
    sources = Sources()
    assert sources.changes({WHALE: None}, 0.0) == []
    assert sources.changes({WHALE: None}, UNCOVERED_S) == [(WHALE, None)]
    assert sources.changes({WHALE: None}, 2 * UNCOVERED_S) == []
    assert sources.changes({WHALE: ONE}, 11.0) == [(WHALE, ONE)]
    assert sources.changes({WHALE: None}, 12.0) == []
    assert sources.changes({WHALE: ONE}, 13.0) == []
    assert sources.changes({WHALE: OTHER}, 14.0) == [(WHALE, OTHER)]
    assert sources.changes({}, 15.0) == []
    assert sources.changes({WHALE: OTHER}, 16.0) == [(WHALE, OTHER)]


async def test_gateway_that_serves_a_wallet_is_told() -> None:
    stream = ModelStream()
    async with owning(StoredWriter(), stream) as owned:
        session = Session(source=ONE)
        owned.host.take(session, events_pb2.Event(seq=1, opened=events_pb2.Opened(address=WHALE)))
        await eventually(lambda: _states(stream)[-1:] == ["served"], "it is told")
        owned.host.shared.sessions.closed(session)
        owned.host.sweep(owned.now())
        owned.late_s += UNCOVERED_S
        await eventually(lambda: _states(stream)[-1:] == ["uncovered"], "its end is told")
    shown = [(it["state"], it["gateway"], it["egress_group"]) for it in _told(stream, "source")]
    # On a slow machine nobody has served it for a while before.
    assert shown[-2:] == [("served", "gateway-1", "192.0.2.1"), ("uncovered", None, None)]


def _states(stream: ModelStream) -> list[str]:
    return [it["state"] for it in _told(stream, "source")]


def _coverage(number: int) -> CoverageNews:
    return CoverageNews(aggregator="a", partition=0, time_ms=0, address=WHALE, feed=Feed.USER_FILLS, through_ms=number)


async def test_news_that_wait_for_nats_are_bounded_and_the_newest_are_kept() -> None:
    stream, metrics = ModelStream(is_away=True), Metrics()
    announcer = Announcer(stream, metrics)
    announcer.tell(_coverage(number) for number in range(MAX_NEWS + 3))
    stream.is_away = False
    telling = asyncio.create_task(announcer.run())
    await eventually(lambda: len(stream.told) == MAX_NEWS, "what was kept is told")
    telling.cancel()
    assert [it["through_ms"] for it in _told(stream, "caught_up")] == list(range(3, MAX_NEWS + 3))
    assert metrics.registry.get_sample_value("hl_monitor_status_events_dropped_total") == 3


@pytest.mark.integration
async def test_real_messages_fit_the_schema_and_wait_for_nats(tmp_path: Path) -> None:
    heard: list[tuple[str, bytes]] = []
    subjects = {f"hl.status.v1.{kind}.{WHALE}" for kind in ("gap", "caught_up", "source")}
    log = structlog.stdlib.get_logger("test")
    with NatsServer(tmp_path) as server:
        async with connect_nats(server.url, "test", component=Component("nats"), metrics=Metrics(), log=log) as client:

            async def hear(message: Any) -> None:  # noqa: ANN401 the library's type
                heard.append((message.subject, message.data))

            await client.subscribe("hl.status.v1.>", cb=hear)
            async with owning(StoredWriter(), JetStream(client, 3600, log)) as owned:
                server.kill()
                await eventually(lambda: not client.is_connected, "it is known that NATS is away")
                session = Session(source=ONE)
                owned.host.take(session, events_pb2.Event(seq=1, opened=events_pb2.Opened(address=WHALE)))
                for event in (_gap(10), _caught_up(0, 40)):
                    owned.host.take(session, event)
                server.start()
                await eventually(
                    lambda: {subject for subject, _ in heard} == subjects, "all is told when NATS is back", 60
                )
    news = [msgspec.json.decode(payload, type=News) for _, payload in heard]
    assert all(msgspec.json.encode(one) == payload for one, (_, payload) in zip(news, heard, strict=True))
