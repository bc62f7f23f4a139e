"""One run: how much is sustained, ten times that for a while, calm, and the verdict.

What sends the load has a processor of its own, and the system has the others: it must not send less because the system
has more to do.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos.run import SERVERS
from world import World, listening, until

from hlmonitor.local.databases import running
from hlmonitor.local.stack import Stack, StackConfig
from overload.account import Account
from overload.books import books_of
from overload.ledger import sent_fills
from overload.memory import Footprint, Sampler
from overload.pace import sending, sustained_rate, unacknowledged
from overload.verdict import TIMES, Verdict

WALLETS = 20
"""As many as two gateways have room for."""
CALM_S = 600.0
SETTINGS: dict[str, Mapping[str, object]] = {
    # With the venue's own REST weight it takes six minutes to read ten wallets to the horizon, and here one. All that
    # bounds memory is as it is by default.
    "simulator": {
        "agents": "off",
        "load_rate": 1_500,
        "load_wallets": WALLETS,
        "limit_weight": 9_000,
        "limit_new_connections": 1_000,
    },
    "gateway": {"rest_weight_per_minute": 9_000, "new_connections_per_minute": 1_000},
    # Of orders that are read over REST the venue tells the end of the latest 2,000 only.
    "aggregator": {"mids_reload": 1, "order_timeout": 10},
    "address-loader": {"every": "1s"},
}


@dataclass(frozen=True, slots=True)
class Options:
    """What to run."""

    duration_s: float
    database: str
    directory: Path


@asynccontextmanager
async def _world(options: Options) -> AsyncIterator[World]:
    kind = SERVERS.get(options.database)
    if kind is None:
        async with _stack(options, "") as world:
            yield world
        return
    with running(kind, options.directory / options.database) as server:
        async with _stack(options, server.fresh_database()) as world:
            yield world


@asynccontextmanager
async def _stack(options: Options, database_url: str) -> AsyncIterator[World]:
    config = StackConfig(options.directory / "stack", database_url=database_url, whales=0, settings=SETTINGS)
    async with Stack(config) as stack, listening(stack) as world:
        yield world


async def run(options: Options, say: Callable[[str], None]) -> Verdict:
    """Run, and tell how it goes and a line per finding.

    Raises:
        LocalError: something did not start.
        ServerError: the database did not.
    """
    with _processors() as load:
        async with _world(options) as world:
            simulator = world.stack.services["simulator"].pid
            assert simulator
            for pid in (os.getpid(), simulator):
                _move(pid, load)
            return await _run(world, options, say)


@contextmanager
def _processors() -> Iterator[set[int]]:
    """The load's; what is started meanwhile has the others."""
    available = os.sched_getaffinity(0)
    *system, load = sorted(available)
    assert system, "the load needs a processor of its own: run it where there are two"
    os.sched_setaffinity(0, system)
    try:
        yield {load}
    finally:
        _move(os.getpid(), available)


def _move(pid: int, processors: set[int]) -> None:
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), processors)


async def _run(world: World, options: Options, say: Callable[[str], None]) -> Verdict:
    await world.watch_whales()
    sustained = await sustained_rate(world, say)
    say(f"{sustained} fills/s are sustained; {TIMES * sustained} follow for {options.duration_s:.0f} s")
    before = await _stored(world)
    footprints = await _flood(world, TIMES * sustained, options.duration_s, say)
    committed = await _stored(world) - before
    report = await world.stack.control("load")
    ended = time.monotonic()
    say(f"calm: {await unacknowledged(world):.0f} events wait to become durable")
    await until(lambda: _is_calm(world), "everything is caught up, decided and published", CALM_S)
    drained_s = time.monotonic() - ended
    say(f"all is done {drained_s:.0f} s later, and is held against the ledger")
    account = await _account(world)
    for sentence in (*account.missing[:30], *account.duplicates[:30], *account.wrong[:30]):
        say(sentence)
    return Verdict(
        sustained_per_s=sustained,
        offered_per_s=report["rate"],
        seconds=report["seconds"],
        committed_per_s=round(committed / report["seconds"]),
        drained_s=round(drained_s, 1),
        sent=account.sent,
        stored=account.stored,
        in_gaps=account.in_gaps,
        gaps=account.gaps,
        signals=account.signals,
        whole=account.whole,
        windows_full=int(await world.metric("gateway", "venue_gaps_total", reason="window_full")),
        missing=len(account.missing),
        duplicates=len(account.duplicates),
        wrong=len(account.wrong),
        memory_mb=footprints,
    )


async def _flood(world: World, rate: int, duration_s: float, say: Callable[[str], None]) -> dict[str, Footprint]:
    sampler = Sampler({**world.stack.services, "nats": world.stack.nats})
    async with sending(world, rate):
        sampling = asyncio.create_task(sampler.run())
        await asyncio.sleep(duration_s)
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)
    for name, footprint in sampler.footprints.items():
        say(f"{name}: {footprint.first_half} MB, then {footprint.second_half} MB, at most {footprint.most} MB")
    return sampler.footprints


async def _stored(world: World) -> int:
    (row,) = await world.rows("SELECT COUNT(*) AS n FROM hl_fill")
    return int(row["n"])


async def _is_calm(world: World) -> bool:
    """Whether nothing is under way any more; asked in the order in which things move on."""
    if not await world.has_no_open_gap() or await unacknowledged(world):
        return False
    if await world.metric("gateway", "backfills_pending") or await world.metric("aggregator", "signals_unpublished"):
        return False
    untold = "SELECT 1 FROM hl_fill WHERE close_number IS NULL AND open_number IS NULL LIMIT 1"
    return not await world.rows(untold)


async def _account(world: World) -> Account:
    account = Account()
    async for fills in sent_fills(world.stack):
        account.check(fills, await books_of(world, fills[0].address))
    letters = await world.rows("SELECT * FROM hl_dead_letter")
    account.wrong += [f"dead letter: {letter}" for letter in letters]
    return account
