"""A partition's signals on their way into a real stream: NATS is away, loses its tail, its stream, its disk."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
import structlog
from aggregates import WHALE, fill_message, status_message
from model_stream import ModelStream
from nats.aio.client import Client
from owning import Owning, StoredWriter, owning
from stored import Stored

from hlmonitor.aggregator.core.payload import LEGACY_SUBJECT
from hlmonitor.aggregator.core.tail import LOOK_S
from hlmonitor.aggregator.io.jetstream import STREAM, SUBJECTS, JetStream
from hlmonitor.aggregator.io.sessions import Session
from hlmonitor.local.nats import NatsServer
from hlmonitor.local.waiting import eventually
from hlmonitor.runtime.clock import wall_ms
from hlmonitor.runtime.health import Component
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.runtime.nats import connect_nats, jetstream_of
from hlmonitor.runtime.streams import Stored as StreamMessage
from hlmonitor.runtime.streams import read_stream
from hlmonitor.v1 import events_pb2, storage_pb2

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from hlmonitor.runtime.logs import Log

pytestmark = pytest.mark.integration

OTHER, THIRD = "0x" + "cd" * 20, "0x" + "ef" * 20
WALLETS = (WHALE, OTHER, THIRD)
PATIENCE_S = 60
NOW_MS = wall_ms()


def _decide(owned: Owning, orders: range) -> None:
    """The venue tells of so many orders of one fill each: each is a signal. Told again, they are the same."""
    session, now_ms = Session(), NOW_MS
    for oid in orders:
        fill = fill_message(oid=oid, tid=oid, time_ms=now_ms).SerializeToString()
        status = status_message(oid=oid, order_time_ms=now_ms, status_time_ms=now_ms)
        owned.host.take(session, events_pb2.Event(seq=2 * oid, received_at_ms=now_ms, fill=fill))
        owned.host.take(session, events_pb2.Event(seq=2 * oid + 1, received_at_ms=now_ms, order_status=status))


def _signal(address: str, number: int) -> storage_pb2.SignalRow:
    names = ("asset_type", "symbol", "coin_type", "direction", "side")
    payload = msgspec.json.encode(
        {"id": f"{address}:{number}"}
        | dict.fromkeys(names, "x")
        | {"number": number, "address": address, "position_rate": None, "close_rate": None}
        | {"size": "1", "price": "2", "timestamp": number}
    )
    subject = f"hl.signals.v1.{address}.BTC.open"
    row = storage_pb2.SignalRow(signal_id=f"{address}:{number}", address=address, number=number, subject=subject)
    row.payload, row.decided_at_ms = payload, 4_000_000_000_000
    return row


def _add(stored: Stored, numbers: range) -> None:
    """Signals of three wallets that are committed and not published, numbers mixed."""
    for number in numbers:
        for address in WALLETS:
            _add_one(stored, address, number)


def _add_one(stored: Stored, address: str, number: int) -> None:
    row = _signal(address, number)
    stored.signals[row.signal_id] = row
    stored.numbers[address] = number


@asynccontextmanager
async def _connected(server: NatsServer) -> AsyncIterator[JetStream]:
    log: Log = structlog.stdlib.get_logger("test")
    async with connect_nats(server.url, "test", component=Component("nats"), metrics=Metrics(), log=log) as client:
        stream = JetStream(client, 7 * 86_400, log)
        await stream.ensure()
        yield stream


async def _all_published(writer: StoredWriter, count: int) -> None:
    stored = writer.stored
    await eventually(
        lambda: len(stored.signals) == count == sum(seq > 0 for seq in stored.published.values()),
        f"SQL knows where each of {count} signals is in the stream",
        PATIENCE_S,
    )


async def _assert_stream_equals_sql(client: Client, stored: Stored, wallets: tuple[str, ...] = WALLETS) -> None:
    """Every signal of SQL is in the stream once, in number order per wallet, with the same bytes, where SQL says."""
    messages = await read_stream(client, STREAM, SUBJECTS)
    for address in wallets:
        expected = sorted(
            (row for row in stored.signals.values() if row.address == address), key=lambda row: row.number
        )
        assert [message.data for message in _of(messages, address)] == [row.payload for row in expected]
        assert [message.seq for message in _of(messages, address)] == [
            stored.published[row.signal_id] for row in expected
        ]
    assert len(messages) == len(stored.signals)


def _of(messages: list[StreamMessage], address: str) -> list[StreamMessage]:
    return [message for message in messages if message.subject.startswith(f"hl.signals.v1.{address}.")]


async def _heard(subscription: "asyncio.Queue[Msg]", count: int) -> None:
    """Wait for messages of the original, which may come after SQL knows where their signals are in the stream."""
    await eventually(lambda: subscription.qsize() >= count, f"{count} original messages have come", PATIENCE_S)


async def _told(subscription: "asyncio.Queue[Msg]") -> list[str]:
    told = []
    while not subscription.empty():
        told.append(msgspec.json.decode((await subscription.get()).data)["timestamp"])
    return told


@asynccontextmanager
async def _legacy(client: Client) -> AsyncIterator["asyncio.Queue[Msg]"]:
    heard: asyncio.Queue[Msg] = asyncio.Queue()
    subscription = await client.subscribe("hl_address_signal", cb=heard.put)
    yield heard
    await subscription.unsubscribe()


async def test_stream_restored_from_an_older_disk_gets_back_what_it_lost(tmp_path: Path) -> None:
    store, copy = tmp_path / "nats", tmp_path / "copy"
    writer = StoredWriter()
    _add(writer.stored, range(1, 21))
    with NatsServer(tmp_path) as server:
        async with _connected(server) as stream, _legacy(stream.client) as heard:
            async with owning(writer, stream):
                await _all_published(writer, 60)
                await _heard(heard, 60)
            server.stop()
            shutil.copytree(store, copy)
            server.start()
            _add(writer.stored, range(21, 51))
            async with owning(writer, stream) as owned:
                await _all_published(writer, 150)
                await _heard(heard, 150)
                told = await _told(heard)
                server.kill()
                shutil.rmtree(store)
                shutil.copytree(copy, store)
                server.start()
                await eventually(
                    lambda: owned.metric("signals_republished_total") == 90, "the lost ones are there again", PATIENCE_S
                )
                _decide(owned, range(1001, 1004))
                await _all_published(writer, 153)
                await _heard(heard, 3)
            await _assert_stream_equals_sql(stream.client, writer.stored)
            assert len(told) == 150
            assert len(await _told(heard)) == 3


@pytest.mark.parametrize("loss", ["deleted while a signal comes", "deleted while all is calm", "wiped"])
async def test_stream_that_is_gone_is_made_again_with_everything(tmp_path: Path, loss: str) -> None:
    writer = StoredWriter()
    _add(writer.stored, range(1, 21))
    with NatsServer(tmp_path) as server:
        async with _connected(server) as stream, owning(writer, stream) as owned:
            await _all_published(writer, 60)
            if loss == "wiped":
                server.kill()
                shutil.rmtree(tmp_path / "nats")
                server.start()
            else:
                await jetstream_of(stream.client).delete_stream(STREAM)
            if loss == "deleted while a signal comes":
                _decide(owned, range(1001, 1002))
            elif loss == "deleted while all is calm":
                owned.late_s += LOOK_S
            await eventually(lambda: owned.metric("signals_republished_total") == 60, "all are there again", PATIENCE_S)
            await _all_published(writer, 61 if "comes" in loss else 60)
            await _assert_stream_equals_sql(stream.client, writer.stored)


async def test_signals_that_are_older_than_the_stream_keeps_are_not_published_again(tmp_path: Path) -> None:
    writer = StoredWriter()
    _add(writer.stored, range(1, 11))
    for row in writer.stored.signals.values():
        row.decided_at_ms = 0 if row.number <= 4 else row.decided_at_ms
    with NatsServer(tmp_path) as server:
        async with _connected(server) as stream, owning(writer, stream) as owned:
            await _all_published(writer, 30)
            await jetstream_of(stream.client).delete_stream(STREAM)
            owned.late_s += LOOK_S
            await eventually(
                lambda: owned.metric("signals_republished_total") == 18, "the young ones are there again", PATIENCE_S
            )
            numbers = [
                msgspec.json.decode(it.data)["number"] for it in await read_stream(stream.client, STREAM, SUBJECTS)
            ]
            assert sorted(numbers) == sorted([*range(5, 11)] * 3)


async def test_signals_that_wait_for_nats_fill_no_memory_and_go_out_in_order(tmp_path: Path) -> None:
    writer = StoredWriter()
    with NatsServer(tmp_path) as server:
        async with _connected(server) as stream, owning(writer, stream, unpublished_signals=10) as owned:
            server.kill()
            _decide(owned, range(1, 301))
            await eventually(lambda: owned.host.unpublished == 300, "all signals are committed", PATIENCE_S)
            assert owned.host.unpublished_in_sql == 290
            assert writer.stored.published == {}
            server.start()
            await _all_published(writer, 300)
            assert (owned.host.unpublished, owned.host.shared.room.used) == (0, 0)
            assert max(asked.most for asked in writer.reads) <= 10
            await _assert_stream_equals_sql(stream.client, writer.stored, (WHALE,))


async def test_owner_killed_before_it_noted_what_it_published_is_followed_by_one_that_repeats_nothing(
    tmp_path: Path,
) -> None:
    """The stream's duplicate window is over when the next owner comes: only the expected sequence can tell."""
    writer = StoredWriter()
    writer.may_answer.set()
    with NatsServer(tmp_path) as server:
        async with _connected(server) as stream:
            jetstream = jetstream_of(stream.client)
            config = (await jetstream.stream_info(STREAM)).config
            config.duplicate_window = 0.1
            await jetstream.update_stream(config)
            for first in (1, 41, 81):
                async with owning(writer, stream) as owned:
                    before = len(await read_stream(stream.client, STREAM, SUBJECTS))
                    _decide(owned, range(first, first + 40))
                    while len(await read_stream(stream.client, STREAM, SUBJECTS)) < before + 5:
                        await asyncio.sleep(0.01)
                    # Cut off here: what it published in the last second, and part of the rest, SQL does not know of.
                writer.stored.published = {
                    signal_id: seq for signal_id, seq in writer.stored.published.items() if seq <= before
                }
                await asyncio.sleep(0.2)
            async with owning(writer, stream) as owned:
                # What was not committed comes again, as from the gateway.
                _decide(owned, range(1, 121))
                await _all_published(writer, 120)
            await _assert_stream_equals_sql(stream.client, writer.stored, (WHALE,))


