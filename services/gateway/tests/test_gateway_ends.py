"""The ends of orders that a wallet's REST work asks for, from a venue whose list of orders does not show them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import structlog
from aiohttp import web

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.partitions import partition_of
from hlmonitor.gateway.core.feeds import Catchup
from hlmonitor.gateway.core.session import Session, SessionLimits
from hlmonitor.gateway.core.turns import Turns
from hlmonitor.gateway.core.window import Window
from hlmonitor.gateway.io.backlog import Backlog
from hlmonitor.gateway.io.catchup import CatchupReader
from hlmonitor.gateway.io.notifier import Notifier
from hlmonitor.gateway.io.turns import Gate
from hlmonitor.local.waiting import eventually
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.v1 import events_pb2 as pb
from hlmonitor.venue.core.limits import RateLedger
from hlmonitor.venue.io.rest import InfoClient

ADDRESS = Address("0x" + "ab" * 20)
PLENTY = 1_000_000


@dataclass
class Venue:
    """Knows how orders ended, from the oldest that it keeps on, when it is asked for them one by one."""

    oldest: int = 1
    fills: list[dict[str, object]] = field(default_factory=list)
    asked: list[int | str] = field(default_factory=list)
    """What it was asked for: an order, or else the request's type."""

    async def info(self, request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read())
        self.asked.append(asked.get("oid", asked["type"]))
        if asked["type"] == "orderStatus":
            return web.json_response(self._status(asked["oid"]))
        if asked["type"] == "userFillsByTime":
            return web.json_response(self.fills)
        return web.json_response([])

    def _status(self, oid: int) -> dict[str, object]:
        if oid < self.oldest:
            return {"status": "unknownOid"}
        order = {
            "coin": "BTC", "side": "A", "limitPx": "1", "sz": "0.0", "oid": oid, "timestamp": 1, "origSz": "2",
        }  # fmt: skip
        return {"status": "order", "order": {"order": order, "status": "filled", "statusTimestamp": 3}}


@dataclass
class Desk:
    """The REST work of one wallet against it."""

    venue: Venue
    backlog: Backlog
    window: Window

    def ended(self) -> set[int]:
        self.window.rewind(partition_of(ADDRESS))
        events = self.window.take(range(64), PLENTY)
        return {event.order_status.oid for event in events if event.HasField("order_status")}


@asynccontextmanager
async def desk(venue: Venue) -> AsyncIterator[Desk]:
    app = web.Application()
    app.router.add_post("/info", venue.info)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    ledger, window = RateLedger(PLENTY), Window(PLENTY, PLENTY)
    async with InfoClient(f"http://127.0.0.1:{port}", ledger=ledger) as client:
        gate = Gate(Turns(4), ledger, 0.5)
        log = structlog.stdlib.get_logger("test")
        reader = CatchupReader(client, gate, Notifier(), lambda: None, Metrics(), log, 1_000, 10_000)
        backlog = Backlog(Session(ADDRESS, window, SessionLimits()), reader, 0, lambda: None)
        running = asyncio.create_task(backlog.run())
        try:
            yield Desk(venue, backlog, window)
        finally:
            running.cancel()
            await asyncio.wait([running])
            await runner.cleanup()


def work(*oids: int, reads_rows: bool = False) -> Catchup:
    return Catchup(pb.FEED_USER_FILLS, 5, None, oids, reads_rows, 5, None)


async def test_the_ends_of_all_orders_that_the_venues_list_does_not_show_are_asked_for_newest_first() -> None:
    async with desk(Venue()) as at:
        at.backlog.request(work(*range(1, 221)))
        await eventually(lambda: len(at.ended()) == 220, "every end is forwarded", 60)
        assert at.venue.asked == ["historicalOrders", *range(220, 0, -1)]


async def test_what_somebody_waits_for_goes_between_two_slices_of_ends() -> None:
    async with desk(Venue()) as at:
        at.backlog.request(work(*range(1, 221)))
        await eventually(lambda: bool(at.venue.asked), "it has begun")
        at.backlog.request(work(reads_rows=True))
        await eventually(lambda: len(at.ended()) == 220, "every end is forwarded", 60)
        rows_at = at.venue.asked.index("userFillsByTime")
        assert 220 not in at.venue.asked[rows_at:]
        assert 1 in at.venue.asked[rows_at:]


async def test_orders_older_than_those_that_the_venue_knows_are_not_asked_for() -> None:
    async with desk(Venue(oldest=150)) as at:
        at.backlog.request(work(*range(1, 221)))
        await eventually(lambda: len(at.backlog) == 0 and 130 in at.venue.asked, "the work is done", 60)
        assert at.ended() == set(range(150, 221))
        assert min(oid for oid in at.venue.asked if isinstance(oid, int)) == 130


def fill(oid: int, dir_: str, **more: object) -> dict[str, object]:
    row = {"coin": "#10", "px": "0.5", "sz": "1", "side": "B", "startPosition": "0", "dir": dir_, "closedPnl": "0"}
    return {**row, "time": 2, "oid": oid, "tid": oid, "hash": "0x0", "crossed": True, "fee": "0", **more}


async def test_ends_are_asked_for_of_orders_alone_however_much_the_venue_did_by_itself_since() -> None:
    liquidated = {"liquidatedUser": ADDRESS, "markPx": "1", "method": "market"}
    system = [fill(100 + number, "Split Outcome") for number in range(30)]
    venue = Venue(fills=[fill(7, "Buy"), *system, fill(200, "Close Long", liquidation=liquidated)])
    venue.oldest = 7
    async with desk(venue) as at:
        at.backlog.request(Catchup(pb.FEED_USER_FILLS, 0, None, (), reads_rows=True, through_ms=0, generation=0))
        await eventually(lambda: not len(at.backlog), "all is read")
        assert at.ended() == {7}
        assert [asked for asked in venue.asked if isinstance(asked, int)] == [7]
