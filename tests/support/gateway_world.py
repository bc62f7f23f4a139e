"""A gateway process, a venue and a recording Ingest server in the aggregator's place, for tests of the gateway."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from nats.aio.client import Client

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.local.ports import free_port
from hlmonitor.local.services import ServiceProcess
from hlmonitor.runtime.watchlist import WatchList
from hlmonitor.v1 import events_pb2 as pb
from hlmonitor.v1 import ingest_pb2
from hlmonitor.v1.ingest_pb2_grpc import IngestServicer

PATIENCE_S = 90.0
"""On a busy machine the start of a process alone takes ten seconds."""

FEED_NAMES = {pb.FEED_USER_FILLS: "userFills", pb.FEED_USER_TWAP_SLICE_FILLS: "userTwapSliceFills"}


@dataclass
class Recorder(IngestServicer):
    """Takes everything in, answers as an aggregator does, and keeps what it was told; what is told again once."""

    watch_from_ms: int = 0
    refused: set[int] = field(default_factory=set)
    refusals: list[int] = field(default_factory=list)
    """How many events of the partition came with the batch, for each NotOwner."""
    acknowledges: bool = True
    fills: list[pb.Fill] = field(default_factory=list)
    statuses: list[pb.OrderStatus] = field(default_factory=list)
    snapshots: list[pb.AccountSnapshot] = field(default_factory=list)
    gaps: list[pb.Gap] = field(default_factory=list)
    caught_up: list[pb.CaughtUp] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    seqs: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    requests: list[ingest_pb2.BatchReply] = field(default_factory=list)
    """Replies to slip in before the next batch's receipt."""

    async def Push(  # noqa: N802 gRPC's name
        self,
        request_iterator: Any,  # noqa: ANN401 the generated type is private
        context: Any,  # noqa: ANN401, ARG002 the same
    ) -> AsyncIterator[ingest_pb2.BatchReply]:
        async for batch in request_iterator:
            for reply in self._take(batch):
                yield reply

    def _take(self, batch: ingest_pb2.EventBatch) -> list[ingest_pb2.BatchReply]:
        replies, self.requests = self.requests, []
        through: dict[int, int] = {}
        events = Counter(event.partition for event in batch.events)
        for partition in events.keys() & self.refused:
            self.refusals.append(events[partition])
            replies.append(ingest_pb2.BatchReply(not_owner=ingest_pb2.NotOwner(partition=partition)))
        for event in batch.events:
            if event.partition not in self.refused:
                seqs = self.seqs.setdefault((batch.incarnation, event.partition), [])
                # Below the last one an event comes again, as after each break of the stream.
                if not seqs or event.seq > seqs[-1]:
                    seqs.append(event.seq)
                    self._keep(event)
                through[event.partition] = event.seq
                if event.HasField("opened"):
                    replies += [self._resume(event.opened.address, feed) for feed in FEED_NAMES]
        if self.acknowledges:
            for partition, seq in through.items():
                ack = ingest_pb2.Ack(partition=partition, epoch=1, through_seq=seq)
                replies.append(ingest_pb2.BatchReply(ack=ack))
        replies.append(ingest_pb2.BatchReply(received=ingest_pb2.Received(batch=batch.batch)))
        return replies

    def _keep(self, event: pb.Event) -> None:
        match event.WhichOneof("event"):
            case "fill":
                self.fills.append(pb.Fill.FromString(event.fill))
            case "order_status":
                self.statuses.append(event.order_status)
            case "account_snapshot":
                self.snapshots.append(event.account_snapshot)
            case "gap":
                self.gaps.append(event.gap)
            case "caught_up":
                self.caught_up.append(event.caught_up)
            case "opened":
                self.opened.append(event.opened.address)

    def _resume(self, address: str, feed: pb.Feed.ValueType) -> ingest_pb2.BatchReply:
        through = [told.through_ms for told in self.caught_up if (told.address, told.feed) == (address, feed)]
        ended = {status.oid for status in self.statuses if status.status not in ("open", "triggered")}
        oids = {fill.oid for fill in self.fills if fill.address == address and fill.oid not in ended}
        watermark_ms = max([self.watch_from_ms, *through])
        resume = ingest_pb2.Resume(address=address, feed=feed, watermark_ms=watermark_ms, open_oids=oids)
        return ingest_pb2.BatchReply(resume=resume)


