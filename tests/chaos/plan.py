"""What is broken when: a list of blows from a seed. The same seed gives the same list."""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from hlmonitor.local.proxy import Fault

SINGLE_SLOT_S = 7.0
"""In the first half nothing else is broken between two kills: it shows how the system recovers from a single one."""
WILD_SLOT_S = 3.5
"""In the second half everything happens at once."""
WARM_UP_S = 3.0
COOL_DOWN_S = 7.0
"""Trading goes on for so long after the last slot: what was killed last must be seen to recover."""
_JITTER_S = 0.5
_REMOVED_AT_S = (5.0, 12.0)
_AWAY_S = (0.2, 1.5)
"""How long the supervisor waits before it starts again what was killed."""
_FREEZE_S = (0.5, 6.0)
_HURT_S = (0.5, 3.0)
_HURTS = 2
"""In each wild slot."""
_SOON_S = (0.5, 3.0)
"""A wallet that is taken off the list and back in the grace is away for so long."""
_LATER_S = (3.0, 8.0)
"""One that is back after the grace is away for so much longer than that."""
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
    alone: bool
    """Nothing else is broken until the next kill."""


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


@dataclass(frozen=True, slots=True)
class List(_Timed):
    """A wallet more on the watch list."""

    wallet: str


@dataclass(frozen=True, slots=True)
class Unlist(_Timed):
    """A wallet is taken off the watch list, and put back `for_s` later."""

    wallet: str
    for_s: float


Blow = Kill | Freeze | Hurt | Join | Leave | List | Unlist


@dataclass(frozen=True, slots=True)
class Battlefield:
    """What there is to break."""

    killed: tuple[str, ...]
    """Processes that are always there."""
    joining: tuple[str, ...] = ()
    """Processes that come and go; while there, they are killed like the others."""
    lines: tuple[str, ...] = ()
    """Connections, each `who>whom`; one of a process that is not there is not hurt."""
    listed_later: tuple[str, ...] = ()
    """Wallets that are not on the watch list when trading begins."""
    unlisted: tuple[str, ...] = ()
    """Wallets that may be taken off it: one by one, the first of them for longer than the grace."""
    grace_s: float = 0.0


def plan(seed: int, duration_s: float, battlefield: Battlefield) -> list[Blow]:
    """The blows of a run, in order of time; nothing in a run too short for a slot."""
    half_s = max(0.0, duration_s - WARM_UP_S - COOL_DOWN_S) / 2
    single, wild = int(half_s / SINGLE_SLOT_S), int(half_s / WILD_SLOT_S)
    planner = _Planner(random.Random(seed), battlefield, single, wild)
    return sorted(planner.blows(), key=lambda blow: blow.at_s)


@dataclass(slots=True)
class _Planner:
    dice: random.Random
    battlefield: Battlefield
    single: int
    wild: int
    victims: list[str] = field(default_factory=list)
    """Of the kills so far."""

    def blows(self) -> Iterator[Blow]:
        for slot in range(self.single):
            at_s = WARM_UP_S + slot * SINGLE_SLOT_S + self.dice.uniform(0, _JITTER_S)
            yield Kill(at_s, self._victim(self.battlefield.killed), self.dice.uniform(*_AWAY_S), alone=True)
        stays = {name: list(self._stays()) for name in self.battlefield.joining}
        for name, found in stays.items():
            for first, last in found:
                yield Join(self._within(first), name)
                yield Leave(self._within(last), name)
        for slot in range(self.wild):
            # Not in the slots in which it comes or goes: those belong to it.
            there = [name for name, found in stays.items() if any(first < slot < last for first, last in found)]
            at_s = self._begin_s(slot) + self.dice.uniform(0, _JITTER_S)
            victim = self._victim([*self.battlefield.killed, *there])
            yield Kill(at_s, victim, self.dice.uniform(*_AWAY_S), alone=False)
            yield from self._hurts(slot, there)
        yield from self._freezes()
        yield from self._listings()

    def _stays(self) -> Iterator[tuple[int, int]]:
        slot = self.dice.randint(0, 3)
        while True:
            last = slot + self.dice.randint(*_STAYS_SLOTS)
            if last >= self.wild:
                return
            yield slot, last
            slot = last + self.dice.randint(1, 3)

    def _victim(self, candidates: Sequence[str]) -> str:
        """One that was killed least so far, and not just now."""
        left = [name for name in candidates if name not in self.victims[-2:]] or candidates
        fewest = min(self.victims.count(name) for name in left)
        self.victims.append(self.dice.choice([name for name in left if self.victims.count(name) == fewest]))
        return self.victims[-1]

    def _hurts(self, slot: int, there: Collection[str]) -> Iterator[Blow]:
        absent = set(self.battlefield.joining) - set(there)
        lines = [line for line in self.battlefield.lines if not absent & set(line.split(">"))]
        for line in self.dice.sample(lines, min(_HURTS, len(lines))):
            yield Hurt(self._within(slot), line, self.dice.choice(list(Fault)), self.dice.uniform(*_HURT_S))

    def _freezes(self) -> Iterator[Blow]:
        """Every other slot one of those that are not killed in it or in the next."""
        victims = self.victims[self.single :]
        for slot in range(0, self.wild - 1, 2):
            left = [name for name in self.battlefield.killed if name not in victims[slot : slot + 2]]
            if left:
                yield Freeze(self._within(slot), self.dice.choice(left), self.dice.uniform(*_FREEZE_S))

    def _listings(self) -> Iterator[Blow]:
        battlefield, dice = self.battlefield, self.dice
        if not self.wild:
            return
        for wallet in battlefield.listed_later:
            yield List(self._within(dice.randrange(self.wild)), wallet)
        for place, wallet in enumerate(battlefield.unlisted):
            if place:
                yield Unlist(self._within(dice.randrange(self.wild - 1)), wallet, dice.uniform(*_SOON_S))
            else:
                # While single things break: a removal ends what is watched, so what came before it must be committed
                # within the grace, which is short here.
                at_s = WARM_UP_S + dice.uniform(*_REMOVED_AT_S)
                yield Unlist(at_s, wallet, battlefield.grace_s + dice.uniform(*_LATER_S))

    def _within(self, slot: int) -> float:
        return self._begin_s(slot) + self.dice.uniform(_JITTER_S, WILD_SLOT_S)

    def _begin_s(self, slot: int) -> float:
        return WARM_UP_S + self.single * SINGLE_SLOT_S + slot * WILD_SLOT_S
