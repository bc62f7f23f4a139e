"""A load's frames, encoded once with marks for ids and times, ready for a socket but for these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.events import Block
from hlmonitor.simulator.core.load import CYCLE_MARK, TIME_MARK

from .feeds import FeedConfig, View, sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.load import LoadPlan

    from .subscriptions import Subscription

FEEDS: Final = frozenset({"userFills", "userEvents", "orderUpdates", "trades"})
"""The feeds that a load is sent on; states follow the accounts by themselves."""
_CYCLE: Final = str(CYCLE_MARK).encode()
_TIME: Final = str(TIME_MARK).encode()
_FINAL_TEXT: Final = b"\x81"
_SHORT: Final = 126
_MEDIUM: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Encoded:
    """The bytes of a block's frames as the socket takes them, headers included."""

    data: bytes
    frames: int
    rows: int


class _Only:
    """Hears one subscription."""

    def __init__(self, wanted: Subscription) -> None:
        self._wanted = wanted

    def __contains__(self, subscription: Subscription) -> bool:
        return subscription == self._wanted

    def any(self, kind: str) -> bool:
        return kind == self._wanted.type

    def of(self, kind: str, key: str = "") -> Sequence[Subscription]:
        return (self._wanted,) if (kind, key) == (self._wanted.type, self._wanted.key) else ()


class LoadFrames:
    """The plan's frames by subscription, made by the same feeds as all others and kept."""

    def __init__(self, plan: LoadPlan, exchange: Exchange) -> None:
        self._plan = plan
        made = sources(View(exchange, exchange.state.ledger, FeedConfig()))
        self._sources = {kind: source for source in made for kind in source.kinds if kind in FEEDS}
        self._encoded: dict[Subscription, dict[int, Encoded]] = {}

    def of(self, wanted: Subscription) -> dict[int, Encoded]:
        """Return a subscription's frames by their block's place in the plan."""
        known = self._encoded.get(wanted)
        if known is None:
            known = self._encoded[wanted] = self._encode(wanted)
        return known

    def _encode(self, wanted: Subscription) -> dict[int, Encoded]:
        source = self._sources.get(wanted.type)
        if source is None:
            return {}
        shares = self._plan.of_wallet if wanted.user is not None else self._plan.of_coin
        encoded = {}
        for place, share in shares.get(wanted.key, {}).items():
            block = Block(place, TIME_MARK, fills=share.fills, order_updates=share.updates, trades=share.trades)
            made = [frame for _, frame in source.live(block, _Only(wanted))]
            if made:
                data = b"".join(_framed(frame.data) for frame in made)
                encoded[place] = Encoded(data, len(made), sum(len(frame.entries) for frame in made))
        return encoded


def _framed(payload: bytes) -> bytes:
    """Return a text frame of the WebSocket protocol: a server's frames are not masked (RFC 6455, 5.2)."""
    size = len(payload)
    if size < _SHORT:
        return _FINAL_TEXT + size.to_bytes(1, "big") + payload
    if size < _MEDIUM:
        return _FINAL_TEXT + b"\x7e" + size.to_bytes(2, "big") + payload
    return _FINAL_TEXT + b"\x7f" + size.to_bytes(8, "big") + payload


def stamp(data: bytes, cycle: int, time_ms: int) -> bytes:
    """Put the ids of a cycle and a block's time in the place of the marks; no length changes."""
    return data.replace(_CYCLE, b"%010d" % cycle).replace(_TIME, b"%013d" % time_ms)
