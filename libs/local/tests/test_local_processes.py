"""Child processes: started, watched, frozen, ended, and gone with their parent."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hlmonitor.local.processes import LocalError, LocalProcess, is_alive
from hlmonitor.local.waiting import eventually

SLEEP = [sys.executable, "-c", "import signal; print('up', flush=True); signal.pause()"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\nwhile True: signal.pause()",
]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[LocalProcess]:
    process = LocalProcess("child", tmp_path)
    yield process
    process.kill()


async def up(process: LocalProcess) -> None:
    await eventually(lambda: "up" in process.log_tail(), "the child is up")


async def test_it_writes_its_log_and_ends_when_asked(process: LocalProcess) -> None:
    assert not process.running
    process.spawn(SLEEP)
    await up(process)
    assert process.running
    assert await process.terminate() == -signal.SIGTERM
    assert process.exit_code == -signal.SIGTERM


async def test_it_may_be_started_again_but_not_twice(process: LocalProcess) -> None:
    process.spawn(SLEEP)
    with pytest.raises(LocalError, match="child runs already"):
        process.spawn(SLEEP)
    process.kill()
    assert process.exit_code == -signal.SIGKILL
    process.spawn(SLEEP)
    assert process.running


async def test_one_that_does_not_end_is_killed_and_reported_with_its_log(process: LocalProcess) -> None:
    process.spawn(STUBBORN)
    await up(process)
    with pytest.raises(LocalError, match=r"child did not end within 0.2 s: up"):
        await process.terminate(timeout_s=0.2)
    assert not process.running


async def test_a_frozen_one_goes_on_when_resumed(process: LocalProcess) -> None:
    process.spawn(SLEEP)
    await up(process)
    assert process.pid is not None
    child = psutil.Process(process.pid)
    process.pause()
    assert child.status() == psutil.STATUS_STOPPED
    process.resume()
    await eventually(lambda: child.status() != psutil.STATUS_STOPPED, "it goes on")


BUSY_THREADS = """
import os, threading
def write():
    while True:
        os.write(1, b"x")
for _ in range(8):
    threading.Thread(target=write).start()
"""


async def test_nothing_of_a_frozen_one_runs_on(process: LocalProcess) -> None:
    process.spawn([sys.executable, "-c", BUSY_THREADS])
    for _ in range(20):
        await eventually(lambda: process.log_file.stat().st_size > 0, "it writes")
        process.pause()
        written = process.log_file.stat().st_size
        await asyncio.sleep(0.02)
        assert process.log_file.stat().st_size == written
        process.resume()
    process.kill()
    process.pause()


async def test_a_frozen_one_can_be_asked_to_end(process: LocalProcess) -> None:
    process.spawn(SLEEP)
    await up(process)
    process.pause()
    assert await process.terminate() == -signal.SIGTERM


async def test_our_own_settings_are_not_handed_on(process: LocalProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HLMON_DATABASE_URL", "sqlite:///precious.db")
    process.spawn(
        [sys.executable, "-c", "import os; print([key for key in os.environ if key.startswith('HLMON_')])"],
        {"HLMON_INSTANCE": "child"},
    )
    assert await process.wait() == 0
    assert process.log_tail().strip() == "['HLMON_INSTANCE']"


async def test_it_dies_with_its_parent(process: LocalProcess, tmp_path: Path) -> None:
    program = (
        "import signal, sys; from pathlib import Path; from hlmonitor.local.processes import LocalProcess\n"
        "child = LocalProcess('grandchild', Path(sys.argv[1])); child.spawn([sys.executable, *sys.argv[2:]]); "
        "print(child.pid, flush=True); signal.pause()"
    )
    process.spawn([sys.executable, "-c", program, str(tmp_path), *SLEEP[1:]])
    await eventually(lambda: process.log_tail().strip().isdigit(), "the grandchild is started")
    # Before it runs its own program, it may not have been told whom to follow.
    await up(LocalProcess("grandchild", tmp_path))
    grandchild = int(process.log_tail())
    process.kill()
    await eventually(lambda: not is_alive(grandchild), "the grandchild is gone")
