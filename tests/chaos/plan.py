"""What is broken when: a list of blows from a seed. The same seed gives the same list."""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from hlmonitor.local.proxy import Fault

SLOT_S = 4.5
"""Each slot begins with a kill, so that what follows shows how the system recovers."""
WARM_UP_S = 3.0
COOL_DOWN_S = 7.0
"""Trading goes on for so long after the last slot: what was killed last must be seen to recover."""
_JITTER_S = 0.5
_AWAY_S = (0.2, 1.5)
"""How long the supervisor waits before it starts again what was killed."""
_FREEZE_S = (0.5, 6.0)
_HURT_S = (0.5, 3.0)
_STAYS_SLOTS = (3, 7)
"""How many slots a process that joins stays for."""


@dataclass(frozen=True, slots=True)
class _Timed:
    """Something that happens `at_s` after trading under watch began."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Kill(_Timed):
    """SIGKILL; started again `away_s` later."""

    target: str
    away_s: float


@dataclass(frozen=True, slots=True)
class Freeze(_Timed):
    """SIGSTOP, and `for_s` later SIGCONT."""

    target: str
    for_s: float


@dataclass(frozen=True, slots=True)
class Hurt(_Timed):
    """A fault of the network between two processes; one that lasts does so `for_s`."""

    line: str
    fault: Fault
    for_s: float


@dataclass(frozen=True, slots=True)
class Join(_Timed):
    """A process more."""

    target: str


@dataclass(frozen=True, slots=True)
class Leave(_Timed):
    """SIGTERM: it hands over and ends."""

    target: str


Blow = Kill | Freeze | Hurt | Join | Leave


@dataclass(frozen=True, slots=True)
class Battlefield:
    """What there is to break."""

    killed: tuple[str, ...]
    """Processes that are always there."""
    joining: tuple[str, ...] = ()
    """Processes that come and go; while there, they are killed like the others."""
    lines: tuple[str, ...] = ()
    """Connections, each `who>whom`; one of a process that is not there is not hurt."""


def plan(seed: int, duration_s: float, battlefield: Battlefield) -> list[Blow]:
    """The blows of a run, in order of time; nothing in a run too short for a slot."""
    slots = max(0, int((duration_s - WARM_UP_S - COOL_DOWN_S) / SLOT_S))
    return sorted(_Planner(random.Random(seed), battlefield, slots).blows(), key=lambda blow: blow.at_s)


@dataclass(slots=True)
class _Planner:
    dice: random.Random
    battlefield: Battlefield
    slots: int
    kills: dict[str, int] = field(default_factory=dict)

    def blows(self) -> Iterator[Blow]:
        stays = {name: list(self._stays()) for name in self.battlefield.joining}
        for name, found in stays.items():
            for first, last in found:
                yield Join(self._within(first), name)
                yield Leave(self._within(last), name)
        victims: list[str] = []
        for slot in range(self.slots):
            # Not in the slots in which it comes or goes: those belong to it.
            there = [name for name, found in stays.items() if any(first < slot < last for first, last in found)]
            victims.append(self._victim([*self.battlefield.killed, *there], victims[-2:]))
            at_s = _begin_s(slot) + self.dice.uniform(0, _JITTER_S)
            yield Kill(at_s, victims[-1], self.dice.uniform(*_AWAY_S))
            yield from self._hurts(slot, there)
        yield from self._freezes(victims)

    def _stays(self) -> Iterator[tuple[int, int]]:
        slot = self.dice.randint(1, 3)
        while True:
            last = slot + self.dice.randint(*_STAYS_SLOTS)
            if last >= self.slots:
                return
            yield slot, last
            slot = last + self.dice.randint(1, 3)

    def _victim(self, candidates: Sequence[str], spared: Collection[str]) -> str:
        """One that was killed least so far, and not just now."""
        left = [name for name in candidates if name not in spared] or candidates
        fewest = min(self.kills.get(name, 0) for name in left)
        victim = self.dice.choice([name for name in left if self.kills.get(name, 0) == fewest])
        self.kills[victim] = self.kills.get(victim, 0) + 1
        return victim

    def _hurts(self, slot: int, there: Collection[str]) -> Iterator[Blow]:
        absent = set(self.battlefield.joining) - set(there)
        lines = [line for line in self.battlefield.lines if not absent & set(line.split(">"))]
        if lines:
            fault = self.dice.choice(list(Fault))
            yield Hurt(self._within(slot), self.dice.choice(lines), fault, self.dice.uniform(*_HURT_S))

    def _freezes(self, victims: Sequence[str]) -> Iterator[Blow]:
        """Every third slot one of those that are not killed in it or in the next."""
        for slot in range(1, self.slots - 1, 3):
            left = [name for name in self.battlefield.killed if name not in victims[slot : slot + 2]]
            if left:
                yield Freeze(self._within(slot), self.dice.choice(left), self.dice.uniform(*_FREEZE_S))

    def _within(self, slot: int) -> float:
        return _begin_s(slot) + self.dice.uniform(_JITTER_S, SLOT_S)


def _begin_s(slot: int) -> float:
    return WARM_UP_S + slot * SLOT_S
