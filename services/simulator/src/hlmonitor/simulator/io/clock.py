"""Venue time: that of the wall clock, or one of its own that runs slower, faster, or as fast as it can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

REAL_TIME: Final = 1.0
_MOST_BEHIND_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class TimeConfig:
    """How venue time runs. By default it is the wall clock's.

    `speed` is venue seconds per second of the wall clock, 0 as fast as machine and clients can.
    `genesis_ms` is the time of the first block. With either, block n is at genesis + n block lengths
    whatever the wall clock says, so that a run can be repeated to the byte.
    """

    speed: float = REAL_TIME
    genesis_ms: int | None = None


class BlockClock:
    """Says which time the next block has, and how long to wait for it.

    `wall_ms` is read for the times of blocks only while venue time is the wall clock's.
    """

    def __init__(self, config: TimeConfig, block_ms: int, wall_ms: Callable[[], int], warmup_blocks: int) -> None:
        self._block_ms = block_ms
        self._wall_ms = wall_ms
        self._speed = config.speed
        self._virtual = config.speed != REAL_TIME or config.genesis_ms is not None
        now_ms = wall_ms() - warmup_blocks * block_ms if config.genesis_ms is None else config.genesis_ms
        self.genesis_ms = self._last_ms = now_ms
        self._due_s: float | None = None

    @property
    def speed(self) -> float:
        """Venue seconds per second of the wall clock; 0: as fast as possible."""
        return self._speed

    @property
    def is_virtual(self) -> bool:
        """Tell whether venue time runs by itself, so that a block may wait for slow clients."""
        return self._virtual

    def set_speed(self, speed: float) -> None:
        """Change the speed. From then on venue time runs by itself, on from the last block."""
        self._speed, self._virtual, self._due_s = speed, True, None

    def warmup_ms(self) -> int:
        """Return the time of the next block that is made before anybody is connected."""
        self._last_ms += self._block_ms
        return self._last_ms

    def next_ms(self) -> int:
        """Return the time of the next block."""
        self._last_ms = self._last_ms + self._block_ms if self._virtual else self._wall_ms()
        return self._last_ms

    def wait_s(self, now_s: float) -> tuple[float, bool]:
        """Return how long to wait after a block for the next, and whether this one came too late.

        `now_s` is a monotonic clock. In real time a late block is not made up for; a virtual clock makes up
        for what is less than a second behind, because no block's time depends on when it is made.
        """
        if not self._speed:
            return 0.0, False
        due = (now_s if self._due_s is None else self._due_s) + self._block_ms / 1000 / self._speed
        late = due < now_s - (_MOST_BEHIND_S if self._virtual else 0.0)
        self._due_s = now_s if late else due
        return max(0.0, self._due_s - now_s), late
