"""Wallets trade while nobody listens: what the venue still shows is told exactly, and what it does not is a gap."""

import asyncio
import datetime as dt
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nats.aio.msg import Msg
from world import World, config, quick, running_world, until

from hlmonitor.demo.books import stored_signals
from hlmonitor.demo.comparison import Findings, compare
from hlmonitor.demo.expected import Expectation
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.runtime.watchlist import WatchList

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

WHALE, MAKER = f"0x{0xA1:040x}", f"0x{0xB1:040x}"
HOUR_MS = 3_600_000
PAGE, HORIZON = 2_000, 10_000
PIECES = 50
"""Fills of an order."""
TOLD, GONE, AFTERWARDS = 2, 40, 2
"""Orders before nobody listens, those of which the venue then shows no fill any more, and those when all listen."""
PX = 66_000
BOUNDS = ("feed", "from_ms", "to_ms", "reason")
"""What tells one gap of a wallet from another."""
PATIENCE_S = 120.0


@dataclass
class Scene:
    """A quiet exchange where one watched wallet trades with one other."""

    world: World
    numbers: "count[int]"

    async def venue_ms(self) -> int:
        """The venue's time."""
        time_ms: int = (await self.world.stack.control("stats"))["time"]
        return time_ms

    async def watch(self) -> None:
        """Fund both wallets, and watch the one from now on."""
        for address in (WHALE, MAKER):
            await self.world.stack.control("deposit", {"address": address, "amount": "100000000"})
        entry = WatchEntry(address=Address(WHALE), watch_from_ms=await self.venue_ms())
        assert await WatchList(self.world.nats).put(entry, None)
        self.world.watch_from_ms[WHALE] = entry.watch_from_ms
        await self.until_live()

    async def until_live(self) -> None:
        """Wait until everything is caught up."""

        async def live() -> bool:
            statuses = [await gateway.status() for gateway in self.world.stack.of_kind("gateway")]
            return "live" in [wallet["state"] for status in statuses for wallet in status["wallets"]]

        await until(live, "the wallet is caught up", PATIENCE_S)

    async def trade(self, orders: int) -> None:
        """So many orders of the wallet, each filled in pieces within a ms; it buys and sells by turns."""
        for _ in range(orders):
            side, other = ("B", "A") if next(self.numbers) % 2 else ("A", "B")
            pieces = [{"coin": "BTC", "side": other, "sz": "0.001", "px": str(PX)}] * PIECES
            await self.world.stack.control("group", {"address": MAKER, "orders": pieces})
            await self.order(side=side, sz=f"0.{PIECES:03}", px=str(PX))

    async def order(self, **fields: object) -> dict[str, Any]:
        """An order of the wallet."""
        placed: dict[str, Any] = await self.world.stack.control("order", {"address": WHALE, "coin": "BTC"} | fields)
        return placed

    def stop_listening(self) -> None:
        """Kill every gateway."""
        for gateway in self.world.stack.of_kind("gateway"):
            gateway.kill()

    async def listen_again(self) -> None:
        """Start them."""
        for gateway in self.world.stack.of_kind("gateway"):
            gateway.start()
        await self.until_live()

    async def unprovable(self) -> list[dict[str, Any]]:
        """Gaps that nobody can fill."""
        return await self.world.rows(f"SELECT {', '.join(BOUNDS)} FROM hl_gap WHERE state = 'unprovable'")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    # An hour behind, so that an hour of the venue's can pass in seconds and end now.
    genesis = dt.datetime.now(dt.UTC) - dt.timedelta(milliseconds=HOUR_MS)
    settings = quick(simulator={"agents": "off", "block_ms": 20, "warmup_blocks": 0, "genesis": genesis.isoformat()})
    async with running_world(config(tmp_path, whales=0, jobs=False, settings=settings)) as world:
        scene = Scene(world, count())
        await scene.watch()
        yield scene


