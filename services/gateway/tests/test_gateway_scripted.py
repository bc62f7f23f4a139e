"""A real gateway process against a venue that plays exact frames."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import nats
import pytest
from gateway_world import PATIENCE_S
from steady_member import joined
from websockets.asyncio.server import ServerConnection, serve

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.local.nats import NatsServer
from hlmonitor.local.services import ServiceProcess
from hlmonitor.runtime.core.membership import Member
from hlmonitor.runtime.grpc import serve_grpc
from hlmonitor.runtime.watchlist import WatchList
from hlmonitor.v1 import events_pb2 as pb
from hlmonitor.v1 import ingest_pb2
from hlmonitor.v1.ingest_pb2_grpc import IngestServicer, add_IngestServicer_to_server

pytestmark = pytest.mark.integration

ADDRESS = Address("0x" + "ab" * 20)
OLD, NEW = 1_000, 2_000
FEEDS = {pb.FEED_USER_FILLS, pb.FEED_USER_TWAP_SLICE_FILLS}


def frame(channel: str, data: object) -> str:
    return msgspec.json.encode({"channel": channel, "data": data}).decode()


def row(tid: int, time: int = NEW) -> dict[str, object]:
    return {
        "coin": "NOPE", "px": "1.0", "sz": "1.0", "side": "B", "time": time, "startPosition": "0.0", "dir": "New Dir",
        "closedPnl": "0.0", "hash": "0x0", "oid": tid, "crossed": True, "fee": "0.0", "tid": tid, "feeToken": "USDC",
        "twapId": None,
    }  # fmt: skip


def user_fills(*rows: object, **extra: object) -> str:
    return frame("userFills", {"user": ADDRESS, "fills": rows} | extra)


@dataclass
class Venue:
    """Acknowledges every subscription, sends an old snapshot, then whatever the test says."""

    connections: list[ServerConnection] = field(default_factory=list)
    complaint: str | None = None
    """Answer every subscription with this error instead."""

    async def __call__(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        with contextlib.suppress(Exception):
            async for text in connection:
                for reply in self._replies(msgspec.json.decode(text)):
                    await connection.send(reply)

    def _replies(self, asked: dict[str, Any]) -> list[str]:
        if asked["method"] == "ping":
            return [frame("pong", None)]
        if self.complaint:
            return [frame("error", self.complaint)]
        kind = asked["subscription"]["type"]
        snapshots = {
            "userFills": [user_fills(row(1, OLD), isSnapshot=True)],
            "userTwapSliceFills": [frame(kind, {"user": ADDRESS, "isSnapshot": True, "twapSliceFills": [
                {"fill": row(2, OLD), "twapId": 9}
            ]})],
        }  # fmt: skip
        return [frame("subscriptionResponse", asked), *snapshots.get(kind, [])]

    async def say(self, *texts: str) -> None:
        for text in texts:
            await self.connections[-1].send(text)


@dataclass
class Aggregator(IngestServicer):
    """Answers at once; acknowledges only while told to."""

    acknowledges: bool = True
    hangs_up: bool = False
    """End the stream at the next batch, without taking it."""
    events: list[pb.Event] = field(default_factory=list)

    async def Push(  # noqa: N802 gRPC's name
        self,
        request_iterator: Any,  # noqa: ANN401 the generated type is private
        context: Any,  # noqa: ANN401, ARG002 the same
    ) -> AsyncIterator[ingest_pb2.BatchReply]:
        async for batch in request_iterator:
            if self.hangs_up:
                self.hangs_up = False
                return
            for event in batch.events:
                self.events.append(event)
                if event.HasField("opened"):
                    for feed in FEEDS:
                        resume = ingest_pb2.Resume(address=event.opened.address, feed=feed, watermark_ms=NEW)
                        yield ingest_pb2.BatchReply(resume=resume)
                if self.acknowledges:
                    ack = ingest_pb2.Ack(partition=event.partition, epoch=1, through_seq=event.seq)
                    yield ingest_pb2.BatchReply(ack=ack)
            yield ingest_pb2.BatchReply(received=ingest_pb2.Received(batch=batch.batch))

    def tids(self, since: int = 0) -> list[int]:
        """The fills among the events from this one on, each once: a stream that breaks brings them again."""
        fills = {event.seq: event.fill for event in self.events[since:] if event.HasField("fill")}
        return [pb.Fill.FromString(fill).tid for fill in fills.values()]

    def gaps(self) -> dict[pb.Feed.ValueType, pb.Event]:
        return {event.gap.feed: event for event in self.events if event.HasField("gap")}

    def has_caught_up(self, after_seq: int = 0) -> bool:
        """Whether each feed was told to be caught up after that event."""
        told = [event for event in self.events if event.HasField("caught_up") and event.seq > after_seq]
        return {event.caught_up.feed for event in told} == FEEDS


@dataclass
class Stage:
    venue: Venue
    aggregator: Aggregator
    gateway: ServiceProcess

    async def until(self, condition: Callable[[], object]) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not condition():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pytest.fail(f"it did not come to that; the gateway's log:\n{self.gateway.log_tail()}")

    async def until_live(self) -> None:
        await self.until(self.aggregator.has_caught_up)


@pytest.fixture
async def stage(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    settings: dict[str, Any] = dict(getattr(request, "param", {}))
    venue, aggregator = Venue(complaint=settings.pop("complaint", None)), Aggregator()
    with NatsServer(tmp_path) as server:
        client = await nats.connect(server.url)
        entry = WatchEntry(address=ADDRESS, watch_from_ms=NEW)
        assert await WatchList(client).put(entry, None)
        async with (
            serve(venue, "127.0.0.1", 0) as websocket,
            serve_grpc("127.0.0.1:0", ["hlmonitor.v1.Ingest"]) as (ingest, port),
        ):
            add_IngestServicer_to_server(aggregator, ingest)
            await ingest.start()
            url = f"127.0.0.1:{next(iter(websocket.sockets)).getsockname()[1]}"
            settings |= {
                "nats_url": server.url, "venue_ws_url": f"ws://{url}/ws", "venue_rest_url": f"http://{url}",
                "backoff_initial_s": 0.1,
            }  # fmt: skip
            # This venue says nothing of the account; how long a test takes is nobody's silence.
            settings.setdefault("stale_after_s", 600)
            gateway = ServiceProcess("gateway", ["-m", "hlmonitor.gateway"], tmp_path, settings)
            member = Member(kind="aggregator", name="only", address=f"127.0.0.1:{port}")
            with joined(server.url, member):
                gateway.start()
                try:
                    yield Stage(venue, aggregator, gateway)
                finally:
                    gateway.kill()
        await client.close()


async def test_bad_frames_are_counted_and_stop_nothing(stage: Stage) -> None:
    await stage.until_live()
    await stage.venue.say(
        "Websocket connection established.",
        '{"channel":"userFills","data":{"user"',
        '{"channel":"userFills","data":17}',
        frame("webData2", {"what": 1}),
        user_fills({"coin": 5}, row(11)),
        user_fills(row(12) | {"oid": 2**70}),
        frame("orderUpdates", [{"order": {}}, "x"]),
        user_fills(row(13)),
    )
    await stage.until(lambda: 13 in stage.aggregator.tids())
    assert stage.aggregator.tids() == [1, 2, 11, 13]
    assert len(stage.venue.connections) == 1
    rejected = "hl_monitor_frames_rejected_total"
    assert await stage.gateway.metric(rejected, reason="malformed") == 2
    assert await stage.gateway.metric(rejected, reason="unknown_channel") == 1
    assert await stage.gateway.metric(rejected, reason="bad_row") == 4


async def test_a_close_with_code_1000_is_reconnected_and_the_gap_is_told_and_closed(stage: Stage) -> None:
    await stage.until_live()
    await stage.venue.say(user_fills(row(11, NEW + 5)))
    await stage.until(lambda: 11 in stage.aggregator.tids())
    await stage.venue.connections[-1].close(1000, "Expired")
    await stage.until(lambda: stage.aggregator.gaps().keys() == FEEDS)
    gaps = stage.aggregator.gaps()
    await stage.until(lambda: stage.aggregator.has_caught_up(max(gap.seq for gap in gaps.values())))
    assert gaps[pb.FEED_USER_FILLS].gap.from_ms == NEW + 5
    assert gaps[pb.FEED_USER_FILLS].gap.reason == "closed"
    assert await stage.gateway.metric("hl_monitor_venue_reconnects_total", cause="closed") == 1
    assert await stage.gateway.metric("hl_monitor_venue_gaps_total", reason="closed") == 2


@pytest.mark.parametrize("stage", [{"stale_after_s": 1}], indirect=True)
async def test_a_silent_account_feed_is_reconnected(stage: Stage) -> None:
    await stage.until(lambda: len(stage.venue.connections) >= 2)
    assert await stage.gateway.metric("hl_monitor_venue_reconnects_total", cause="stale_feed") >= 1


@pytest.mark.parametrize("stage", [{"window_events_per_address": 20}], indirect=True)
async def test_past_the_window_events_are_let_go_and_the_gap_is_told(stage: Stage) -> None:
    await stage.until_live()
    stage.aggregator.acknowledges = False
    await stage.venue.say(
        *(user_fills(*(row(tid, NEW + tid) for tid in range(at, at + 5))) for at in range(100, 140, 5))
    )
    await stage.until(stage.aggregator.gaps)
    gap = next(iter(stage.aggregator.gaps().values())).gap
    tids = stage.aggregator.tids()
    assert gap.reason == "window_full"
    assert len(tids) < 25
    assert sum(tid >= 100 for tid in tids) % 5 == 0, "a frame is kept as a whole, or not at all"
    assert gap.from_ms <= NEW + tids[-1] + 1
    assert await stage.gateway.metric("hl_monitor_message_queue_full_total") >= 1
    assert (await stage.gateway.status())["wallets"][0]["state"] == "window_full"


async def test_what_was_not_acknowledged_is_sent_again_on_the_next_stream(stage: Stage) -> None:
    await stage.until_live()
    stage.aggregator.acknowledges = False
    await stage.venue.say(*(user_fills(row(tid)) for tid in range(100, 110)))
    await stage.until(lambda: 109 in stage.aggregator.tids())
    before, last_seq = len(stage.aggregator.events), stage.aggregator.events[-1].seq
    stage.aggregator.hangs_up = True
    await stage.venue.say(user_fills(row(110)))
    await stage.until(lambda: 110 in stage.aggregator.tids())
    assert not stage.aggregator.hangs_up
    assert stage.aggregator.tids(before) == list(range(100, 111))
    stage.aggregator.acknowledges = True
    await stage.until(lambda: stage.aggregator.has_caught_up(last_seq))
    assert len(stage.venue.connections) == 1


@pytest.mark.parametrize("stage", [{"complaint": "Cannot track more than 0 total users."}], indirect=True)
async def test_a_wallet_that_the_venue_refuses_is_uncovered_until_it_is_served(stage: Stage) -> None:
    await stage.until(lambda: "user_limit_learned" in stage.gateway.log_tail())
    assert (await stage.gateway.status())["uncovered"] == [ADDRESS]
    assert await stage.gateway.metric("hl_monitor_wallets_uncovered") == 1
    stage.venue.complaint = None
    await stage.until_live()
    assert await stage.gateway.metric("hl_monitor_wallets_uncovered") == 0
