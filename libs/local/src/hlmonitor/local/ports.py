"""Ports for servers of our own."""

import random
import socket
from collections import deque

_FIRST, _LAST = 20_000, 32_000
_TRIES = 200
_given: deque[int] = deque(maxlen=1_000)
"""The latest: nobody may listen on them yet."""


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on, and that was not handed out here a moment ago.

    It is below the range that the system gives to outgoing connections, so that a server which is killed and started
    again finds it free.

    Raises:
        OSError: none was found.
    """
    # Unseeded on purpose: two test runs on one machine must not go through the same ports.
    for port in random.SystemRandom().sample(range(_FIRST, _LAST), _TRIES):
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            _given.append(port)
            return port
    raise OSError(f"no free port between {_FIRST} and {_LAST} on {host}")
