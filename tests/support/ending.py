"""A recording that ends by Ctrl-C when a condition holds, however long that takes."""

import signal
from collections.abc import Callable

from hlmonitor.cli.core.progress import Progress

LOOK_EVERY_S = 0.05


def interrupted_when(holds: Callable[[Progress], bool]) -> Callable[[Progress], None]:
    """Make a report for a run of the recorder that presses Ctrl-C once, as soon as this holds."""
    pressed = False

    def report(progress: Progress) -> None:
        nonlocal pressed
        if not pressed and holds(progress):
            pressed = True
            signal.raise_signal(signal.SIGINT)

    return report


def standing(progress: Progress) -> int:
    """Return how many subscriptions stand."""
    return sum(progress.standing.values())
