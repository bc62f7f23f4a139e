"""Ports for servers of our own."""

import fcntl
import os
import random
import socket
import tempfile
from collections import deque
from functools import cache
from pathlib import Path

_FIRST, _LAST = 20_000, 32_000
_TRIES = 200
_GIVEN_MOST = 1_000
_given: deque[int] = deque()
"""The latest: nobody may listen on them yet."""


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on, and that no program of ours was given a moment ago.

    It is below the range that the system gives to outgoing connections, so that a server which is killed and started
    again finds it free.

    Raises:
        OSError: none was found.
    """
    # Unseeded on purpose: two test runs on one machine must not go through the same ports.
    for port in random.SystemRandom().sample(range(_FIRST, _LAST), _TRIES):
        if port in _given or not _claimed(port):
            continue
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                _let_go(port)
                continue
        _given.append(port)
        if len(_given) > _GIVEN_MOST:
            _let_go(_given.popleft())
        return port
    raise OSError(f"no free port between {_FIRST} and {_LAST} on {host}")


# A byte of this file stands for a port: its lock ends with the process, and costs no descriptor.
@cache
def _claims() -> int:
    path = Path(tempfile.gettempdir(), f"hl-monitor-ports-{os.getuid()}")
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _claimed(port: int) -> bool:
    try:
        fcntl.lockf(_claims(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


def _let_go(port: int) -> None:
    fcntl.lockf(_claims(), fcntl.LOCK_UN, 1, port)
