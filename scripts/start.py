"""`make start`: check that the ports are free, put the supervisor in the background, wait until everything is ready."""

import argparse
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import httpx
import status
from layout import ROOT, Entry, Layout, LayoutError, read_state, refuse, say

SIMULATOR = "http://127.0.0.1:8899"
READY_TIMEOUT_S = 60.0
TELL_S = 10.0
LOOK_S = 0.5
DATA = ("hlmonitor.db", "hlmonitor.db-wal", "hlmonitor.db-shm", "nats")


def start(layout: Layout) -> None:
    """Start everything and show how it is; ends the process with status 1 when something is in the way."""
    environment = layout.environment()
    if (running := read_state(layout)) is not None:
        refuse(f"it runs already, against {running.venue}: `make status` shows it, `make stop` ends it")
    entries = layout.entries()
    check_ports(entries)
    prepare_directory(layout, data_name(layout, environment))
    with (layout.logs / "supervisor.log").open("ab") as log:
        supervisor = subprocess.Popen(  # noqa: S603 our own script
            [sys.executable, str(ROOT / "scripts" / "supervise.py"), layout.venue],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    say(f"starting hl-monitor against {layout.venue}; logs are in {layout.logs.relative_to(ROOT)}")
    waiting = _wait_until_ready(entries, supervisor)
    if layout.venue == "simulator" and not waiting:
        _watch_whales(environment)
    status.show(layout)
    if waiting:
        refuse(f"not ready after {READY_TIMEOUT_S:g} s: {', '.join(waiting)}. It is tried on; `make logs` says more")
    say("`.venv/bin/hlmon signals tail` shows signals, `make stop` ends it")


def check_ports(entries: list[Entry]) -> None:
    """End the process with status 1 and a sentence when a port is taken."""
    for entry in entries:
        for port, purpose in entry.ports.items():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    refuse(
                        f"port {port} ({purpose} of {entry.name}) is taken by another program: "
                        f"end that one (`ss -ltnp 'sport = :{port}'` names it), or change the port in the Procfile"
                    )


def prepare_directory(layout: Layout, data: str) -> None:
    """Fresh logs, the last ones kept; and the data of each venue and database for themselves."""
    layout.run.mkdir(exist_ok=True)
    marker = layout.run / "data-of"
    before = marker.read_text().strip() if marker.exists() else data
    if before != data:
        _move(DATA, layout.run, layout.run / before)
        _move(DATA, layout.run / data, layout.run)
        say(f"the data of {before} is in .run/{before} until you start with that again")
    marker.write_text(f"{data}\n")
    if layout.logs.exists():
        previous = layout.run / "logs.before"
        shutil.rmtree(previous, ignore_errors=True)
        layout.logs.rename(previous)
    layout.logs.mkdir()


def data_name(layout: Layout, environment: dict[str, str]) -> str:
    """The venue, and the database where it is not the usual one: a stream belongs to the database that numbers it."""
    url = environment.get("HLMON_DATABASE_URL")
    return f"{layout.venue}-{hashlib.sha256(url.encode()).hexdigest()[:8]}" if url else layout.venue


def _move(names: Iterable[str], source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for name in names:
        if (source / name).exists():
            (source / name).rename(target / name)


def _wait_until_ready(entries: list[Entry], supervisor: subprocess.Popen[bytes]) -> list[str]:
    """The names of those that are not ready in time."""
    began = time.monotonic()
    waiting, told_s = entries, TELL_S
    while waiting and (passed_s := time.monotonic() - began) < READY_TIMEOUT_S:
        if supervisor.poll() is not None:
            refuse("the supervisor ended: .run/logs/supervisor.log says why")
        waiting = [entry for entry in waiting if status.unready(entry) is not None]
        if waiting and passed_s > told_s:
            told_s += TELL_S
            say(f"waiting for {', '.join(entry.name for entry in waiting)}")
        time.sleep(LOOK_S)
    return [entry.name for entry in waiting]


def _watch_whales(environment: dict[str, str]) -> None:
    """Put the simulator's whales on the watch list, so that there is something to see."""
    whales = httpx.get(f"{SIMULATOR}/control/wallets").json()
    lines = "".join(f"{whale['address']},{whale['name']}\n" for whale in whales)
    command = [str(ROOT / ".venv" / "bin" / "hlmon"), "watch", "import", "-"]
    done = subprocess.run(command, input=lines, env=environment, text=True, check=False)  # noqa: S603 our own program
    if done.returncode:
        refuse("the simulated whales are not on the watch list; everything else runs")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("venue")
    os.chdir(ROOT)
    try:
        start(Layout(parser.parse_args().venue))
    except LayoutError as error:
        refuse(str(error))


if __name__ == "__main__":
    main()
