"""How much memory each process has, second by second."""

import asyncio
import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import msgspec

from hlmonitor.local.processes import LocalProcess

EVERY_S = 1.0
_MB = 1 << 20


class Footprint(msgspec.Struct, frozen=True):
    """A process' resident memory over a run, in MB: the most, and the medians of the run's two halves."""

    most: int
    first_half: int
    second_half: int

    @staticmethod
    def of(samples: Sequence[int]) -> "Footprint":
        """From samples in bytes, of which there is one at least."""
        middle = (len(samples) + 1) // 2
        halves = samples[:middle], samples[middle:] or samples
        return Footprint(max(samples) // _MB, *(int(median(half)) // _MB for half in halves))


@dataclass(slots=True)
class Sampler:
    """Notes the resident memory of processes."""

    processes: Mapping[str, LocalProcess]
    samples: dict[str, list[int]] = field(default_factory=dict)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            for name, process in self.processes.items():
                if process.running:
                    self.samples.setdefault(name, []).append(resident(process.pid))
            await asyncio.sleep(EVERY_S)

    @property
    def footprints(self) -> dict[str, Footprint]:
        """What was seen, by process."""
        return {name: Footprint.of(samples) for name, samples in self.samples.items()}


def resident(pid: int | None) -> int:
    """Bytes of memory that a process has in RAM."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
