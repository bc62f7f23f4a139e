"""The two times that decisions need."""

from typing import NamedTuple


class Now(NamedTuple):
    """When an input arrived: monotonic seconds for timers, local wall clock in ms for stamps."""

    mono_s: float
    wall_ms: int
