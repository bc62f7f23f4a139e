"""`make start`: check that the ports are free, put the supervisor in the background, wait until everything is ready."""

import argparse
import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time

import httpx
import status
from layout import ROOT, Entry, Layout, LayoutError, read_state, refuse, say

from hlmonitor.storage import Database
from hlmonitor.storage.dao import watch

SIMULATOR = "http://127.0.0.1:8899"
READY_TIMEOUT_S = 90.0
LOOK_S = 0.5
DATA = ("hlmonitor.db", "hlmonitor.db-wal", "hlmonitor.db-shm", "nats")


def start(layout: Layout) -> None:
    """Start everything and show how it is; ends the process with status 1 when something is in the way."""
    environment = layout.environment()
    if (running := read_state(layout)) is not None:
        refuse(f"it runs already, against {running.venue}: `make status` shows it, `make stop` ends it")
    entries = layout.entries()
    _check_ports(entries)
    _prepare_directory(layout)
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
        whales = httpx.get(f"{SIMULATOR}/control/wallets").json()
        asyncio.run(_watch(whales, environment))
    status.show(layout)
    if waiting:
        refuse(f"not ready after {READY_TIMEOUT_S:g} s: {', '.join(waiting)}. It is tried on; `make logs` says more")


def _check_ports(entries: list[Entry]) -> None:
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


def _prepare_directory(layout: Layout) -> None:
    """Fresh logs, the last ones kept; and never one venue's wallets and signals among another's."""
    layout.run.mkdir(exist_ok=True)
    marker = layout.run / "venue"
    before = marker.read_text().strip() if marker.exists() else None
    if before not in (None, layout.venue):
        if before != "simulator":
            paths = " ".join(f".run/{name}" for name in ("venue", *DATA))
            refuse(f"the data in .run is of {before}: move it away ({paths}) before you start against {layout.venue}")
        for name in DATA:
            path = layout.run / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        say("the simulator's wallets and signals in .run were removed")
    marker.write_text(f"{layout.venue}\n")
    if layout.logs.exists():
        previous = layout.run / "logs.before"
        shutil.rmtree(previous, ignore_errors=True)
        layout.logs.rename(previous)
    layout.logs.mkdir()


def _wait_until_ready(entries: list[Entry], supervisor: subprocess.Popen[bytes]) -> list[str]:
    """The names of those that are not ready in time."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    waiting = entries
    while waiting and time.monotonic() < deadline:
        if supervisor.poll() is not None:
            refuse("the supervisor ended: .run/logs/supervisor.log says why")
        waiting = [entry for entry in waiting if status.unready(entry) is not None]
        time.sleep(LOOK_S)
    return [entry.name for entry in waiting]


async def _watch(whales: list[dict[str, str]], environment: dict[str, str]) -> None:
    """Put the simulator's whales on the watch list, so that there is something to see."""
    database = Database(environment.get("HLMON_DATABASE_URL", "sqlite:///.run/hlmonitor.db"))
    now_ms = time.time_ns() // 1_000_000
    try:
        async with database.write() as connection:
            for whale in whales:
                source, address, name = watch.AddressSource.AUTO, whale["address"], whale["name"]
                await watch.add(connection, source, address, now_ms=now_ms, owner=1, label=name)
    finally:
        await database.close()
    say(f"{len(whales)} simulated whales are on the watch list")


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
