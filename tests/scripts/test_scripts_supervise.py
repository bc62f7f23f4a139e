"""The supervisor behind `make start`, over a Procfile of harmless programs."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from hlmonitor.local.waiting import eventually

SCRIPTS = Path(__file__).parents[2] / "scripts"
PROCFILE = """
# each notes when it was told to stop
server: exec {python} {program} server {notes}
worker-1: exec {python} {program} worker-1 {notes}
worker-2: exec {python} {program} worker-2 {notes}
simulator: exec {python} {program} simulator {notes}
"""
PROGRAM = """
import pathlib, signal, sys
def stop(*_):
    with pathlib.Path(sys.argv[2]).open("a") as notes:
        notes.write(sys.argv[1] + "\\n")
    raise SystemExit
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
signal.pause()
"""


class Supervised:
    def __init__(self, directory: Path) -> None:
        self.run, self.notes = directory / "run", directory / "notes"
        self.procfile = directory / "Procfile"
        program = directory / "program.py"
        program.write_text(PROGRAM)
        self.procfile.write_text(PROCFILE.format(python=sys.executable, program=program, notes=self.notes))
        self.process: subprocess.Popen[str] | None = None

    def start(self, venue: str = "mainnet") -> subprocess.Popen[str]:
        arguments = [venue, "--run", str(self.run), "--procfile", str(self.procfile)]
        command = [sys.executable, str(SCRIPTS / "supervise.py"), *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def pids(self) -> dict[str, int]:
        state = self.run / "processes.json"
        if not state.exists():
            return {}
        processes = msgspec.json.decode(state.read_bytes())["processes"]
        return {name: process["pid"] for name, process in processes.items()}

    def is_ready(self, *names: str) -> bool:
        return set(names) <= self.pids().keys() and all("ready" in self.log(name) for name in names)

    def log(self, name: str) -> str:
        file = self.run / "logs" / f"{name}.log"
        return file.read_text() if file.exists() else ""


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    made = Supervised(tmp_path)
    made.process = made.start()
    yield made
    if made.process.poll() is None:
        made.process.kill()
    made.process.communicate()


@pytest.fixture
async def running(supervised: Supervised) -> Supervised:
    await eventually(lambda: supervised.is_ready("server", "worker-1", "worker-2"), "everything runs")
    return supervised


async def test_the_simulator_runs_only_where_it_is_the_venue(running: Supervised) -> None:
    assert running.pids().keys() == {"server", "worker-1", "worker-2"}


async def test_what_ends_is_started_again(running: Supervised) -> None:
    first = running.pids()
    psutil.Process(first["worker-1"]).kill()
    # Before it runs its own program, it may not have been told to end with the supervisor.
    await eventually(lambda: running.log("worker-1").count("ready") == 2, "it runs again")
    assert running.pids()["worker-1"] != first["worker-1"]
    assert running.pids()["server"] == first["server"]


async def test_the_last_of_the_procfile_is_stopped_first(running: Supervised) -> None:
    pids = running.pids().values()
    assert running.process is not None
    running.process.send_signal(signal.SIGTERM)
    said, _ = running.process.communicate(timeout=90)
    assert running.notes.read_text().split()[-1] == "server"
    assert set(running.notes.read_text().split()) == {"server", "worker-1", "worker-2"}
    assert said.splitlines() == ["stopping worker", "stopping server"]
    assert not any(psutil.pid_exists(pid) for pid in pids)


async def test_nothing_outlives_a_killed_supervisor(running: Supervised) -> None:
    pids = running.pids().values()
    assert running.process is not None
    running.process.kill()
    await eventually(lambda: not any(psutil.pid_exists(pid) for pid in pids), "all are gone")


async def test_a_second_supervisor_refuses(running: Supervised) -> None:
    second = running.start()
    said, _ = second.communicate(timeout=90)
    assert (second.returncode, said) == (1, "hl-monitor: it runs already\n")
