"""Scenario files: what they may say, what is said of their errors, and when their commands are given."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from hlmonitor.local.ports import free_port
from hlmonitor.local.services import ServiceProcess
from hlmonitor.simulator.core.market import MarketConfig
from hlmonitor.simulator.io.clock import TimeConfig
from hlmonitor.simulator.io.commands.faults import AddBody, StallBody
from hlmonitor.simulator.io.commands.orders import OrderBody
from hlmonitor.simulator.io.config import ServerConfig
from hlmonitor.simulator.io.scenario import Scenario, ScenarioError, parse
from hlmonitor.simulator.io.server import Simulator
from hlmonitor.simulator.testing import GENESIS_MS, Desk, running, wallet

A = wallet(0xA)
HEAD = "wallet alice\nwallet bob\nat 0s deposit address=alice amount=100000\n"


def read(text: str) -> Scenario:
    return parse(text, {"scalper-0": A}, Desk().exchange)


def quiet_simulator() -> Simulator:
    return Simulator(MarketConfig(agents=False), ServerConfig(time=TimeConfig(genesis_ms=GENESIS_MS)), seed=1)


def play(simulator: Simulator, text: str, blocks: int) -> list[Any]:
    """Play for so many blocks of 100 ms; return what is told of the lines."""
    player = simulator.play(text)
    for _ in range(blocks):
        simulator.step(simulator.clock.next_ms())
    told: Any = player.told()
    return list(told["lines"])


def test_a_line_is_a_time_and_a_command_with_its_fields() -> None:
    (line,) = read("  at 1m for 20s  stall feed=trades coin=BTC   # silence\n").lines
    assert (line.number, line.first_ms, line.every_ms, line.until_ms) == (1, 60_000, None, None)
    assert line.command == StallBody(feed="trades", coin="BTC", for_ms=20_000)


def test_a_line_may_be_done_again_and_again() -> None:
    always, bounded = read("every 2s disconnect all=true\nevery 1s from 5s until 9s disconnect all=true").lines
    assert (always.first_ms, always.every_ms, always.until_ms) == (2_000, 2_000, None)
    assert (bounded.first_ms, bounded.every_ms, bounded.until_ms) == (5_000, 1_000, 9_000)


def test_wallets_have_names_of_the_file_or_of_the_population() -> None:
    scenario = read(f"wallet alice\nwallet rich {A.upper().replace('X', 'x')}\nat 0s disconnect user=rich\n")
    assert scenario.wallets["rich"] == A
    assert scenario.wallets["alice"] == read("wallet alice").wallets["alice"]
    (line,) = read("at 0s stall user=scalper-0").lines
    assert line.command == StallBody(user=A)


def test_values_are_texts_numbers_times_json_or_inner_fields() -> None:
    text = (
        'at 0s add field=mood value=\'{"is": [1, "calm"]}\'\n'
        "at 0s add field=mood value=calm\n"
        f"at 0s order address={A} coin=BTC side=A sz=1.50 trigger.px=60000 trigger.tpsl=sl modify=12\n"
        "at 0s say text='{\"channel\":'\n"
    )
    added, plain, order, _ = (line.command for line in read(text).lines)
    assert isinstance(added, AddBody)
    assert added.value == {"is": [1, "calm"]}
    assert isinstance(plain, AddBody)
    assert plain.value == "calm"
    assert isinstance(order, OrderBody)
    assert order.trigger is not None
    assert (str(order.sz), str(order.trigger.px), order.modify) == ("1.50", "60000", 12)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("\n# x\nat 5s explode", 3, ("command", "'explode'", "stall")),
        ("at 5s", 1, ("command", "none after the time")),
        ("stall feed=trades", 1, ("at", "begins with")),
        ("at 5s every 2s stall", 1, ("at", "begins with")),
        ("at 5 stall", 1, ("at", "'5' is no time")),
        ("at", 1, ("at", "is no time")),
        ("at 5s at 6s stall", 1, ("at", "twice")),
        ("at 5s until 6s stall", 1, ("until", "every")),
        ("every 0s stall", 1, ("every", "above zero")),
        ("at 5s stall loud", 1, ("stall", "'loud'")),
        ("at 5s stall feed=a feed=b", 1, ("feed", "twice")),
        ("at 5s stall colour=red", 1, ("colour", "no such field", "for_ms")),
        ("at 5s stall for_ms=soon", 1, ("for_ms", "'soon' is no time")),
        ("at 5s for 0s stall", 1, ("for_ms", ">= 1")),
        ("at 5s for 1s deposit address=scalper-0 amount=1", 1, ("for_ms", "deposit has no such field")),
        ("at 5s omit feed=trades", 1, ("field", "omit needs it")),
        ("at 5s disturb drop=2", 1, ("drop", "<= 1")),
        ("at 5s stall user=carol", 1, ("user", "'carol'", "/control/wallets")),
        ("at 5s deposit address=scalper-0 amount=much", 1, ("amount",)),
        ("at 5s order address=scalper-0 coin=NOPE side=B sz=1", 1, ("order", "coin", "'NOPE'")),
        ("at 5s order address=scalper-0 coin=BTC side=B sz=1 trigger.px=x", 1, ("trigger.px",)),
        ("at 5s order address=scalper-0 coin=BTC side=B sz=1 trigger.depth=1", 1, ("trigger", "depth")),
        ("at 5s order address=scalper-0 coin=BTC side=B sz=1 trigger={ trigger.px=1", 1, ("trigger", "no JSON")),
        ("at 5s say channel='x", 1, ("quotes",)),
        ("wallet", 1, ("wallet", "a name")),
        ("wallet 7up", 1, ("wallet", "'7up' is no name")),
        ("wallet a 0x12", 1, ("wallet", "no address")),
        ("wallet a\nwallet a", 2, ("wallet", "taken")),
        ("wallet scalper-0", 1, ("wallet", "taken")),
    ],
)
def test_an_error_names_the_line_and_the_field(text: str, line: int, words: tuple[str, ...]) -> None:
    with pytest.raises(ScenarioError) as refused:
        read(text)
    assert refused.value.line == line
    assert str(refused.value).startswith(f"line {line}: {words[0]}")
    for word in words:
        assert word in str(refused.value)


def test_commands_are_given_at_their_time_in_the_order_of_the_file() -> None:
    simulator = quiet_simulator()
    text = HEAD + (
        "at 1s order address=alice coin=BTC side=B sz=1 px=50000\n"
        "at 1s cancel address=alice\n"
        "every 300ms from 1s until 2s order address=alice coin=BTC side=B sz=0.001 px=50000\n"
    )
    lines = play(simulator, text, 9)
    assert [line["done"] for line in lines] == [1, 0, 0, 0]
    lines = play(quiet_simulator(), text, 40)
    assert [line["done"] for line in lines] == [1, 1, 1, 4]
    assert lines[1]["last"]["status"] == "canceled"
    assert lines[3]["last"]["status"] == "open"


def test_what_is_due_within_one_long_block_is_given_as_often_as_it_would_have_been() -> None:
    simulator = quiet_simulator()
    simulator.play(HEAD + "every 100ms until 1s deposit address=bob amount=1\n")
    simulator.step(GENESIS_MS)
    simulator.step(GENESIS_MS + 60_000)
    assert simulator.player is not None
    assert simulator.player.is_over
    told: Any = simulator.player.told()
    assert told["lines"][1]["done"] == 10


def test_a_command_that_is_refused_in_its_time_is_told_and_the_others_go_on() -> None:
    simulator = quiet_simulator()
    lines = play(simulator, HEAD + "at 1s order address=bob coin=BTC side=B sz=1 modify=5\nat 2s speed speed=1\n", 25)
    assert (lines[1]["done"], lines[1]["failed"]) == (0, 1)
    assert "modify" in lines[1]["error"]
    assert lines[2]["done"] == 1


def test_a_fault_lasts_as_long_as_its_line_says_in_venue_time() -> None:
    simulator = quiet_simulator()
    simulator.play("at 1s for 2s stall feed=trades")
    in_force = []
    for _ in range(40):
        simulator.step(simulator.clock.next_ms())
        in_force.append(len(simulator.faults.rules))
    assert in_force.index(1) == 10
    assert sum(in_force) == 20


def test_the_same_scenario_gives_the_same_market() -> None:
    text = HEAD + "every 500ms burst address=alice coin=BTC orders=6\n"
    ledgers = []
    for _ in range(2):
        simulator = quiet_simulator()
        play(simulator, text, 50)
        ledgers.append([(fill.tid, fill.time, fill.px) for fill in simulator.market.ledger.of(_alice()).fills])
    assert ledgers[0] == ledgers[1]
    assert len(ledgers[0]) == 6 * 9


def _alice() -> str:
    return read("wallet alice").wallets["alice"]


async def test_control_takes_shows_and_ends_a_scenario() -> None:
    async with running() as server, httpx.AsyncClient(base_url=server.url) as http:
        assert (await http.get("/control/scenario")).json() == {}
        reply = await http.post("/control/scenario", content=HEAD + "at 50ms deposit address=bob amount=7\n")
        assert [line["line"] for line in reply.json()["lines"]] == [3, 4]
        while not (told := (await http.get("/control/scenario")).json())["over"]:
            await asyncio.sleep(0.01)
        assert [line["done"] for line in told["lines"]] == [1, 1]
        assert told["wallets"]["alice"] == _alice()
        refused = await http.post("/control/scenario", content="at 1s deposit\n")
        assert refused.status_code == 400
        assert refused.json()["error"].startswith("line 1: address")
        assert (await http.post("/control/scenario", content=b"\xff\n")).status_code == 400
        await http.post("/control/scenario", content="")
        assert (await http.get("/control/scenario")).json() == {}


async def test_a_file_is_played_from_the_start(tmp_path: Path) -> None:
    file = tmp_path / "a.scenario"
    file.write_text(HEAD)
    port = free_port()
    settings = {"port": port, "agents": "off", "scenario": str(file)}
    process = ServiceProcess("simulator", ["-m", "hlmonitor.simulator"], tmp_path, settings)
    process.start()
    try:
        await process.ready()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            while not (told := (await http.get("/control/scenario")).json())["over"]:
                await asyncio.sleep(0.05)
            assert told["lines"][0]["done"] == 1
    finally:
        process.kill()


@pytest.mark.parametrize("text", ["wallet a\nat 1s stall colour=red\n", None])
def test_a_file_that_cannot_be_played_ends_the_start_with_its_name_and_line(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "bad.scenario"
    if text is not None:
        file.write_text(text)
    command = [sys.executable, "-m", "hlmonitor.simulator", "--port", "0", "--health-port", "0", "--agents", "off"]
    ended = subprocess.run(
        [*command, "--scenario", str(file)], capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path
    )
    assert ended.returncode != 0
    said = ended.stdout + ended.stderr
    assert "bad.scenario" in said
    assert ("line 2: colour" if text else "No such file") in said