async def test_owner_killed_before_it_gave_back_what_was_lost_is_followed_by_one_that_does() -> None:
    stream, writer = ModelStream(), StoredWriter()
    _add(writer.stored, range(1, 21))

    def cut_off(batch: storage_pb2.CommitBatch) -> None:
        stream.is_away |= bool(batch.rewound)

    async with owning(writer, stream):
        await _all_published(writer, 60)
    told = _legacy_in(stream)
    stream.restored(last_seq=30)
    writer.on_commit = cut_off
    async with owning(writer, stream):
        await eventually(lambda: stream.is_away, "SQL knows what is lost")
    assert len(stream.bodies) == 30
    stream.is_away, writer.on_commit = False, lambda _: None
    async with owning(writer, stream):
        await _all_published(writer, 60)
    assert len(stream.bodies) == len(writer.stored.signals) == len(set(stream.bodies.values()))
    assert (told, _legacy_in(stream)) == (60, 60)


def _legacy_in(stream: ModelStream) -> int:
    return sum(subject == LEGACY_SUBJECT for subject, _ in stream.told)


async def test_signal_that_is_lost_before_sql_was_told_where_it_was_is_published_again() -> None:
    stream, writer = ModelStream(), StoredWriter()
    async with owning(writer, stream) as owned:
        _decide(owned, range(1, 3))
        await _all_published(writer, 2)
        owned.stands_at = owned.now()
        _decide(owned, range(3, 5))
        await eventually(lambda: len(stream.bodies) == 4, "they are published")
        assert len(writer.stored.published) == 2
        stream.restored(last_seq=3)
        await eventually(lambda: len(stream.bodies) == 4, "the lost one is there again")
        owned.stands_at = None
        await _all_published(writer, 4)
    assert list(stream.bodies.values()) == [row.payload for row in writer.stored.signals.values()]
    assert _legacy_in(stream) == 4


async def test_loss_is_found_though_the_connection_stood_and_later_signals_took_the_lost_sequences() -> None:
    stream, writer = ModelStream(), StoredWriter()
    async with owning(writer, stream) as owned:
        _decide(owned, range(1, 4))
        await _all_published(writer, 3)
    for number in range(1, 11):
        _add_one(writer.stored, OTHER, number)
    async with owning(writer, stream) as owned:
        await _all_published(writer, 13)
        stream.restored(last_seq=8)
        stream.connection -= 1
        # The partition's highest sequence was 13; now it is one that the stream has.
        _decide(owned, range(4, 14))
        await eventually(lambda: len(stream.bodies) == 18, "the other wallet's signals are published")
        owned.late_s += LOOK_S
        await eventually(lambda: owned.metric("signals_republished_total") == 5, "the loss is found and made good")
