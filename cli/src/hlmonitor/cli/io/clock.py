"""The time of captured lines."""

import time


class CaptureClock:
    """Microseconds since 1970 that never jump: the wall clock is looked at once, then the monotonic one counts."""

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def now_us(self) -> int:
        """The time now."""
        return (time.monotonic_ns() + self._offset_ns) // 1_000
