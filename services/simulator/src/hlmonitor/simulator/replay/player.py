"""Keeps a replay's time: each captured line when it is due."""

from __future__ import annotations

import asyncio
import contextlib
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from .capture import timed_lines

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from .capture import Line

SLOWEST: Final = 0.1
FASTEST: Final = 1_000.0
AUDIENCE_LOOKS: Final = 5
"""How often in a row a replay that waits looks, every `_TICK_S`, and nobody has subscribed, before it begins.

Counted, not timed: however long the replay itself is held up, it takes one look of it.
"""
_US_PER_S: Final = 1e6
_TICK_S: Final = 0.1
_LINES_PER_TURN: Final = 100


class State(StrEnum):
    """Where a replay stands."""

    WAITING = "waiting"
    """For the first subscription."""
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"


class Player:
    """Hands over lines at their time."""

    def __init__(self, path: Path, speed: float, state: State) -> None:
        self._path = path
        self._speed = speed
        self.state = state
        self.lines = 0
        self.behind_s = 0.0
        """How much later than due the last line was."""
        self.most_behind_s = 0.0
        self.position_us = 0
        """How far into the capture."""
        self.time_us = 0
        """When the last line was captured."""
        self._quiet_looks: int | None = None
        """Since the last subscription; None before the first."""
        self._changed = asyncio.Event()
        self._anchor: tuple[float, int] | None = None

    @property
    def speed(self) -> float:
        """Captured seconds per second; 0: as fast as clients take it."""
        return self._speed

    def listened_to(self) -> None:
        """Take note that somebody subscribed. A replay that waits begins when no more come for a moment."""
        self._quiet_looks = 0

    def set(self, *, state: State | None = None, speed: float | None = None) -> None:
        """Pause, go on, or change the speed."""
        if self.state is not State.ENDED:
            self.state = self.state if state is None else state
        self._speed = self._speed if speed is None else speed
        self._anchor = None
        self._changed.set()

    async def run(self, play: Callable[[Line], None], room: Callable[[], Awaitable[None]]) -> None:
        """Play to the end; `room` waits for clients that are slow. Raises CaptureError."""
        for now_us, line in timed_lines(self._path):
            await self._until_due(now_us)
            await room()
            play(line)
            self.lines, self.position_us, self.time_us = self.lines + 1, now_us, line.time_us
            if self.lines % _LINES_PER_TURN == 0:
                await asyncio.sleep(0)
        self.state = State.ENDED

    async def _until_due(self, due_us: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if self.state in {State.WAITING, State.PAUSED}:
                await self._wait(_TICK_S)
                self._look_for_audience()
                continue
            if not self._speed:
                return
            if self._anchor is None:
                self._anchor = loop.time(), self.position_us
            at, us = self._anchor
            wait_s = at + (due_us - us) / _US_PER_S / self._speed - loop.time()
            if wait_s <= 0:
                self.behind_s = -wait_s
                self.most_behind_s = max(self.most_behind_s, self.behind_s)
                return
            await self._wait(wait_s)

    def _look_for_audience(self) -> None:
        if self.state is not State.WAITING or self._quiet_looks is None:
            return
        self._quiet_looks += 1
        if self._quiet_looks >= AUDIENCE_LOOKS:
            self.set(state=State.RUNNING)

    async def _wait(self, seconds: float) -> None:
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)
