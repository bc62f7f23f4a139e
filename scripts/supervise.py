"""Keeps the Procfile's processes running; `make start` puts it in the background, SIGTERM ends it and them.

honcho's own `start` ends everything when one process ends, all at the same moment and with one log. Here each process
has its own log, is started again within a second, and at the end each kind is stopped before those that it hands its
work to: gateways, aggregators, writer, venue, NATS. A supervisor that is killed takes its processes with it.
"""

import argparse
import asyncio
import contextlib
import fcntl
import itertools
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from layout import PROCFILE, ROOT, RUN, Entry, Layout, Running, State, refuse, say

from hlmonitor.local.processes import LocalError, LocalProcess

LOOK_S = 1.0
STOP_TIMEOUT_S = 30.0


@dataclass(slots=True)
class Supervisor:
    """The processes and how often each was started."""

    layout: Layout
    entries: Sequence[Entry]
    environment: Mapping[str, str]
    processes: dict[str, LocalProcess] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep everything running until told to stop; then stop it."""
        for entry in self.entries:
            self.processes[entry.name] = LocalProcess(entry.name, self.layout.logs)
        try:
            while not stopping.is_set():
                self._start_what_does_not_run()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), LOOK_S)
        finally:
            await self._stop()

    def _start_what_does_not_run(self) -> None:
        ended = [entry for entry in self.entries if not self.processes[entry.name].running]
        for entry in ended:
            process = self.processes[entry.name]
            if process.exit_code is not None:
                say(f"{entry.name} ended with status {process.exit_code}; it is started again")
            process.spawn(["/bin/sh", "-c", entry.command], self.environment)
            self.starts[entry.name] = self.starts.get(entry.name, 0) + 1
        if ended:
            self._write_down()

    async def _stop(self) -> None:
        for kind, entries in itertools.groupby(reversed(self.entries), key=lambda entry: entry.kind):
            say(f"stopping {kind}")
            await asyncio.gather(*(self._terminate(self.processes[entry.name]) for entry in entries))

    @staticmethod
    async def _terminate(process: LocalProcess) -> None:
        if process.running:
            try:
                await process.terminate(STOP_TIMEOUT_S)
            except LocalError as error:
                say(f"{process.name} was killed: {error}")

    def _write_down(self) -> None:
        running = {name: Running(process.pid or 0, self.starts[name]) for name, process in self.processes.items()}
        new = self.layout.state.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(State(self.layout.venue, running)))
        new.replace(self.layout.state)


async def _run(supervisor: Supervisor) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await supervisor.run(stopping)


def main() -> None:
    """Hold the lock for life and supervise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("venue")
    parser.add_argument("--run", type=Path, default=RUN)
    parser.add_argument("--procfile", type=Path, default=PROCFILE)
    layout = Layout(**vars(parser.parse_args()))
    layout.run.mkdir(exist_ok=True)
    with layout.lock.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            refuse("it runs already")
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        os.chdir(ROOT)
        asyncio.run(_run(Supervisor(layout, layout.entries(), layout.environment())))
        layout.state.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
