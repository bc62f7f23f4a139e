"""The line to one connection: frames are lost, edited, split, shuffled, doubled, joined, cut, held back, late."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Final, Generic, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from hlmonitor.simulator.core.dice import Dice

    from .board import FaultBoard
    from .effects import Edit, FaultConfig
    from .rules import Subject

_MILLION: Final = 1_000_000


class LineFrame(Protocol):
    """What faults need to know of a frame."""

    @property
    def live(self) -> bool:
        """Whether it is an increment."""
        ...

    @property
    def channel(self) -> str:
        """Its channel."""
        ...

    @property
    def entries(self) -> tuple[bytes, ...]:
        """Its rows; none if it cannot be split."""
        ...

    def with_entries(self, entries: Sequence[bytes], /) -> Self:
        """Return the frame with other rows."""
        ...

    def joined(self, other: Self, /) -> Self | None:
        """Return one frame with the rows of both; None if they do not belong together."""
        ...

    def cut(self, dice: Callable[[int], int], /) -> Self:
        """Return the frame broken off somewhere; `dice(n)` chooses a place under n."""
        ...

    def edited(self, edit: Callable[[bytes], bytes], /) -> Self:
        """Return the frame with its JSON changed; the same object if the edit leaves it as it is."""
        ...


F = TypeVar("F", bound=LineFrame)


class FaultyLine(Generic[F]):
    """Does to the frames of one connection what the board says. What happened is counted by kind in `counts`.

    `client` and `number` say whose connection it is and the how-manieth.
    """

    def __init__(self, dice: Dice, counts: Counter[str], client: str = "", number: int = 0) -> None:
        self._dice = dice
        self._counts = counts
        self._client = client
        self._number = number
        self._places = count()
        self._held: list[tuple[int, int, F]] = []
        self._joining: dict[object, tuple[int, F]] = {}
        self._latest: dict[object, int] = {}

    @property
    def held(self) -> int:
        """How many frames wait."""
        return len(self._held) + len(self._joining)

    def push(self, frame: F, board: FaultBoard, now_ms: int, subject: Subject | None = None) -> list[F]:
        """Return what goes out now in place of a frame."""
        if board.is_quiet and not (self._joining or self._latest):
            return [frame]
        config, edits = board.frame_faults(subject, frame.channel, self._client, self._number, live=frame.live)
        if self._happens("drop", config.drop):
            return []
        key: object = frame.channel if subject is None else subject
        out: list[F] = []
        for ready in self._join(frame, config, key, now_ms):
            for part in self._parts(ready, config):
                out += self._send(self._cut(self._edit(part, edits), config), config, key, now_ms)
        return out

    def release(self, now_ms: int) -> list[F]:
        """Return the held frames whose time has come, those that were due first first."""
        for key, (until, frame) in list(self._joining.items()):
            if until <= now_ms:
                del self._joining[key]
                heappush(self._held, (until, next(self._places), frame))
        due = []
        while self._held and self._held[0][0] <= now_ms:
            due.append(heappop(self._held)[2])
        self._latest = {key: until for key, until in self._latest.items() if until > now_ms}
        return due

    def flush(self) -> list[F]:
        """Return everything held."""
        furthest = [until for until, _, _ in self._held] + [until for until, _ in self._joining.values()]
        return self.release(max(furthest, default=0))

    def _happens(self, kind: str, chance: float) -> bool:
        happens = chance > 0 and self._dice.randrange(_MILLION) < chance * _MILLION
        if happens:
            self._counts[kind] += 1
        return happens

    def _edit(self, frame: F, edits: Sequence[Edit]) -> F:
        for edit in edits:
            before = frame
            frame = frame.edited(edit.apply)
            self._counts[edit.name] += frame is not before
        return frame

    def _join(self, frame: F, config: FaultConfig, key: object, now_ms: int) -> list[F]:
        """Return the frames that need not wait for one to be joined with."""
        waiting = self._joining.pop(key, None)
        if waiting is not None:
            joined = waiting[1].joined(frame)
            if joined is None:
                return [waiting[1], frame]
            self._counts["merge"] += 1
            frame = joined
        elif frame.live and frame.entries and self._happens("hold_to_merge", config.merge):
            self._joining[key] = (now_ms + config.reorder_ms, frame)
            return []
        return [frame]

    def _parts(self, frame: F, config: FaultConfig) -> list[F]:
        if not frame.live:
            return [frame]
        parts = []
        for part in self._split(frame, config):
            shuffled = self._shuffle(part, config)
            parts.append(shuffled)
            if self._happens("duplicate", config.duplicate):
                parts.append(shuffled)
        return parts

    def _split(self, frame: F, config: FaultConfig) -> list[F]:
        if len(frame.entries) < 2 or not self._happens("split", config.split):  # noqa: PLR2004 two parts need two rows
            return [frame]
        cut = self._dice.randint(1, len(frame.entries) - 1)
        return [frame.with_entries(frame.entries[:cut]), frame.with_entries(frame.entries[cut:])]

    def _shuffle(self, frame: F, config: FaultConfig) -> F:
        if not frame.entries or not self._happens("shuffle", config.reorder):
            return frame
        return frame.with_entries(sorted(frame.entries, key=lambda _: self._dice.randrange(_MILLION)))

    def _cut(self, frame: F, config: FaultConfig) -> F:
        return frame.cut(self._dice.randrange) if self._happens("truncate", config.truncate) else frame

    def _send(self, frame: F, config: FaultConfig, key: object, now_ms: int) -> list[F]:
        if frame.live and self._happens("hold_back", config.reorder):
            self._hold(frame, now_ms + self._dice.randint(1, max(1, config.reorder_ms)))
            return []
        until = max(now_ms + config.delay_ms, self._latest.get(key, 0))
        if until <= now_ms and key not in self._latest:
            return [frame]
        self._counts["delay"] += 1
        self._latest[key] = until
        self._hold(frame, until)
        return []

    def _hold(self, frame: F, until_ms: int) -> None:
        heappush(self._held, (until_ms, next(self._places), frame))
