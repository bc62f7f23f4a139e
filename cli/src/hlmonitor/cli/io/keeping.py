"""Lines on their way to the disk. When it takes none they wait in memory, up to a bound; past it they are counted."""

import asyncio
import contextlib
import itertools

from hlmonitor.cli.core.capture import Kind, line
from hlmonitor.cli.core.progress import Progress
from hlmonitor.cli.io.capture_file import CaptureFile, NoRoomError
from hlmonitor.cli.io.clock import CaptureClock

BATCH_BYTES = 1 << 20
BATCH_EVERY_S = 1.0
RETRY_EVERY_S = 1.0
MOST_WAITING_BYTES = 64 << 20


class Keeper:
    """Takes lines at once, writes them in batches from a thread."""

    def __init__(
        self, file: CaptureFile, progress: Progress, clock: CaptureClock, most_waiting: int = MOST_WAITING_BYTES
    ) -> None:
        self._file = file
        self._progress = progress
        self._clock = clock
        self._most_waiting = most_waiting
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._being_written = 0
        self._lost = 0
        self._enough = asyncio.Event()

    def keep(self, kind: Kind, connection: int = 0, payload: object = None, time_us: int | None = None) -> None:
        """Take a line; its time is now unless it is told."""
        time_us = self._clock.now_us() if time_us is None else time_us
        text = line(kind, time_us, connection, payload)
        if self._waiting_bytes + self._being_written + len(text) > self._most_waiting:
            self._lost += 1
            self._progress.lost += 1
            return
        self._own_up(time_us)
        self._put(text)

    async def run(self) -> None:
        """Write batches until cancelled; then `finish`."""
        while True:
            if self._waiting_bytes < BATCH_BYTES:
                self._enough.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._enough.wait(), BATCH_EVERY_S)
            if not await self._write():
                await asyncio.sleep(RETRY_EVERY_S)

    async def finish(self) -> str:
        """Write what waits; returns what could not be done about it, or an empty text."""
        self._own_up(self._clock.now_us())
        while self._waiting:
            if not await self._write():
                return f"the last {len(self._waiting):,} lines are lost: {self._progress.disk_problem}"
        await asyncio.to_thread(self._file.sync)
        return ""

    def _put(self, text: bytes) -> None:
        self._waiting.append(text)
        self._waiting_bytes += len(text)
        if self._waiting_bytes >= BATCH_BYTES:
            self._enough.set()

    def _own_up(self, time_us: int) -> None:
        """Say in the capture itself where it has a hole."""
        if self._lost:
            self._put(line(Kind.LOST, time_us, payload={"lines": self._lost}))
            self._lost = 0

    async def _write(self) -> bool:
        if not self._waiting:
            return True
        batch = self._take()
        writing = asyncio.ensure_future(asyncio.to_thread(self._file.append, b"".join(batch)))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            # A thread cannot be stopped: the batch is on the disk, or waits again, before anything else is done.
            await asyncio.wait({writing})
            self._settle(batch, writing)
            raise
        except NoRoomError:
            pass
        return self._settle(batch, writing)

    def _take(self) -> list[bytes]:
        """The oldest lines, no more than a batch, so that little room on the disk is of use."""
        ends = itertools.accumulate(map(len, self._waiting))
        count = max(1, sum(1 for _ in itertools.takewhile(lambda end: end <= BATCH_BYTES, ends)))
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        self._being_written = sum(map(len, batch))
        self._waiting_bytes -= self._being_written
        return batch

    def _settle(self, batch: list[bytes], writing: asyncio.Future[None]) -> bool:
        error = writing.exception()
        if error is None:
            self._progress.file_bytes = self._file.size
            self._progress.disk_problem = ""
        elif isinstance(error, NoRoomError):
            self._waiting = batch + self._waiting
            self._waiting_bytes += self._being_written
            self._progress.disk_problem = str(error)
        self._being_written = 0
        return error is None
