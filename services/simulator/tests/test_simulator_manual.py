"""docs/simulator.md says nothing that the simulator does not do."""

import re
from pathlib import Path

import httpx
import pytest

from hlmonitor.simulator.core.market import MarketConfig
from hlmonitor.simulator.io.commands import COMMANDS, ServerCommand, read
from hlmonitor.simulator.io.scenario import parse
from hlmonitor.simulator.testing import Desk, running

PAGE = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text()
EXAMPLES = re.findall(r"`([a-z_]+) (\{.*?\})`", PAGE)


@pytest.mark.parametrize(("name", "body"), EXAMPLES, ids=[f"{name}-{n}" for n, (name, _) in enumerate(EXAMPLES)])
def test_each_command_of_the_manual_can_be_read(name: str, body: str) -> None:
    wanted = body.replace("0x…", "0x" + "a" * 40)
    assert read(wanted.encode(), COMMANDS[name]) is not None


def test_each_command_that_breaks_something_is_in_the_manual() -> None:
    breaking = {name for name, kind in COMMANDS.items() if issubclass(kind, ServerCommand)} - {"speed", "load"}
    assert breaking <= set(re.findall(r"`([a-z_]+)[ `]", PAGE.split("## Break it")[1]))


def test_the_scenario_of_the_manual_can_be_played() -> None:
    text = PAGE.split("## Scenario files")[1].split("```")[1]
    assert len(parse(text, {}, Desk().exchange).lines) == 6


async def test_each_look_behind_the_curtain_is_answered() -> None:
    paths = set(re.findall(r"`(/control/[a-z]+)", PAGE.split("## Look behind")[1].split("\n## ")[0]))
    async with running(MarketConfig(), warmup_blocks=2) as server, httpx.AsyncClient(base_url=server.url) as http:
        for path in paths - {"/control/load"}:
            assert (await http.get(path)).status_code == 200, path
        assert (await http.get("/control/load")).status_code == 400, "there is none without --load-rate"
    assert len(paths) == 6
