"""Child processes that log to a file, can be stopped in every way that a test needs, and die with their parent."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_LOG_TAIL_CHARACTERS = 3000
_END_TIMEOUT_S = 90
_KILL_TIMEOUT_S = 60
_FREEZE_TIMEOUT_S = 60
_FREEZE_POLL_S = 0.001
_OUR_SETTINGS = "HLMON_"


class LocalError(Exception):
    """A process could not be started, or did not do in time what it should. The message has the end of its log."""


class LocalProcess:
    """One child process; may be started again after it ended.

    It is killed when the thread that started it ends, so start it from a thread that lives: the main one. It has a
    session of its own: Ctrl-C in a terminal reaches the parent alone, which then stops its children in order.
    """

    def __init__(self, name: str, directory: Path) -> None:
        """`directory` is made if missing and holds the log, `NAME.log`, which is appended to."""
        self.name = name
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log_file(self) -> Path:
        """What it writes to stdout and stderr."""
        return self.directory / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """Its process id; None before the first start."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        """It was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended; negative: by that signal. None while it runs and before the first start."""
        return self._process.poll() if self._process else None

    def spawn(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start it; the environment is added to this process' own, of which settings of ours are not handed on.

        Raises:
            LocalError: it runs already.
            OSError: this machine has no setpriv (util-linux).
        """
        if self.running:
            raise LocalError(f"{self.name} runs already, as process {self.pid}")
        self.directory.mkdir(parents=True, exist_ok=True)
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(_OUR_SETTINGS)}
        setpriv = shutil.which("setpriv") or "/usr/bin/setpriv"
        with self.log_file.open("ab") as log:
            # setpriv replaces itself by the program, so the process id is the program's.
            self._process = subprocess.Popen(  # noqa: S603 the caller's own programs
                [setpriv, "--pdeathsig", "KILL", *command],
                env={**inherited, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def terminate(self, timeout_s: float = _END_TIMEOUT_S) -> int:
        """Ask it to end (SIGTERM; a frozen one goes on to do so), wait, and return its exit code.

        Raises:
            LocalError: it was never started, or did not end in time; then it is killed.
        """
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)
        return await self.wait(timeout_s)

    async def wait(self, timeout_s: float = _END_TIMEOUT_S) -> int:
        """Wait until it ends and return its exit code.

        Raises:
            LocalError: it was never started, or did not end in time; then it is killed.
        """
        if self._process is None:
            raise LocalError(f"{self.name} was never started")
        try:
            return await asyncio.to_thread(self._process.wait, timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise LocalError(f"{self.name} did not end within {timeout_s} s: {self.log_tail()}") from None

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would; returns when it is gone."""
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(_KILL_TIMEOUT_S)

    def pause(self) -> None:
        """Freeze it (SIGSTOP): connections stay, nothing answers; returns when it stands still."""
        if self._process is not None and self.running:
            freeze(self._process.pid)

    def resume(self) -> None:
        """Let a frozen one go on (SIGCONT)."""
        self.send(signal.SIGCONT)

    def log_tail(self) -> str:
        """The end of its log."""
        if not self.log_file.exists():
            return ""
        return self.log_file.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:]

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it was never started or has ended."""
        if self._process is not None:
            self._process.send_signal(number)


def freeze(process: int) -> None:
    """Send SIGSTOP, and return when none of its threads runs any more; one that has ended stands still too.

    The signal is sent at once, but a thread of a busy machine may run on for long enough to answer a client.

    Raises:
        LocalError: a thread still runs after a minute.
    """
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGSTOP)
    deadline_s = time.monotonic() + _FREEZE_TIMEOUT_S
    while not all(state in "TZX" for state in _thread_states(process)):
        if time.monotonic() >= deadline_s:
            raise LocalError(f"process {process} was sent SIGSTOP and runs on")
        time.sleep(_FREEZE_POLL_S)


def is_alive(process: int) -> bool:
    """Whether it runs or is frozen; one that has ended is not alive, though its parent may not have been told yet."""
    return any(state not in "ZX" for state in _thread_states(process))


def _thread_states(process: int) -> Iterator[str]:
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{process}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                stat = (thread / "stat").read_text()
                # The program's name comes before, in parentheses, and may have any character.
                yield stat.rpartition(")")[2].split()[0]
