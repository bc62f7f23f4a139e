"""One run: everything up, trading under blows, calm, and the verdict."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from world import SETTLE_S, World, listening, until

from chaos.field import Field
from chaos.lines import Lines
from chaos.plan import Battlefield, Blow, List, plan
from chaos.recovery import recovery_ms, slowest_s
from chaos.verdict import FULL_S, LEAST_ORDERS, Verdict
from chaos.watching import Expected, Watched, absences
from hlmonitor.demo.market import Whale
from hlmonitor.local.databases import DatabaseServer, MariaDbServer, PostgresServer, running
from hlmonitor.local.stack import Stack, StackConfig

SERVERS: Mapping[str, type[DatabaseServer]] = {"postgres": PostgresServer, "mariadb": MariaDbServer}
DATABASES = ("sqlite", *SERVERS)
WALLETS = 18
"""The venue allows ten per IP, so either gateway can take over only a part of the other's."""
LATER = 2
"""So many of them come onto the watch list while the run goes on."""
ABRUPT = ("scalper", "flipper")
"""Styles whose orders all end in the block in which they come: no order of theirs spans a removal."""
UNLISTED = 3
GRACE_S = 45.0
"""Five minutes as a default. Here a wallet must be back after it within a run; but as it ends what is watched, it must
be longer than any time without progress."""
NEVER_S = 120.0
"""Stands for a recovery that was not seen."""
LOOK_S = 10.0
"""Between two looks at how many orders there were."""
SETTINGS: dict[str, Mapping[str, object]] = {
    # The venue allows 30 new connections a minute and 10 at a time from an IP. A gateway that is killed every 20 s
    # opens more, and a connection that is cut half-open keeps its place for a minute. All else is as the venue has it.
    "simulator": {
        "limit_new_connections": 1000,
        "limit_connections": 100,
        "limit_weight": 9000,
        "rate": 75,
        "mix": "scalper=3,flipper=3,swing=3,patient=2,spot=2,hip3=1,cautious=1,gambler=1",
        "shock_every": "30s",
    },
    "gateway": {
        "new_connections_per_minute": 1000,
        "rest_weight_per_minute": 9000,
        "backoff_initial_s": 0.2,
        "remove_grace": GRACE_S,
    },
    "aggregator": {"mids_reload": 1, "remove_grace": GRACE_S},
    "address-loader": {"every": "1s", "remove_grace": GRACE_S},
}


@dataclass(frozen=True, slots=True)
class Options:
    """What to run."""

    seed: int
    duration_s: float
    database: str
    directory: Path
    kinds: frozenset[str] = frozenset()
    """Only blows of these kinds (`Kill`, `Hurt`, …); all when empty."""


@asynccontextmanager
async def _world(options: Options, lines: Lines) -> AsyncIterator[tuple[World, DatabaseServer | None]]:
    kind = SERVERS.get(options.database)
    if kind is None:
        async with _stack(options, lines, "") as world:
            yield world, None
        return
    with running(kind, options.directory / options.database) as server:
        async with _stack(options, lines, server.fresh_database()) as world:
            yield world, server


@asynccontextmanager
async def _stack(options: Options, lines: Lines, database_url: str) -> AsyncIterator[World]:
    settings = {**SETTINGS, "simulator": {**SETTINGS["simulator"], "seed": options.seed}}
    config = StackConfig(
        options.directory / "stack",
        database_url=database_url,
        gateways=3,
        aggregators=3,
        whales=WALLETS,
        settings=settings,
        later=frozenset({"gateway-3", "aggregator-3"}),
        route=lines.route,
    )
    stack = Stack(config)
    async with lines.open(), stack, listening(stack) as world:
        yield world


def battlefield(lines: Lines, whales: Sequence[Whale], *, has_server: bool) -> Battlefield:
    """What a run's stack and market offer."""
    killed = ("gateway-1", "gateway-2", "aggregator-1", "aggregator-2", "writer", "nats")
    return Battlefield(
        killed=(*killed, "database") if has_server else killed,
        joining=("gateway-3", "aggregator-3"),
        lines=tuple(line for line in lines.lines if not line.startswith("cleaner")),
        listed_later=tuple(whale.address for whale in whales[-LATER:]),
        unlisted=tuple(whale.address for whale in whales[:-LATER] if whale.style in ABRUPT)[:UNLISTED],
        grace_s=GRACE_S,
    )


