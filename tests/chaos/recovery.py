"""How soon signals flowed again after something was killed, read from the stream afterwards."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from hlmonitor.demo.comparison import StreamMessage, percentile


@dataclass(frozen=True, slots=True)
class Restart:
    """A killed process that the supervisor started again. Times are of the wall clock, ms."""

    target: str
    started_ms: int
    ready_ms: int | None
    """When it was ready; None: it was not when it was killed again or the run ended."""
    share: frozenset[str] | None
    """The wallets that it serves once it is back; None: all."""
    alone: bool
    """Nothing else was broken meanwhile."""


class _Signal(msgspec.Struct):
    address: str
    last_fill_time: int


def recovery_ms(restart: Restart, stream: Iterable[StreamMessage]) -> int | None:
    """From the start until it is ready and a signal of its share is out whose last fill is younger than the start.

    If nobody traded when it was ready, the time until somebody did is not counted. None when it never recovered. The
    stream's times are those at which the server stored the messages.
    """
    if restart.ready_ms is None:
        return None
    for message in stream:
        signal = msgspec.json.decode(message.payload, type=_Signal)
        is_new = signal.last_fill_time >= restart.started_ms
        if is_new and (restart.share is None or signal.address in restart.share):
            idle_ms = max(0, signal.last_fill_time - restart.ready_ms)
            return max(message.received_at_ms - idle_ms, restart.ready_ms) - restart.started_ms
    return None


def slowest_s(recoveries_ms: Iterable[int | None], never_s: float) -> float | None:
    """The 99th percentile in seconds; one that never happened counts as `never_s`. None without any."""
    counted = [round(never_s * 1000) if value is None else value for value in recoveries_ms]
    found = percentile(counted, 0.99)
    return None if found is None else found / 1000
