"""Every clock and every source of chance that the services read, bound to one run."""

import gc
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from dst.loop import START_S, VirtualLoop

EPOCH_MS = 1_700_000_000_000
"""Wall clock at the beginning of a run."""


def wall_ms(loop: VirtualLoop) -> int:
    """The wall clock, ms."""
    return EPOCH_MS + int((loop.now_s - START_S) * 1000)


@contextmanager
def virtual_clocks(loop: VirtualLoop, seed: int) -> Iterator[None]:
    """Let `time`, `random`, `secrets` and `uuid` tell what the run's clock and seed say.

    The garbage collector rests meanwhile: what it finds and when depends on memory, and it ends generators.
    """
    chance = random.Random(f"product {seed}")
    state = random.getstate()
    random.seed(f"global {seed}")
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        with (
            patch.object(time, "monotonic", lambda: loop.now_s),
            patch.object(time, "perf_counter", lambda: loop.now_s),
            patch.object(time, "time", lambda: wall_ms(loop) / 1000),
            patch.object(time, "time_ns", lambda: wall_ms(loop) * 1_000_000),
            patch.object(os, "urandom", chance.randbytes),
            patch.object(random, "_urandom", chance.randbytes),
        ):
            yield
    finally:
        random.setstate(state)
        if was_collecting:
            gc.enable()
