"""One run of the demo: everything up, whales watched, signals shown; with a duration, a verdict at the end."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

import nats
from rich.console import Console

from hlmonitor.demo.books import stored_signals, watch_whales
from hlmonitor.demo.collector import Collector
from hlmonitor.demo.comparison import Findings, compare
from hlmonitor.demo.expected import Expectation
from hlmonitor.demo.market import Market, Whale
from hlmonitor.demo.table import SignalTable
from hlmonitor.demo.verdict import Verdict, verdict_of
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.local.stack import Stack
from hlmonitor.runtime.watchlist import WatchList
from hlmonitor.storage import Database

SETTLE_S = 30.0
"""After trading stopped: how long signals and rows may take to be complete. An order whose status and fills do not
add up waits for 10 s, so less would judge too early."""
_POLL_S = 0.2
_WATCHED_TIMEOUT_S = 30.0


@dataclass(slots=True)
class DemoRun:
    """A stack that is up, a market that trades, and someone who listens."""

    stack: Stack
    console: Console
    faults: Mapping[str, object]

    async def show_for_ever(self) -> None:
        """Show signals until cancelled."""
        market = Market(self.stack)
        whales = await market.whales()
        collector = Collector(keep=False, on_signal=self._table(whales).add)
        async with collector.listen(self.stack.nats.url):
            await self._begin(market, whales)
            await asyncio.Event().wait()

    async def judge(self, duration_s: float) -> Verdict:
        """Show signals for a while, stop trading, and hold everything against the ledger."""
        market = Market(self.stack)
        whales = await market.whales()
        collector = Collector(keep=True, on_signal=self._table(whales).add)
        async with collector.listen(self.stack.nats.url):
            watch_from_ms = await self._begin(market, whales)
            await asyncio.sleep(duration_s)
            await market.quiesce()
            expectation = await market.expected(watch_from_ms)
            findings = await self._settle(expectation, collector)
        for sentence in findings.sentences:
            self.console.print(sentence, style="red", soft_wrap=True)
        return verdict_of(expectation, len(collector.stream), findings)

    async def _begin(self, market: Market, whales: list[Whale]) -> dict[str, int]:
        if self.faults:
            await market.inject(self.faults)
        database = Database(self.stack.database_url)
        try:
            await watch_whales(database, whales)
        finally:
            await database.close()
        entries = await self._watched(whales)
        return {address: entry.watch_from_ms for address, entry in entries.items()}

    async def _watched(self, whales: list[Whale]) -> dict[str, WatchEntry]:
        """The watch list's entries, once the loader has written all of them."""
        client = await nats.connect(self.stack.nats.url, connect_timeout=5)
        try:
            async with asyncio.timeout(_WATCHED_TIMEOUT_S):
                async for entries in WatchList(client).follow():
                    if all(whale.address in entries for whale in whales):
                        return {str(address): entry for address, entry in entries.items()}
        finally:
            await client.close()
        raise RuntimeError("the watch list ended")

    async def _settle(self, expectation: Expectation, collector: Collector) -> Findings:
        deadline = time.monotonic() + SETTLE_S
        database = Database(self.stack.database_url)
        try:
            while True:
                rows = await stored_signals(database)
                findings = compare(expectation, collector.stream, rows, collector.legacy)
                if not findings.missing or time.monotonic() > deadline:
                    return findings
                await asyncio.sleep(_POLL_S)
        finally:
            await database.close()

    def _table(self, whales: list[Whale]) -> SignalTable:
        return SignalTable(self.console, {whale.address: whale.name for whale in whales})
