"""`make stop`: end the supervisor, which stops everything in order, and wait until nothing runs."""

import os
import signal
import time

from layout import Layout, refuse, say

TIMEOUT_S = 150.0
LOOK_S = 0.1


def main() -> None:
    """Entry point."""
    layout = Layout("")
    pid = layout.supervisor()
    if pid is None:
        say("hl-monitor does not run")
        return
    say("stopping; whoever holds something unfinished hands it over first")
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + TIMEOUT_S
    while layout.supervisor() is not None:
        if time.monotonic() > deadline:
            refuse(f"process {pid} did not end in {TIMEOUT_S:g} s; `kill -9 {pid}` ends it and all that it started")
        time.sleep(LOOK_S)
    say("hl-monitor has stopped")


if __name__ == "__main__":
    main()
