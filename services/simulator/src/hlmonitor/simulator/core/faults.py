"""Faults that happen to frames on their way to one connection: split, doubled, held back, shuffled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from .dice import Dice

_MILLION: Final = 1_000_000


class SplittableFrame(Protocol):
    """What faults need to know of a frame."""

    @property
    def live(self) -> bool:
        """Whether faults may happen to it."""
        ...

    @property
    def entries(self) -> tuple[bytes, ...]:
        """Its rows."""
        ...

    def with_entries(self, entries: Sequence[bytes], /) -> Self:
        """Return the frame with other rows."""
        ...


@dataclass(frozen=True, slots=True)
class FaultConfig:
    """Chances from 0 to 1 per frame. A frame that is held back is late by at most `reorder_ms`."""

    duplicate: float = 0.0
    reorder: float = 0.0
    split: float = 0.0
    status_first: bool = False
    reorder_ms: int = 300


F = TypeVar("F", bound=SplittableFrame)


class FaultyLine(Generic[F]):
    """The line to one connection. A frame that is held back is late by the bound at most.

    What happened is counted by kind in `counts`.
    """

    def __init__(self, dice: Dice, counts: Counter[str]) -> None:
        self._dice = dice
        self._counts = counts
        self._held: list[tuple[int, F]] = []

    @property
    def held(self) -> int:
        """How many frames wait."""
        return len(self._held)

    def push(self, frame: F, config: FaultConfig, now_ms: int) -> list[F]:
        """Return what goes out now in place of a frame."""
        if not frame.live:
            return [frame]
        out: list[F] = []
        for part in self._split(frame, config):
            out += self._send(self._shuffle(part, config), config, now_ms)
            if self._happens("duplicate", config.duplicate):
                out += self._send(part, config, now_ms)
        return out

    def release(self, now_ms: int) -> list[F]:
        """Return the held frames whose time has come."""
        due = [frame for until, frame in self._held if until <= now_ms]
        if due:
            self._held = [(until, frame) for until, frame in self._held if until > now_ms]
        return due

    def flush(self) -> list[F]:
        """Return everything held."""
        due, self._held = [frame for _, frame in self._held], []
        return due

    def _happens(self, kind: str, chance: float) -> bool:
        happens = chance > 0 and self._dice.randrange(_MILLION) < chance * _MILLION
        if happens:
            self._counts[kind] += 1
        return happens

    def _split(self, frame: F, config: FaultConfig) -> list[F]:
        if len(frame.entries) < 2 or not self._happens("split", config.split):  # noqa: PLR2004 two parts need two rows
            return [frame]
        cut = self._dice.randint(1, len(frame.entries) - 1)
        return [frame.with_entries(frame.entries[:cut]), frame.with_entries(frame.entries[cut:])]

    def _shuffle(self, frame: F, config: FaultConfig) -> F:
        if not self._happens("shuffle", config.reorder):
            return frame
        return frame.with_entries(sorted(frame.entries, key=lambda _: self._dice.randrange(_MILLION)))

    def _send(self, frame: F, config: FaultConfig, now_ms: int) -> list[F]:
        if not self._happens("hold_back", config.reorder):
            return [frame]
        self._held.append((now_ms + self._dice.randint(1, max(1, config.reorder_ms)), frame))
        return []
