"""The whole system in a test: brought up, watching wallets, judged against the simulator's ledger and oracle."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from patient import patient_database
from sqlalchemy import text

from hlmonitor.demo.books import stored_signals
from hlmonitor.demo.collector import LEGACY_SUBJECT, SUBJECTS
from hlmonitor.demo.comparison import Findings, StreamMessage, compare
from hlmonitor.demo.expected import Expectation
from hlmonitor.demo.market import Market
from hlmonitor.domain.addresses import Address
from hlmonitor.local.stack import Stack, StackConfig
from hlmonitor.runtime.clock import wall_ms
from hlmonitor.runtime.streams import read_stream
from hlmonitor.runtime.watchlist import WatchList
from hlmonitor.storage import Database
from hlmonitor.storage.dao import watch

SETTLE_S = 40.0
"""After so long without a further signal, those that are missing are."""
CALM_S = 1.0
"""What is right stays right: what comes within this time too is judged."""
_LEGACY_MISSING = "no message on hl_address_signal"

QUICK: dict[str, Mapping[str, object]] = {
    # A test that kills and starts again opens more connections than the venue allows in a minute.
    "simulator": {"limit_new_connections": 500, "limit_weight": 9000, "rate": 15},
    "gateway": {"new_connections_per_minute": 500, "rest_weight_per_minute": 9000, "backoff_initial_s": 0.2},
    "aggregator": {"mids_reload": 1},
    "address-loader": {"every": "1s"},
}
"""Settings that shorten waiting, and nothing else."""


def quick(**more: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    """QUICK with more settings by kind of service (`address_loader` stands for `address-loader`)."""
    given = {kind.replace("_", "-"): settings for kind, settings in more.items()}
    return {kind: {**QUICK.get(kind, {}), **given.get(kind, {})} for kind in QUICK.keys() | given.keys()}


@dataclass
class World:
    """A stack that is up, its database, a listener on NATS, and the wallets that are watched."""

    stack: Stack
    database: Database
    nats: Client
    legacy: list[bytes] = field(default_factory=list)
    watch_from_ms: dict[str, int] = field(default_factory=dict)
    expect: Callable[[Expectation, Sequence[StreamMessage]], Expectation] = lambda found, _: found
    """Makes of the oracle's answer what is expected of this stream; usually that is all."""

    @property
    def market(self) -> Market:
        """The simulated market."""
        return Market(self.stack)

    async def rows(self, query: str, **values: object) -> list[dict[str, Any]]:
        """What a query finds in the database."""
        async with self.database.read() as connection:
            return [dict(row) for row in (await connection.execute(text(query), values)).mappings()]

    async def stored_fills(self, address: str) -> list[dict[str, Any]]:
        """The wallet's fills in the database."""
        return await self.rows("SELECT oid, tid, time_ms FROM hl_fill WHERE address = :address", address=address)

    async def list_in_sql(self, addresses: Iterable[str]) -> None:
        """Put wallets on the watch list's table, as a user's application would."""
        async with self.database.write() as connection:
            for address in addresses:
                source, now_ms = watch.AddressSource.AUTO, wall_ms()
                await watch.add(connection, source, address, now_ms=now_ms, owner=1, label="")

    async def unlist_in_sql(self, address: str) -> None:
        """Take a wallet off that table."""
        async with self.database.write() as connection:
            await watch.remove(connection, watch.AddressSource.AUTO, address, now_ms=wall_ms())

    async def watch(self, addresses: Sequence[str]) -> None:
        """Put wallets on the list and wait until their feeds are live."""
        await self.list_in_sql(addresses)
        await until(lambda: self._is_covered(addresses), f"{len(addresses)} wallets are live", 90)
        entries = await WatchList(self.nats).read()
        for address in addresses:
            entry = entries[Address(address)].entry
            assert entry is not None
            self.watch_from_ms[address] = entry.watch_from_ms

    async def watch_whales(self) -> None:
        """Watch every wallet of the simulated market."""
        await self.watch([whale.address for whale in await self.market.whales()])

    async def signals(self) -> list[dict[str, Any]]:
        """Every message of the v1 stream so far, decoded."""
        return [msgspec.json.decode(message.payload) for message in await self.stream()]

    async def stream(self) -> list[StreamMessage]:
        """Every message of the v1 stream so far, read from its beginning."""
        stored = await read_stream(self.nats, "HL_SIGNALS", SUBJECTS)
        return [StreamMessage(message.data, message.stored_at_ms) for message in stored]

    async def until_signals(self, count: int, timeout_s: float = 90) -> list[dict[str, Any]]:
        """Wait until the stream holds this many."""
        await until(lambda: self._holds(count), f"there are {count} signals", timeout_s)
        return await self.signals()

    async def judge(self, *, crashed: bool = False, patience_s: float = SETTLE_S) -> tuple[Expectation, Findings]:
        """Stop trading, wait until everything is there, and hold it against the ledger.

        After a crash the original's message is promised at most once, so one that is missing is no finding.
        """
        await self.market.quiesce()
        expectation = await self.market.expected(self.watch_from_ms)
        findings = await self._findings(expectation, crashed=crashed)
        least, deadline = len(findings.missing), time.monotonic() + patience_s
        while findings.missing and time.monotonic() < deadline:
            began = time.monotonic()
            findings = await self._findings(expectation, crashed=crashed)
            if len(findings.missing) < least:
                # It gets on: how fast, is the machine's affair.
                least, deadline = len(findings.missing), time.monotonic() + patience_s
            # A look at much takes long: what is looked at must get on meanwhile.
            await asyncio.sleep(max(0.3, time.monotonic() - began))
        await asyncio.sleep(CALM_S)
        return expectation, await self._findings(expectation, crashed=crashed)

    async def settled_verdict(
        self, *, least: int = 50, crashed: bool = False, patience_s: float = SETTLE_S
    ) -> Expectation:
        """Judge, and fail with every finding; also demands no dead letter, no conflict and no open gap."""
        expectation, findings = await self.judge(crashed=crashed, patience_s=patience_s)
        sentences = "\n".join(findings.sentences[:20])
        counts = (len(findings.missing), len(findings.duplicates), len(findings.wrong))
        assert counts == (0, 0, 0), f"missing, duplicates, wrong: {counts}\n{sentences}"
        assert len(expectation.signals) >= least
        assert await self.rows("SELECT * FROM hl_dead_letter") == []
        await until(self.has_no_open_gap, "no gap is open", 60)
        assert await self.stack["writer"].metric("hl_monitor_signal_conflicts_total") == 0
        stats = await self.stack.control("stats")
        assert stats["violations"] == {}
        return expectation

    async def open_gaps(self) -> list[dict[str, Any]]:
        """Gaps that nobody has closed yet."""
        return await self.rows("SELECT address, feed, from_ms, reason FROM hl_gap WHERE state = 'open'")

    async def metric(self, kind: str, name: str, /, **labels: str) -> float:
        """A metric's sum over the services of a kind."""
        return sum([await service.metric(f"hl_monitor_{name}", **labels) for service in self.stack.of_kind(kind)])

    async def hear(self, message: Msg) -> None:
        """Keep a message of the original's subject."""
        self.legacy.append(message.data)

    async def _findings(self, expectation: Expectation, *, crashed: bool) -> Findings:
        had_gaps = bool(await self.rows("SELECT 1 FROM hl_gap LIMIT 1"))
        stored = await stored_signals(self.database)
        stream = await self.stream()
        found = compare(self.expect(expectation, stream), stream, stored, self.legacy, had_gaps=had_gaps)
        missing = [sentence for sentence in found.missing if not (crashed and sentence.startswith(_LEGACY_MISSING))]
        return replace(found, missing=missing)

    async def _is_covered(self, addresses: Iterable[str]) -> bool:
        statuses = [await gateway.status() for gateway in self.stack.of_kind("gateway") if gateway.running]
        live = {w["address"] for status in statuses for w in status["wallets"] if w["state"] == "live"}
        return live >= set(addresses)

    async def _holds(self, count: int) -> bool:
        return len(await self.stream()) >= count

    async def has_no_open_gap(self) -> bool:
        """Everything is vouched for, or known not to be."""
        return not await self.open_gaps()


