"""Which fills of the `trades` feed belong together (DESIGN §6.11): the feed names no orders.

Fills of one coin and side that follow each other within the quiet period, in venue time, are an episode. It is over
when nothing of it came for as long, by our own clock. A fill whose time lies inside an episode that was told is told
alone.
"""

from collections import deque
from dataclasses import dataclass, field

from hlmonitor.domain.fills import Fill, Side
from hlmonitor.domain.orders import OrderId

QUIET_S = 2.0
MAX_TOLD = 100
"""Told episodes whose bounds are kept, per wallet, coin and side."""


@dataclass(slots=True)
class _Bounds:
    coin: str
    side: Side
    first_ms: int
    last_ms: int

    def distance_ms(self, fill: Fill) -> int:
        """How far a fill is from what lies between; 0 inside."""
        return max(self.first_ms - fill.time_ms, fill.time_ms - self.last_ms, 0)


@dataclass(slots=True)
class Episodes:
    """The bounds of a wallet's episodes, in venue time."""

    _open: dict[OrderId, _Bounds] = field(default_factory=dict)
    _told: dict[tuple[str, Side], deque[_Bounds]] = field(default_factory=dict)

    @property
    def are_known(self) -> bool:
        """Whether there was any."""
        return bool(self._open or self._told)

    def near(self, fill: Fill, quiet_s: float) -> OrderId | None:
        """The open episode that a fill goes on with, the nearest if there are several."""
        found = [
            (bounds.distance_ms(fill), identity)
            for identity, bounds in self._open.items()
            if bounds.coin == fill.coin and bounds.side is fill.side
        ]
        distance_ms, identity = min(found, default=(0, None))
        return identity if distance_ms <= quiet_s * 1000 else None

    def is_told(self, fill: Fill) -> bool:
        """Whether the fill lies inside an episode of which the signal is out."""
        return any(bounds.distance_ms(fill) == 0 for bounds in self._told.get((fill.coin, fill.side), ()))

    def took(self, identity: OrderId, fill: Fill) -> None:
        """A fill belongs to an open episode."""
        bounds = self._open.setdefault(identity, _Bounds(fill.coin, fill.side, fill.time_ms, fill.time_ms))
        bounds.first_ms, bounds.last_ms = min(bounds.first_ms, fill.time_ms), max(bounds.last_ms, fill.time_ms)

    def tell(self, identity: OrderId) -> None:
        """An episode goes out."""
        bounds = self._open.pop(identity, None)
        if bounds:
            self._told.setdefault((bounds.coin, bounds.side), deque(maxlen=MAX_TOLD)).append(bounds)
