"""Feeds whose frame is a whole value, sent again and again."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hlmonitor.simulator.core.events import Block
    from hlmonitor.simulator.wire.frames import Frame
    from hlmonitor.simulator.wire.subscriptions import Subscription

    from .source import Delivery, Heard, View


class Beat(Protocol):
    """A value with a rhythm."""

    def every_ms(self, wanted: Subscription, /) -> int:
        """Return the time between two frames."""
        ...

    def frame(self, wanted: Subscription, /) -> Frame | None:
        """Return the value as of now, None when there is nothing to say."""
        ...


class BeatSource:
    """Sends a value at once, and then on its beat for as long as somebody listens.

    With `only_changes` a beat on which the value is the same as at the last one is left out.
    """

    def __init__(self, view: View, beats: dict[str, Beat], *, only_changes: bool = False) -> None:
        self.kinds = tuple(beats)
        self._view = view
        self._beats = beats
        self._only_changes = only_changes
        self._due: dict[Subscription, int] = {}
        self._queue: list[tuple[int, int, Subscription]] = []
        self._entries = 0
        self._last: dict[Subscription, bytes] = {}

    def first(self, wanted: Subscription) -> Frame | None:
        """Return the value; its beat begins with the first listener."""
        if wanted not in self._due:
            self._plan(wanted, self._view.exchange.state.now_ms)
        frame = self._beats[wanted.type].frame(wanted)
        # Who listened before has not seen this value if it is another one: it is then news at the next beat.
        if self._only_changes and frame is not None and self._last.setdefault(wanted, frame.data) != frame.data:
            del self._last[wanted]
        return frame

    def live(self, block: Block, heard: Heard) -> Iterator[Delivery]:
        """Yield the values that are due."""
        while self._queue and self._queue[0][0] <= block.time_ms:
            _, _, wanted = heappop(self._queue)
            if wanted not in heard:
                self._due.pop(wanted, None)
                self._last.pop(wanted, None)
                continue
            self._plan(wanted, block.time_ms)
            frame = self._beats[wanted.type].frame(wanted)
            if frame is not None and self._is_news(wanted, frame):
                yield wanted, frame

    def _plan(self, wanted: Subscription, now_ms: int) -> None:
        """Note the next beat. A beat missed by a late block is not made up for."""
        self._due[wanted] = now_ms + self._beats[wanted.type].every_ms(wanted)
        # The count keeps entries of one time in the order of asking, and subscriptions uncompared.
        self._entries += 1
        heappush(self._queue, (self._due[wanted], self._entries, wanted))

    def _is_news(self, wanted: Subscription, frame: Frame) -> bool:
        if not self._only_changes:
            return True
        news = self._last.get(wanted) != frame.data
        self._last[wanted] = frame.data
        return news