@asynccontextmanager
async def running_world(
    config: StackConfig, *, before_venue: Callable[[str], None] = lambda _: None
) -> AsyncIterator[World]:
    """The whole system, up; everything is gone afterwards. `before_venue` is told the simulator's URL at first."""
    stack = Stack(config)
    before_venue(stack.venue_url)
    async with stack, listening(stack) as world:
        yield world


@asynccontextmanager
async def listening(stack: Stack) -> AsyncIterator[World]:
    """A world around a stack whose NATS and database are up."""
    client = await nats.connect(
        stack.nats.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1, error_cb=_a_killed_server_is_no_surprise
    )
    database = patient_database(stack.database_url)
    world = World(stack, database, client)
    try:
        await client.subscribe(LEGACY_SUBJECT, cb=world.hear)
        yield world
    finally:
        await database.close()
        await client.close()


async def _a_killed_server_is_no_surprise(_: Exception) -> None:
    """In place of the library's, which writes a traceback for each attempt to connect."""


async def until(holds: Callable[[], Awaitable[bool]], what: str, timeout_s: float = 60) -> None:
    """Return as soon as the condition holds, or fail; a look that fails is one that did not hold."""
    deadline = time.monotonic() + timeout_s
    problem: Exception | None = None
    while time.monotonic() < deadline:
        try:
            if await holds():
                return
            problem = None
        except Exception as error:  # noqa: BLE001 what is looked at may be down at this moment
            problem = error
        await asyncio.sleep(0.1)
    raise AssertionError(f"after {timeout_s} s it still does not hold that {what}") from problem


def config(directory: Path, **fields: Any) -> StackConfig:  # noqa: ANN401 the dataclass' fields
    """A stack whose settings are quick, unless said otherwise."""
    return StackConfig(directory, **({"settings": quick()} | fields))