async def test_an_hour_beyond_the_snapshot_and_more_than_a_page_is_filled_exactly(scene: Scene) -> None:
    await scene.trade(2)
    await scene.world.until_signals(2)
    resting = await scene.order(side="B", sz="0.002", px=str(PX - 1_000))
    await scene.world.stack.control(
        "order", {"address": MAKER, "coin": "BTC", "side": "A", "sz": "0.001", "px": str(PX - 1_000)}
    )
    scene.stop_listening()
    stopped_ms = await scene.venue_ms()
    for _ in range(6):
        await scene.trade(PAGE // PIECES // 4)
    await scene.world.stack.control("cancel", {"address": WHALE, "oid": resting["oid"]})
    # Only now: an order that lives for longer than its timeout may be told in parts.
    await scene.world.stack.control("speed", {"speed": 300})
    await until(lambda: _is_past(scene, stopped_ms + HOUR_MS), "an hour has passed", PATIENCE_S)
    await scene.world.stack.control("speed", {"speed": 1})
    await scene.listen_again()
    expectation = await scene.world.settled_verdict(patience_s=PATIENCE_S)
    assert expectation.fills > PAGE * 5 // 4
    assert await scene.unprovable() == []
    assert await scene.world.metric("gateway", "backfill_pages_total", kind="catch_up") >= 4
    assert any("catch_up_read" in it.log_file.read_text() for it in scene.world.stack.of_kind("gateway"))
    assert await scene.world.rows("SELECT * FROM hl_order_aggregation WHERE order_status = 'open'") == []


async def test_more_than_the_venue_keeps_is_a_gap_with_its_bounds_and_all_else_is_exact(scene: Scene) -> None:
    await scene.trade(TOLD)
    await scene.world.until_signals(TOLD)
    told = await heard_gaps(scene.world)
    scene.stop_listening()
    await scene.trade(HORIZON // PIECES + GONE)
    await scene.listen_again()
    await scene.trade(AFTERWARDS)
    await scene.world.market.quiesce()
    expectation = await scene.world.market.expected(scene.world.watch_from_ms)
    await until(lambda: _holds(scene.world, len(expectation.signals) - GONE), "the rest is told", PATIENCE_S)
    await until(lambda: _has_unprovable(scene), "the gap is recorded", PATIENCE_S)
    # Orders of which the venue tells the end and no fill are looked for again: what that reading lacks, and that nobody
    # saw the fills, are gaps too. The later it comes, the less does the venue keep.
    gaps = await listed_gaps(scene.world)
    first = min(gaps, key=lambda gap: gap["from_ms"])
    assert (first["feed"], first["reason"]) == ("userFills", "older_than_the_venue_keeps")
    assert await scene.world.metric("gateway", "venue_gaps_total", reason="older_than_the_venue_keeps") >= 1
    await until(lambda: _are_told(told, gaps), "they are told on hl.status.v1", PATIENCE_S)
    findings = await _judged_outside(scene.world, expectation, gaps)
    assert findings.sentences == []


async def heard_gaps(world: World) -> list[dict[str, Any]]:
    """What `hl.status.v1` tells of gaps from now on."""
    heard: list[dict[str, Any]] = []

    async def hear(message: Msg) -> None:
        heard.append(msgspec.json.decode(message.data))

    await world.nats.subscribe(f"hl.status.v1.gap.{WHALE}", cb=hear)
    await world.nats.flush()
    return heard


async def listed_gaps(world: World) -> list[dict[str, Any]]:
    """What `hlmon gaps` lists as unprovable of the wallet, as SQL has it."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hlmonitor.cli", "gaps", "--address", WHALE, "--json"),
        env={"HLMON_DATABASE_URL": world.stack.database_url, "PATH": "/usr/bin"},
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await program.communicate()
    gaps = [msgspec.json.decode(line) for line in printed.splitlines()]
    return [{name: gap[name] for name in BOUNDS} for gap in gaps if gap["state"] == "unprovable"]


async def _are_told(told: list[dict[str, Any]], gaps: list[dict[str, Any]]) -> bool:
    bounds = [{name: one[name] for name in BOUNDS} for one in told if one["state"] == "unprovable"]
    return all(gap in bounds for gap in gaps)


async def _is_past(scene: Scene, time_ms: int) -> bool:
    return await scene.venue_ms() >= time_ms


async def _has_unprovable(scene: Scene) -> bool:
    return bool(await scene.unprovable())


async def _judged_outside(world: World, expectation: Expectation, gaps: list[dict[str, Any]]) -> Findings:
    """What is not as it must be: of orders with a fill in a gap a signal need not be there, but must be right."""
    bounds = [(gap["from_ms"], gap["to_ms"]) for gap in gaps]
    lost = {
        one.id
        for one in expectation.signals
        if any(one.first_fill_time < to_ms and one.last_fill_time >= from_ms for from_ms, to_ms in bounds)
    }
    # The horizon may cut through a ms, so the order of the oldest row is not vouched for either; nor are the first
    # ones, if no routine look came between, nor as many as came afterwards, if they were there before the reading.
    assert GONE + 1 <= len(lost) <= TOLD + GONE + AFTERWARDS + 1
    stream = await world.stream()
    told = {str(message.fields["id"]) for message in stream}
    signals = [signal for signal in expectation.signals if signal.id not in lost - told]
    assert len(signals) == len(expectation.signals) - GONE
    reachable = msgspec.structs.replace(expectation, signals=signals)
    return compare(reachable, stream, await stored_signals(world.database), world.legacy)


async def _holds(world: World, signals: int) -> bool:
    return len(await world.stream()) >= signals
