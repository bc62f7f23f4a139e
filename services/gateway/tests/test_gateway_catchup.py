"""Reading over REST a wallet that trades faster than it is read."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from math import inf
from typing import Any

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.partitions import PARTITIONS
from hlmonitor.gateway.core.feeds import Catchup
from hlmonitor.gateway.core.session import Session, SessionLimits
from hlmonitor.gateway.core.turns import Turns
from hlmonitor.gateway.core.window import Window
from hlmonitor.gateway.io.catchup import CatchupReader, Reading
from hlmonitor.gateway.io.notifier import Notifier
from hlmonitor.gateway.io.turns import Gate
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.v1 import events_pb2 as pb
from hlmonitor.venue.core.limits import RateLedger
from hlmonitor.venue.io.rest import InfoClient

WALLET = Address("0x" + "ab" * 20)
PAGE = 2_000
KEPT = 3_000
TRADED_MEANWHILE = 4_000


def row(number: int) -> dict[str, object]:
    texts = {"coin": "BTC", "px": "1.0", "sz": "1.0", "side": "B", "startPosition": "0.0", "dir": "Open Long"}
    rest = {"closedPnl": "0.0", "hash": "0x0", "crossed": True, "fee": "0.0", "feeToken": "USDC"}
    return {**texts, **rest, "time": number, "oid": -1, "tid": number}


class Venue:
    """Answers of the venue to `userFillsByTime`, page by page, and to `orderStatus`."""

    def __init__(self, traded_meanwhile: int = 0, failures: int = 0) -> None:
        self._traded_meanwhile, self._failures = traded_meanwhile, failures
        self._pages = 0

    async def answer(self, request: web.Request) -> web.Response:
        wanted: dict[str, Any] = await request.json()
        if wanted["type"] == "orderStatus" and self._failures:
            self._failures -= 1
            raise web.HTTPBadRequest
        if wanted["type"] != "userFillsByTime":
            return web.json_response({"status": "unknownOid"})
        self._pages += 1
        newest = KEPT if self._pages == 1 else KEPT + self._traded_meanwhile
        kept = range(max(wanted["startTime"], newest - KEPT), newest)
        return web.json_response([row(number) for number in kept[:PAGE]])

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Keeps so many rows, one of each ms; after the first page there may be more than before."""
        app = web.Application()
        app.router.add_post("/info", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


async def read(venue: Venue, *oids: int) -> list[pb.Event]:
    """What is told after a reading from the beginning on."""
    session = Session(WALLET, Window(20_000, 20_000), SessionLimits())
    work = Catchup(pb.FEED_USER_FILLS, 0, None, oids, reads_rows=True, through_ms=0, generation=None)
    gate = Gate(Turns(4), RateLedger(inf), 1.0)
    metrics, log = Metrics(CollectorRegistry()), structlog.stdlib.get_logger()
    async with venue.serving() as url, InfoClient(url, ledger=RateLedger(inf)) as client, asyncio.timeout(60):
        reader = CatchupReader(client, gate, Notifier(), lambda: None, metrics, log, 0, 100_000)
        await reader.perform(Reading(session, work, 0))
    return session.window.take(range(PARTITIONS), 20_000)


def times(told: Iterable[pb.Event]) -> list[int]:
    return [pb.Fill.FromString(event.fill).time_ms for event in told if event.HasField("fill")]


async def test_what_the_venue_dropped_between_two_pages_is_told_as_a_gap_with_its_bounds() -> None:
    told = await read(Venue(TRADED_MEANWHILE))
    assert times(told) == [*range(PAGE), *range(TRADED_MEANWHILE, TRADED_MEANWHILE + KEPT)]
    (gap,) = [event.gap for event in told if event.HasField("gap")]
    assert (gap.from_ms, gap.to_ms, gap.reason) == (PAGE - 1, TRADED_MEANWHILE + 1, "older_than_the_venue_keeps")


async def test_a_reading_of_several_pages_that_failed_is_done_again_from_the_beginning() -> None:
    told = await read(Venue(failures=1), 7)
    assert times(told) == [*range(KEPT), *range(KEPT)]
