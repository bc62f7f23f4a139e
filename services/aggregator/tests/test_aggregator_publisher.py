"""The publisher against a real nats-server: order, repeats, kills."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
import structlog
from aggregates import WHALE
from nats.aio.client import Client
from nats.errors import TimeoutError as NatsTimeoutError

from hlmonitor.aggregator.core.publishing import PublishQueue
from hlmonitor.aggregator.io.jetstream import STREAM, JetStream
from hlmonitor.aggregator.io.publisher import Publisher
from hlmonitor.aggregator.settings import AggregatorSettings
from hlmonitor.local.nats import NatsServer
from hlmonitor.local.waiting import eventually
from hlmonitor.runtime.health import Component
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.runtime.nats import connect_nats, jetstream_of
from hlmonitor.v1.storage_pb2 import SignalRow

if TYPE_CHECKING:
    from nats.js.api import RawStreamMsg

    from hlmonitor.runtime.logs import Log

pytestmark = pytest.mark.integration


def _row(number: int) -> SignalRow:
    names = ("asset_type", "symbol", "coin_type", "direction", "side")
    payload = msgspec.json.encode(
        {"id": str(number)}
        | dict.fromkeys(names, "x")
        | {"number": number, "address": WHALE, "position_rate": None, "close_rate": None}
        | {"size": "1", "price": "2", "timestamp": number}
    )
    subject = f"hl.signals.v1.{WHALE}.BTC.open"
    return SignalRow(signal_id=str(number), address=WHALE, number=number, subject=subject, payload=payload)


@asynccontextmanager
async def _publisher(server: NatsServer) -> AsyncIterator[Publisher]:
    log: Log = structlog.stdlib.get_logger("test")
    metrics = Metrics()
    async with connect_nats(server.url, "test", component=Component("nats"), metrics=metrics, log=log) as client:
        publisher = Publisher(JetStream(client, 3600, log), AggregatorSettings(), metrics, log)
        await publisher.stream.ensure()
        yield publisher


def _client(publisher: Publisher) -> Client:
    assert isinstance(publisher.stream, JetStream)
    return publisher.stream.client


async def _numbers(publisher: Publisher) -> list[int]:
    jetstream = jetstream_of(_client(publisher))
    state = (await jetstream.stream_info(STREAM)).state
    messages: list[RawStreamMsg] = [
        await jetstream.get_msg(STREAM, seq) for seq in range(state.first_seq, state.last_seq + 1)
    ]
    return [msgspec.json.decode(message.data or b"")["number"] for message in messages]


def _always() -> bool:
    return True


async def _publish_all(publisher: Publisher, queue: PublishQueue) -> list[bool]:
    by_us = []
    async with asyncio.timeout(100):
        while published := await publisher.publish_next(WHALE, queue, _always):
            by_us.append(published.by_us)
    return by_us


async def test_signals_arrive_once_and_in_order(tmp_path: Path) -> None:
    with NatsServer(tmp_path) as server:
        async with _publisher(server) as publisher:
            queue = PublishQueue()
            for number in (3, 1, 2):
                queue.add(_row(number))
            assert await _publish_all(publisher, queue) == [True] * 3
            assert await _numbers(publisher) == [1, 2, 3]
            await publisher.stream.ensure()


async def test_owner_that_does_not_know_of_a_publish_does_not_repeat_it(tmp_path: Path) -> None:
    with NatsServer(tmp_path) as server:
        async with _publisher(server) as publisher:
            first = PublishQueue()
            for number in (1, 2, 3):
                first.add(_row(number))
            await _publish_all(publisher, first)
            # Killed before it wrote back what was confirmed: its heir loads 2 and 3 as unpublished, and 4 is new.
            heir = PublishQueue(next_number=2, last_seq=1)
            for number in (2, 3, 4):
                heir.add(_row(number))
            assert await _publish_all(publisher, heir) == [False, False, True]
            assert await _numbers(publisher) == [1, 2, 3, 4]


async def test_stream_with_the_numbers_of_another_database_stops_nothing(tmp_path: Path) -> None:
    with NatsServer(tmp_path) as server:
        async with _publisher(server) as publisher:
            old = PublishQueue()
            for number in (1, 2, 3):
                row = _row(number)
                row.payload = row.payload.replace(b'"id":"', b'"id":"old-')
                old.add(row)
            await _publish_all(publisher, old)
            queue = PublishQueue()
            for number in (1, 2):
                queue.add(_row(number))
            assert await _publish_all(publisher, queue) == [True, True]
            assert await _numbers(publisher) == [1, 2, 3, 1, 2]


async def test_killed_server_costs_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    with NatsServer(tmp_path) as server:
        async with _publisher(server) as publisher:
            queue = PublishQueue()
            for number in range(1, 201):
                queue.add(_row(number))
            publishing = asyncio.create_task(_publish_all(publisher, queue))
            for kill_after in (30, 80, 130):
                while queue.next_number < kill_after and not publishing.done():
                    await asyncio.sleep(0.001)
                server.kill()
                server.start()
            await publishing
            assert await _numbers(publisher) == list(range(1, 201))


@pytest.mark.parametrize(("setting", "expected"), [("skip", [4]), ("send", [2, 3, 4])])
async def test_legacy_message_in_doubt_goes_as_the_setting_says(
    tmp_path: Path, setting: str, expected: list[int]
) -> None:
    with NatsServer(tmp_path) as server:
        async with _publisher(server) as publisher:
            first = PublishQueue()
            for number in (1, 2, 3):
                first.add(_row(number))
            await _publish_all(publisher, first)
            publisher.settings = AggregatorSettings.model_validate({"legacy_on_doubt": setting})
            heard = await _client(publisher).subscribe("hl_address_signal")
            heir = PublishQueue(next_number=2, last_seq=1)
            for number in (2, 3, 4):
                heir.add(_row(number))
            while published := await publisher.publish_next(WHALE, heir, _always):
                await publisher.publish_legacy(published)
            messages = [await heard.next_msg(timeout=30) for _ in expected]
            assert [msgspec.json.decode(message.data)["timestamp"] for message in messages] == expected
            with pytest.raises(NatsTimeoutError):
                await heard.next_msg(timeout=0.1)


async def test_owner_whose_try_was_not_answered_does_not_take_another_owners_message_for_its_own(
    tmp_path: Path,
) -> None:
    with NatsServer(tmp_path) as server:
        async with _publisher(server) as publisher:
            queue = PublishQueue()
            queue.add(_row(1))
            publisher.slots = asyncio.Semaphore(1)
            server.kill()
            publishing = asyncio.create_task(_publish_all(publisher, queue))
            await eventually(lambda: _failures(publisher) > 0, "a publish failed")
            # As if it were frozen here: another owner takes over and publishes.
            async with publisher.slots:
                server.start()
                async with _publisher(server) as other:
                    heir = PublishQueue()
                    heir.add(_row(1))
                    assert await _publish_all(other, heir) == [True]
            assert await publishing == [False]
            assert await _numbers(publisher) == [1]


def _failures(publisher: Publisher) -> float:
    name, labels = "hl_monitor_signal_errors_total", {"type": "unreachable"}
    return publisher.metrics.registry.get_sample_value(name, labels) or 0
