"""The wall clock, for stamps; what is timed goes by `time.monotonic`."""

import time


def wall_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
