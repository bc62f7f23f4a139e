"""PostgreSQL and MariaDB servers of our own: found or installed, started in a directory, stopped with the block.

The system's own services are never started, stopped or touched. Both servers refuse to run as root, so root starts them
as the user that their package made.
"""

import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from hlmonitor.local.ports import free_port
from hlmonitor.local.processes import freeze, is_alive

_START_TIMEOUT_S = 60
_STOP_TIMEOUT_S = 20
_INSTALL_TIMEOUT_S = 600
_POLL_S = 0.1


class ServerError(Exception):
    """A database server could not be made ready. The message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Missing:
    """The server is not on this machine and could not be installed; `reason` says why."""

    reason: str


class DatabaseServer(ABC):
    """One server process with its own data directory, listening on a free port of 127.0.0.1."""

    name: ClassVar[str]
    package: ClassVar[str]
    user: ClassVar[str]
    program: ClassVar[str]

    def __init__(self, programs: Path, directory: Path) -> None:
        """`programs`: where the executables are. `directory`: made if missing; data, socket and log go there."""
        self._programs, self._directory = programs, directory
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0
        self.port = 0

    @classmethod
    @abstractmethod
    def find(cls) -> Path | None:
        """The directory of the executables, or None when the server is not installed."""

    @classmethod
    def find_or_install(cls) -> Path | Missing:
        """Like `find`, but root on a system with apt installs the package when it is missing."""
        with _alone():
            if found := cls.find():
                return found
            if os.geteuid() != 0:
                return Missing(f"{cls.name} is not installed, and only root can install the package {cls.package}")
            if shutil.which("apt-get") is None:
                return Missing(f"{cls.name} is not installed, and there is no apt-get to install {cls.package} with")
            if problem := _apt_install(cls.package):
                return Missing(f"{cls.name} is not installed, and {problem}")
            return cls.find() or Missing(
                f"{cls.package} was installed, but {cls.program} is not where it is looked for"
            )

    def start(self) -> None:
        """Make the data directory when there is none, start the server, and wait until it answers.

        The port is kept over stop and start.

        Raises:
            ServerError: it did not come up.
        """
        self.launch()
        self._wait_until_ready()

    def launch(self) -> None:
        """As `start`, without waiting."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._own(self._directory)
        if not self._data.exists():
            self._initialise()
        self.port = self.port or free_port()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 the command is made here
                self._as_user(self._server_command()), stdout=log, stderr=log, cwd=self._directory
            )

    @property
    def running(self) -> bool:
        """It was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def answers(self) -> bool:
        """Whether it serves clients now; asks it, which takes a moment."""
        try:
            self._admin("SELECT 1")
        except ServerError:
            return False
        return True

    def stop(self) -> None:
        """End the server in its orderly way; does nothing when it does not run."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End the server with all its processes at once, as a crash of its machine would."""
        if self._process is not None:
            # One that is made while the others are killed would be in nobody's list.
            self.pause()
            sent_to = self._send(signal.SIGKILL)
            self._process.wait(_STOP_TIMEOUT_S)
            self._process = None
            # While one of them lives, PostgreSQL's memory is in use, and a new server refuses to start.
            deadline = time.monotonic() + _STOP_TIMEOUT_S
            while any(map(is_alive, sent_to)) and time.monotonic() < deadline:
                time.sleep(_POLL_S / 10)

    def pause(self) -> None:
        """Freeze it with all its processes (SIGSTOP): connections stay, nothing answers; returns when it stands."""
        if self._process is not None and self.running:
            freeze(self._process.pid)
            # No more of them are made now.
            for child in _children(self._process.pid):
                freeze(child)

    def resume(self) -> None:
        """Let a frozen one go on (SIGCONT)."""
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> list[int]:
        """Returns the processes that it was sent to."""
        if self._process is None or not self.running:
            return []
        processes = [self._process.pid, *_children(self._process.pid)]
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
        return processes

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def fresh_database(self) -> str:
        """Create an empty database and return its SQLAlchemy URL."""
        self._made += 1
        database = f"hlmonitor_{os.getpid()}_{self._made}"
        self._admin(f"CREATE DATABASE {database}")
        return self._url(database)

    def drop_database(self, url: str) -> None:
        """Remove a database that `fresh_database` made."""
        self._admin(self._drop_statement(url.rpartition("/")[2]))

    @property
    def pid(self) -> int | None:
        """The server's process id, None while it does not run."""
        return self._process.pid if self._process else None

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    @property
    def _log(self) -> Path:
        return self._directory / "server.log"

    @abstractmethod
    def _initialise(self) -> None: ...

    @abstractmethod
    def _server_command(self) -> list[str]: ...

    @abstractmethod
    def _admin(self, statement: str) -> None: ...

    @abstractmethod
    def _drop_statement(self, database: str) -> str: ...

    @abstractmethod
    def _url(self, database: str) -> str: ...

    def _as_user(self, command: Sequence[str]) -> list[str]:
        # setpriv replaces itself, so the process id is the server's; and no server outlives who started it.
        wrapped = [shutil.which("setpriv") or "/usr/bin/setpriv", "--pdeathsig", "KILL"]
        if os.geteuid() == 0:
            wrapped += [f"--reuid={self.user}", f"--regid={self.user}", "--init-groups"]
        return [*wrapped, *command]

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0:
            entry = pwd.getpwnam(self.user)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def _run(self, command: Sequence[str]) -> None:
        done = subprocess.run(  # noqa: S603 the command is made here
            self._as_user(command), capture_output=True, text=True, timeout=_START_TIMEOUT_S, check=False, cwd="/"
        )
        if done.returncode != 0:
            raise ServerError(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")

    def _wait_until_ready(self) -> None:
        reason = ""
        for _ in range(int(_START_TIMEOUT_S / _POLL_S)):
            if self._process is None or self._process.poll() is not None:
                reason = "it ended"
                break
            try:
                self._admin("SELECT 1")
            except ServerError as error:
                reason = str(error)
            else:
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_POLL_S)
        self.kill()
        tail = reason + "\n" + self._log.read_text(errors="replace")[-2000:]
        raise ServerError(f"{self.name} did not start in {self._directory}: {tail}")