@dataclass
class World:
    """What a test runs in."""

    directory: Path
    client: Client
    nats_url: str
    recorder: Recorder
    http: aiohttp.ClientSession
    venue: str = ""

    async def get(self, path: str) -> Any:  # noqa: ANN401 JSON
        async with self.http.get(f"http://{self.venue}{path}") as reply:
            return msgspec.json.decode(await reply.read())

    async def post(self, path: str, body: object) -> Any:  # noqa: ANN401 JSON
        async with self.http.post(f"http://{self.venue}{path}", data=msgspec.json.encode(body)) as reply:
            return msgspec.json.decode(await reply.read())

    async def ledger(self, kind: str) -> list[dict[str, Any]]:
        async with self.http.get(f"http://{self.venue}/control/ledger") as reply:
            rows = [msgspec.json.decode(line) for line in (await reply.read()).splitlines()]
        return [row for row in rows if row["type"] == kind]

    async def watch(self, addresses: list[str]) -> None:
        for address in addresses:
            entry = WatchEntry(address=Address(address), watch_from_ms=self.recorder.watch_from_ms)
            assert await WatchList(self.client).put(entry, None)

    @asynccontextmanager
    async def simulator(self, **settings: object) -> AsyncIterator[ServiceProcess]:
        port = free_port()
        self.venue = f"127.0.0.1:{port}"
        process = ServiceProcess(
            "simulator", ["-m", "hlmonitor.simulator"], self.directory, {"port": port, "seed": 7} | settings
        )
        process.start()
        try:
            await process.ready()
            self.recorder.watch_from_ms = (await self.get("/control/stats"))["time"]
            yield process
        finally:
            process.kill()

    @asynccontextmanager
    async def gateway(self, name: str = "gateway", **settings: object) -> AsyncIterator[ServiceProcess]:
        base: dict[str, object] = {
            "nats_url": self.nats_url,
            "venue_ws_url": f"ws://{self.venue}/ws",
            "venue_rest_url": f"http://{self.venue}",
            "local_address": "127.0.0.2",
            "backoff_initial_s": 0.1,
            "resume_timeout_s": 3,
            "rest_lag_s": 0.5,
        }
        process = ServiceProcess(name, ["-m", "hlmonitor.gateway"], self.directory, base | settings)
        process.start()
        try:
            yield process
        finally:
            process.kill()

    async def until_the_ledger_is_here(self) -> None:
        """Wait for every fill since `watch_from`, and check that each is the venue's, field by field."""
        since_ms = self.recorder.watch_from_ms
        ledger = {key(row): row for row in await self.ledger("fill")}
        expected = {name: row for name, row in ledger.items() if row["time"] >= since_ms}
        assert len(expected) > 40
        await self.until(lambda: expected.keys() <= self._arrived().keys())
        # Older rows come with snapshots; nothing may come that the ledger does not have.
        assert all(ledger.get(name) == row for name, row in self._arrived().items())

    async def until_every_end_is_here(self) -> None:
        """Wait for the last status of each order, and of each TWAP, that was filled since `watch_from`."""
        filled = [row for row in await self.ledger("fill") if row["time"] >= self.recorder.watch_from_ms]
        oids, twaps = {row["oid"] for row in filled}, {row["twapId"] for row in filled if row["twapId"] is not None}
        # The venue tells no status of its own orders.
        orders = [row for row in await self.ledger("order") if row["origin"] == "order" and row["oid"] in oids]
        ends = {(row["oid"], row["status"]) for row in orders if row["status"] != "open"}
        running = [row for row in await self.ledger("twap") if row["twapId"] in twaps]
        twap_ends = {(row["twapId"], row["status"]) for row in running if row["status"] != "activated"}
        assert ends
        await self.until(lambda: ends <= {(status.oid, status.status) for status in self.recorder.statuses})
        await self.until(lambda: twap_ends <= {(status.twap_id, status.status) for status in self.recorder.statuses})

    def _arrived(self) -> dict[tuple[object, ...], dict[str, Any]]:
        return {key(row): row for row in map(as_venue_row, self.recorder.fills)}

    async def until_more_fills(self, count: int) -> None:
        """Wait for so many more that came by the stream."""
        seen = self._streamed()
        await self.until(lambda: self._streamed() > seen + count)

    def _streamed(self) -> int:
        return sum(not fill.replayed for fill in self.recorder.fills)

    async def until(self, condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    await asyncio.sleep(0.05)
        except TimeoutError:
            logs = "\n".join(path.read_text()[-3000:] for path in self.directory.glob("*.log"))
            pytest.fail(f"not within {timeout_s} s; the logs:\n{logs}")


def as_venue_row(fill: pb.Fill) -> dict[str, Any]:
    """A forwarded fill in the ledger's form."""
    row: dict[str, Any] = {
        "type": "fill", "address": fill.address, "coin": fill.coin, "px": fill.px, "sz": fill.sz,
        "side": "B" if fill.side == pb.SIDE_BUY else "A", "time": fill.time_ms, "startPosition": fill.start_position,
        "dir": fill.dir, "closedPnl": fill.closed_pnl, "hash": fill.hash, "oid": fill.oid, "crossed": fill.crossed,
        "fee": fill.fee, "tid": fill.tid, "feeToken": fill.fee_token,
        "twapId": fill.twap_id if fill.HasField("twap_id") else None,
    }  # fmt: skip
    if fill.HasField("cloid"):
        row["cloid"] = fill.cloid
    if fill.HasField("liquidation"):
        held = fill.liquidation
        row["liquidation"] = {"liquidatedUser": held.liquidated_user, "markPx": held.mark_px, "method": held.method}
    return row


def key(row: dict[str, Any]) -> tuple[object, ...]:
    return row["address"], row["coin"], row["time"], row["tid"], row["side"], row["oid"], row["startPosition"]


async def live(gateway: ServiceProcess, count: int) -> None:
    """Wait until so many wallets are caught up."""
    states: list[str] | None = None
    deadline = time.monotonic() + PATIENCE_S
    while states is None or states.count("live") != count:
        if time.monotonic() > deadline:
            pytest.fail(f"not {count} live but {states}; the gateway's log:\n{gateway.log_tail()}")
        with contextlib.suppress(aiohttp.ClientError, KeyError, TimeoutError):
            states = [wallet["state"] for wallet in (await gateway.status())["wallets"]]
        await asyncio.sleep(0.1)
