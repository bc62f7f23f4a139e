"""The one line that says whether the overload cost anything but what is recorded."""

from collections.abc import Mapping

import msgspec

from overload.memory import Footprint

TIMES = 10
"""So many times what it sustains is sent."""
TIMES_AT_LEAST = 9
"""A full run that was sent less proves too little."""
FULL_S = 120.0
"""From this duration on, a run must have been sent so much, and more than the venue shows; and memory is judged by its
halves. A shorter one must have been sent more than the windows hold."""
MOST_MB: Mapping[str, int] = {"gateway": 400, "aggregator": 600, "writer": 500, "nats": 600, "simulator": 1_500}
"""Resident memory of a process at most, by its kind."""
GROWN_BY, GROWN_MB = 1.25, 50
"""The second half of a run may take so many times the memory of the first, and so much more."""


class Verdict(msgspec.Struct, frozen=True):
    """What a run came to."""

    sustained_per_s: int
    """Fills per second, the most at which nothing piled up."""
    offered_per_s: int
    seconds: float
    committed_per_s: int
    """Fills that were stored per second while ten times too much was sent."""
    drained_s: float
    sent: int
    stored: int
    in_gaps: int
    gaps: int
    signals: int
    whole: int
    """Signals of orders that no gap touched."""
    windows_full: int
    """Times that a wallet's events had to be left out."""
    missing: int
    duplicates: int
    wrong: int
    memory_mb: Mapping[str, Footprint]

    def complaints(self) -> list[str]:
        """Why the run is not good; nothing when it is."""
        none = ("missing", "duplicates", "wrong")
        found = [f"{name} is {getattr(self, name)}, must be 0" for name in none if getattr(self, name)]
        if self.seconds >= FULL_S and self.offered_per_s < TIMES_AT_LEAST * self.sustained_per_s:
            found.append(f"{self.offered_per_s} fills/s were sent, which is not ten times {self.sustained_per_s}")
        if not self.windows_full:
            found.append("no window was ever full: the run proves too little")
        if self.seconds >= FULL_S and not self.in_gaps:
            found.append("the venue could show everything in the end: the run proves too little")
        for name, footprint in self.memory_mb.items():
            found += self._complaints_of(name, footprint)
        return found

    def _complaints_of(self, name: str, footprint: Footprint) -> list[str]:
        most = MOST_MB.get(name.rstrip("-0123456789"))
        found = []
        if most and footprint.most > most:
            found.append(f"{name} took {footprint.most} MB, may take {most}")
        if self.seconds >= FULL_S and footprint.second_half > footprint.first_half * GROWN_BY + GROWN_MB:
            found.append(f"{name} grew from {footprint.first_half} MB to {footprint.second_half} MB")
        return found