class PostgresServer(DatabaseServer):
    """PostgreSQL 15 or newer."""

    name = "PostgreSQL"
    package = "postgresql"
    user = "postgres"
    program = "postgres"

    @classmethod
    def find(cls) -> Path | None:
        """Where Debian keeps its versions, the newest; else on the path."""
        versions = Path("/usr/lib/postgresql").glob("*/bin/postgres")
        newest = max(versions, key=lambda path: float(path.parts[-3]), default=None)
        found = newest or shutil.which("postgres")
        return Path(found).resolve().parent if found else None

    def _initialise(self) -> None:
        options = ["--username=hlmonitor", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        self._run([str(self._programs / "initdb"), f"--pgdata={self._data}", *options])

    def _server_command(self) -> list[str]:
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": ""}
        command = [str(self._programs / "postgres"), "-D", str(self._data)]
        for setting, value in settings.items():
            command += ["-c", f"{setting}={value}"]
        return command

    def _admin(self, statement: str) -> None:
        target = ["--host=127.0.0.1", f"--port={self.port}", "--username=hlmonitor", "--dbname=postgres"]
        self._run([str(self._programs / "psql"), *target, "--no-psqlrc", "--quiet", "--command", statement])

    def _drop_statement(self, database: str) -> str:
        return f"DROP DATABASE IF EXISTS {database} WITH (FORCE)"

    def _url(self, database: str) -> str:
        return f"postgresql+asyncpg://hlmonitor@127.0.0.1:{self.port}/{database}"


class MariaDbServer(DatabaseServer):
    """MariaDB 10.11 or newer."""

    name = "MariaDB"
    package = "mariadb-server"
    user = "mysql"
    program = "mariadbd"

    @classmethod
    def find(cls) -> Path | None:
        """On the path, or in the directory of system programs."""
        found = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        return Path(found).parent if found else None

    @property
    def _temporary(self) -> Path:
        # A server that starts removes the temporary tables that it finds, those of a running one in /tmp too.
        return self._directory / "tmp"

    def _initialise(self) -> None:
        install = (
            shutil.which("mariadb-install-db", path=f"{os.environ.get('PATH', '')}:/usr/bin") or "mariadb-install-db"
        )
        options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=32M"]
        self._temporary.mkdir(exist_ok=True)
        self._own(self._temporary)
        self._run([install, "--no-defaults", f"--datadir={self._data}", f"--tmpdir={self._temporary}", *options])

    def _server_command(self) -> list[str]:
        return [
            str(self._programs / "mariadbd"),
            "--no-defaults",
            f"--datadir={self._data}",
            f"--tmpdir={self._temporary}",
            # Relative to the data directory: a socket's whole path may not be longer than about 100 characters.
            "--socket=server.sock",
            f"--pid-file={self._directory / 'server.pid'}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--innodb-log-file-size=32M",
            "--innodb-buffer-pool-size=64M",
        ]

    def _admin(self, statement: str) -> None:
        client = shutil.which("mariadb", path=f"{os.environ.get('PATH', '')}:/usr/bin") or "mariadb"
        target = ["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", f"--port={self.port}", "--user=root"]
        self._run([client, *target, f"--execute={statement}"])

    def _drop_statement(self, database: str) -> str:
        return f"DROP DATABASE IF EXISTS {database}"

    def _url(self, database: str) -> str:
        return f"mysql+asyncmy://root@127.0.0.1:{self.port}/{database}"


@contextmanager
def running(kind: type[DatabaseServer], directory: Path) -> Iterator[DatabaseServer]:
    """A running server of this kind.

    Raises:
        ServerError: it is neither installed nor installable, or did not start.
    """
    programs = kind.find_or_install()
    if isinstance(programs, Missing):
        raise ServerError(programs.reason)
    with kind(programs, directory) as server:
        yield server


def _children(process: int) -> list[int]:
    """A process for each connection, and some of its own, is what PostgreSQL has; they have no children."""
    try:
        return [int(text) for text in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except FileNotFoundError:
        return []


@contextmanager
def _alone() -> Iterator[None]:
    """One program of ours at a time looks and installs: a package is found when it is half unpacked."""
    with Path(tempfile.gettempdir(), f"hl-monitor-install-{os.getuid()}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _apt_install(package: str) -> str | None:
    # RUNLEVEL=1 keeps the package's scripts from starting the system's own service.
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", package]):
        try:
            done = subprocess.run(  # noqa: S603 the command is made here
                command, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_S, check=False, env=environment
            )
        except subprocess.TimeoutExpired:
            return f"`{' '.join(command)}` did not end within {_INSTALL_TIMEOUT_S} s"
        if done.returncode != 0:
            return f"`{' '.join(command)}` failed: {done.stderr.strip()[-500:]}"
    return None
