"""One run of the recorder, from the lock on its file to the last line in it."""

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hlmonitor.cli.core.capture import Kind, run_line
from hlmonitor.cli.core.progress import Progress
from hlmonitor.cli.errors import CliError
from hlmonitor.cli.io.capture_file import CaptureFile, NoRoomError
from hlmonitor.cli.io.clock import CaptureClock
from hlmonitor.cli.io.keeping import Keeper
from hlmonitor.cli.io.recorder import Recorder, Source


class Run(NamedTuple):
    """How the recorder is run."""

    path: Path
    keep_free_bytes: int
    duration_s: float | None
    report_every_s: float
    report: Callable[[Progress], None]


class Done(NamedTuple):
    """What a run came to."""

    progress: Progress
    problem: str
    """What of it is not in the file; empty when all is."""


async def record(source: Source, run: Run) -> Done:
    """Capture until the duration is over, Ctrl-C or SIGTERM.

    Raises:
        CliError: the file cannot be used.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    subscriptions = [wanted for group in source.groups for wanted in group]
    progress = Progress(time.monotonic(), len(source.groups), len(subscriptions))
    with CaptureFile(run.path, run.keep_free_bytes) as file:
        clock = CaptureClock()
        _begin(file, run_line(clock.now_us(), source.ws_url, source.rest_url, subscriptions))
        progress.file_bytes = file.size
        keeper = Keeper(file, progress, clock)
        writing = asyncio.create_task(keeper.run())
        reporting = asyncio.create_task(_report(run, progress))
        capturing = asyncio.create_task(Recorder(source, keeper, progress, clock).run())
        try:
            why = await _until_over(capturing, writing, stopping, run.duration_s)
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
            for task in (capturing, writing, reporting):
                task.cancel()
                await asyncio.wait({task})
        keeper.keep(Kind.END, payload=why)
        return Done(progress, await keeper.finish())


def _begin(file: CaptureFile, first_line: bytes) -> None:
    try:
        file.append(first_line)
    except NoRoomError as error:
        raise CliError(str(error)) from error


async def _until_over(
    capturing: asyncio.Task[None], writing: asyncio.Task[None], stopping: asyncio.Event, duration_s: float | None
) -> str:
    stop = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait({capturing, writing, stop}, timeout=duration_s, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    for task in done & {capturing, writing}:
        task.result()
    if stop in done:
        return "stopped"
    return "nothing is left that the venue serves" if done else "the duration is over"


async def _report(run: Run, progress: Progress) -> None:
    while True:
        run.report(progress)
        await asyncio.sleep(run.report_every_s)
