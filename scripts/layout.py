"""What the scripts beside this file agree on: the processes of the Procfile, their ports, the venues, the files."""

import fcntl
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import msgspec
from honcho.environ import parse, parse_procfile

ROOT = Path(__file__).resolve().parent.parent
VENUES = ROOT / "scripts" / "venues"
RUN = ROOT / ".run"
PROCFILE = ROOT / "Procfile"

_PORT = re.compile(r"--(health-port|http_port|port|listen) (?:[\d.]+:)?(\d+)")


class LayoutError(Exception):
    """Something that the user can put right; the message says how."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the Procfile."""

    name: str
    command: str

    @property
    def kind(self) -> str:
        """`gateway` for `gateway-1`."""
        return re.sub(r"-\d+$", "", self.name)

    @property
    def ports(self) -> dict[int, str]:
        """The fixed ports that it listens on, and what for."""
        return {int(port): what for what, port in _PORT.findall(self.command)}

    @property
    def health(self) -> str:
        """Where it says how it is: NATS by its monitoring port, every service of ours by its health port."""
        ports = {what: port for port, what in self.ports.items()}
        return f"http://127.0.0.1:{ports.get('health-port') or ports.get('http_port', 0)}"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is, and what runs for a venue."""

    venue: str
    run: Path = RUN
    procfile: Path = PROCFILE

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.run / "logs"

    @property
    def lock(self) -> Path:
        """The supervisor's process id; locked by it for as long as it lives."""
        return self.run / "hl-monitor.pid"

    @property
    def state(self) -> Path:
        """What the supervisor knows of its processes, for `make status`."""
        return self.run / "processes.json"

    def entries(self) -> list[Entry]:
        """The processes in the order of the Procfile; the simulator only where it is the venue."""
        lines = parse_procfile(self.procfile.read_text()).processes
        return [Entry(*line) for line in lines.items() if line[0] != "simulator" or self.venue == "simulator"]

    def environment(self) -> dict[str, str]:
        """The settings: the caller's own over the venue's.

        Raises:
            LayoutError: there is no such venue.
        """
        file = VENUES / f"{self.venue}.env"
        if not file.is_file():
            known = ", ".join(sorted(path.stem for path in VENUES.glob("*.env")))
            raise LayoutError(f"VENUE={self.venue} is not known: say {known}")
        return {**parse(file.read_text()), **os.environ}

    def supervisor(self) -> int | None:
        """The process id of the supervisor, if it lives."""
        try:
            with self.lock.open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return None
        except BlockingIOError:
            return int(self.lock.read_text() or 0)
        return None


class Running(msgspec.Struct):
    """A process as the supervisor last saw it."""

    pid: int
    starts: int


class State(msgspec.Struct):
    """What the supervisor writes down."""

    venue: str
    processes: Mapping[str, Running]


def read_state(layout: Layout) -> State | None:
    """The supervisor's notes; None when it does not live."""
    if layout.supervisor() is None or not layout.state.exists():
        return None
    return msgspec.json.decode(layout.state.read_bytes(), type=State)


def say(text: str) -> None:
    """Tell the user."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def refuse(text: str) -> NoReturn:
    """Tell the user why not, and end with status 1."""
    sys.stderr.write(f"hl-monitor: {text}\n")
    raise SystemExit(1)