async def run(options: Options, say: Callable[[str], None]) -> Verdict:
    """Run, and tell a line per blow and one per finding.

    Raises:
        LocalError: something did not start.
        ServerError: the database did not.
    """
    lines = Lines()
    async with _world(options, lines) as (world, server):
        whales = await world.market.whales()
        offered = battlefield(lines, whales, has_server=server is not None)
        blows = plan(options.seed, options.duration_s, offered)
        blows = [blow for blow in blows if not options.kinds or type(blow).__name__ in options.kinds]
        listed = [whale.address for whale in whales[:-LATER]]
        await world.watch(listed)
        field, watched = Field(world, lines, server, [whale.address for whale in whales], say), Watched()
        following = asyncio.create_task(watched.follow(world.nats))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.sleep(options.duration_s))
            tasks.create_task(field.fight(blows))
        following.cancel()
        listed += [blow.wallet for blow in blows if isinstance(blow, List)]
        await until(lambda: watched.read(world.nats, listed), "every wallet is watched that is listed")
        await _trade_on(world, watched, options.duration_s)
        say("calm: trading ends, and everything is held against the ledger")
        await _expect(world, watched, field)
        return await _judge(world, field, blows, say)


async def _trade_on(world: World, watched: Watched, duration_s: float) -> None:
    """Let a market that a busy machine held up go on until the run proves enough, at most as long again."""
    for _ in range(int(duration_s / LOOK_S) if duration_s >= FULL_S else 0):
        if (await world.market.expected(watched.latest)).orders >= LEAST_ORDERS:
            return
        await asyncio.sleep(LOOK_S)


async def _expect(world: World, watched: Watched, field: Field) -> None:
    """Tell the world from when on which wallet's signals must be there."""
    await world.market.quiesce()
    world.watch_from_ms = watched.latest
    gone = absences(watched.starts, field.removed_ms)
    before = await world.market.expected({absence.address: watched.starts[absence.address][0] for absence in gone})
    world.expect = Expected(before, gone)


async def _judge(world: World, field: Field, blows: list[Blow], say: Callable[[str], None]) -> Verdict:
    expectation, findings = await world.judge(crashed=True)
    findings.wrong += await _complaints(world)
    for sentence in findings.sentences[:100]:
        say(sentence)
    with suppress(AssertionError):
        # Those that stay open are told below.
        await until(world.has_no_open_gap, "no gap is open", SETTLE_S)
    gaps = await world.rows("SELECT * FROM hl_gap WHERE state NOT IN ('covered', 'removed')")
    for gap in gaps:
        say(f"gap: {gap}")
    stream = await world.stream()
    recoveries = [(restart, recovery_ms(restart, stream)) for restart in field.restarts]
    for restart, took_ms in sorted(recoveries, key=lambda pair: pair[1] or 10**9):
        ready = None if restart.ready_ms is None else restart.ready_ms - restart.started_ms
        which = "alone" if restart.alone else "among other blows"
        say(f"recovery {which}: {restart.target} ready after {ready} ms, new signals after {took_ms} ms")
    for sentence in field.ended:
        say(sentence)
    # Not a finding: a process that is killed or cut off cannot know what the venue still counts of it.
    say(f"limits of the venue that were broken: {(await world.stack.control('stats'))['violations']}")
    say(f"blows: {dict(field.struck)}")
    happened = field.struck.total() - field.struck["cuts"]
    assert happened == len(blows), f"{len(blows)} blows were planned, {happened} happened"
    return Verdict(
        orders=expectation.orders,
        expected=len(expectation.signals),
        kills=field.struck["Kill"],
        cuts=field.struck["cuts"],
        missing=len(findings.missing),
        duplicates=len(findings.duplicates),
        wrong=len(findings.wrong),
        gaps_recorded=len(gaps),
        recovery_p99_s=slowest_s((took_ms for restart, took_ms in recoveries if restart.alone), NEVER_S),
    )


async def _complaints(world: World) -> list[str]:
    """What the system itself calls wrong."""
    letters = await world.rows("SELECT * FROM hl_dead_letter")
    # Not the counter: it begins anew with each writer that is started.
    conflicts = [line for line in world.stack["writer"].log_file.read_text().splitlines() if "signal_conflict" in line]
    return [*(f"dead letter: {letter}" for letter in letters), *(f"conflict: {line}" for line in conflicts)]
