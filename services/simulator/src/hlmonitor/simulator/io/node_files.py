"""The market as a node's files: `<dir>/node_fills_by_block/hourly/{YYYYMMDD}/{H}` and the same of order statuses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.durations import HOUR_MS
from hlmonitor.simulator.wire.node import fills_line, statuses_line

if TYPE_CHECKING:
    from decimal import Decimal
    from pathlib import Path

    from hlmonitor.simulator.core.events import Block

FILLS: Final = "node_fills_by_block"
STATUSES: Final = "node_order_statuses_by_block"


class NodeFilesError(OSError):
    """The node's files cannot be written any more; the text says which and why."""


def hourly_path(root: Path, kind: str, time_ms: int) -> Path:
    """Return the file of an hour. The hour is not padded, and that of the block, not of the node's clock (assumed)."""
    hour = datetime.fromtimestamp(time_ms // 1000, UTC)
    return root / kind / "hourly" / f"{hour:%Y%m%d}" / str(hour.hour)


class _HourFile:
    """One file; what is less than a buffer is kept back."""

    def __init__(self, path: Path, buffer_bytes: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._buffer_bytes = max(1, buffer_bytes)
        self._kept = b""

    def write(self, line: bytes) -> None:
        data = self._kept + line
        whole = len(data) - len(data) % self._buffer_bytes
        self._put(data[:whole])
        self._kept = data[whole:]

    def _put(self, data: bytes) -> None:
        # An unbuffered file may take a part only, when the disk is all but full.
        while data:
            data = data[self._file.write(data) :]

    def close(self) -> None:
        try:
            self._put(self._kept)
        finally:
            self._file.close()


class NodeFiles:
    """Appends a line for every block, as `hl-visor run-non-validator --batch-by-block` does.

    With a buffer of 0 a line is written whole; with another the file ends in the middle of a line now and then, as that
    of a node without `--disable-output-file-buffering`.
    """

    def __init__(self, root: Path, deployer_share: Decimal, buffer_bytes: int = 0) -> None:
        self._root = root
        self._deployer_share = deployer_share
        self._buffer_bytes = buffer_bytes
        self._hour = -1
        self._files: dict[str, _HourFile] = {}

    def write(self, block: Block, local_ns: int) -> None:
        """Append a block; raise NodeFilesError."""
        lines = {FILLS: fills_line(block, local_ns, self._deployer_share), STATUSES: statuses_line(block, local_ns)}
        try:
            self._turn(block.time_ms)
            for kind, line in lines.items():
                self._files[kind].write(line)
        except OSError as error:
            raise NodeFilesError(f"the node's files in {self._root} cannot be written: {error.strerror}") from error

    def _turn(self, time_ms: int) -> None:
        hour = time_ms // HOUR_MS
        if hour == self._hour:
            return
        self.close()
        for kind in (FILLS, STATUSES):
            self._files[kind] = _HourFile(hourly_path(self._root, kind, time_ms), self._buffer_bytes)
        self._hour = hour

    def close(self) -> None:
        """Write what is kept back and let the files go; raise OSError."""
        files, self._files, self._hour = self._files, {}, -1
        for file in files.values():
            file.close()
