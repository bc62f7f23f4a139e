"""A capture on disk: whole gzip members, so that an interruption leaves a file that can be read and gone on with."""

import fcntl
import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

from hlmonitor.cli.core.capture import is_first_line
from hlmonitor.cli.errors import CliError

_READ_BYTES = 1 << 20
_GZIP = 31
_LEVEL = 6


class NoRoomError(Exception):
    """The disk takes no more now; the file is whole up to here."""


class Found(NamedTuple):
    """What an existing file held."""

    whole_bytes: int
    """Up to the end of the last member that is whole."""
    rest: bytes
    """The whole lines of a member that was not finished."""
    first_line: bytes


class CaptureFile:
    """Appends batches of lines. One process may write it at a time."""

    def __init__(self, path: Path, keep_free_bytes: int) -> None:
        self.path = path
        self._keep_free_bytes = keep_free_bytes
        self._file = _open(path)
        self.size = 0

    def __enter__(self) -> Self:
        """Lock it, and mend what a crash left.

        Raises:
            CliError: it is no capture, or somebody else writes it.
        """
        try:
            self._lock()
            self._mend()
        except NoRoomError as error:
            self._file.close()
            raise CliError(str(error)) from error
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Let it go."""
        self._file.close()

    def append(self, lines: bytes) -> None:
        """Write lines as one member, or nothing.

        Raises:
            NoRoomError: it could not be written whole; the file is as before.
        """
        member = gzip.compress(lines, _LEVEL, mtime=0)
        if _free_bytes(self.path) - len(member) < self._keep_free_bytes:
            raise NoRoomError(f"less than {self._keep_free_bytes >> 20} MiB would be free on the disk of {self.path}")
        self._put(member)

    def _put(self, member: bytes) -> None:
        try:
            self._file.seek(self.size)
            written = 0
            while written < len(member):
                written += self._file.write(member[written:])
        except OSError as error:
            self._file.truncate(self.size)
            raise NoRoomError(f"{self.path} cannot be written: {error.strerror}") from error
        self.size += len(member)

    def sync(self) -> None:
        """See that it is on the disk and not only on its way."""
        os.fsync(self._file.fileno())

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CliError(f"{self.path} is being written by another recorder") from error

    def _mend(self) -> None:
        self._file.seek(0)
        found = _look_through(self._file)
        if not found.first_line:
            if self._file.seek(0, os.SEEK_END) and not _is_gzip_start(self._file):
                raise self._stranger()
        elif not is_first_line(found.first_line):
            raise self._stranger()
        self.size = found.whole_bytes
        if found.rest:
            # In the place of what it comes from, so that a full disk is no obstacle.
            self._put(gzip.compress(found.rest, _LEVEL, mtime=0))
        self._file.truncate(self.size)

    def _stranger(self) -> CliError:
        return CliError(f"{self.path} exists and is no capture of this version: name another file")


def _open(path: Path) -> BinaryIO:
    try:
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b", buffering=0)
    except OSError as error:
        raise CliError(f"{path} cannot be written: {error.strerror}") from error


def _free_bytes(path: Path) -> int:
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


def _is_gzip_start(file: BinaryIO) -> bool:
    """Whether the file could be the beginning of a first member, cut short."""
    file.seek(0)
    start = file.read(len(_MAGIC))
    return _MAGIC.startswith(start)


_MAGIC = b"\x1f\x8b\x08"


def _look_through(file: BinaryIO) -> Found:
    whole = 0
    first = b""
    rest = b""
    for end, text in _members(file):
        if not first:
            first = text.partition(b"\n")[0]
        if end is None:
            rest = text[: text.rfind(b"\n") + 1]
        else:
            whole = end
    return Found(whole, rest, first)


def _members(file: BinaryIO) -> Iterator[tuple[int | None, bytes]]:
    """Yield where each member ends and its text; None for a last one that is cut short or damaged."""
    read, data = 0, b""
    while True:
        machine, text = zlib.decompressobj(_GZIP), b""
        while not machine.eof:
            if not data:
                data = file.read(_READ_BYTES)
                read += len(data)
            if not data:
                if text:
                    yield None, text
                return
            try:
                text += machine.decompress(data)
            except zlib.error:
                yield None, text
                return
            data = machine.unused_data
        yield read - len(data), text
