"""A capture survives whatever ends its recorder."""

import gzip
from pathlib import Path

import pytest

from hlmonitor.cli.core.capture import Kind, is_first_line, line, run_line
from hlmonitor.cli.errors import CliError
from hlmonitor.cli.io.capture_file import CaptureFile, NoRoomError

FIRST = run_line(1, "wss://venue/ws", "https://venue", [{"type": "trades", "coin": "BTC"}])
MORE = [line(Kind.IN, number, 1, f"frame {number} " + "x" * 50) for number in range(2, 2_000)]


def written(path: Path, *batches: bytes) -> Path:
    with CaptureFile(path, 0) as file:
        for batch in batches:
            file.append(batch)
    return path


def text(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


def test_a_capture_is_gzip_that_any_tool_reads(tmp_path: Path) -> None:
    path = written(tmp_path / "a", FIRST, *MORE)
    assert text(path) == FIRST + b"".join(MORE)


def test_a_capture_is_gone_on_with(tmp_path: Path) -> None:
    path = written(tmp_path / "a", FIRST)
    written(path, MORE[0])
    assert text(path) == FIRST + MORE[0]


@pytest.mark.parametrize("cut", [1, 5, 9, 20, 300, 5_000])
def test_a_crash_in_the_middle_of_a_member_costs_no_whole_line_before_it(tmp_path: Path, cut: int) -> None:
    path = written(tmp_path / "a", FIRST, b"".join(MORE[:100]))
    before = path.read_bytes()
    written(path, b"".join(MORE[100:]))
    after = path.read_bytes()
    path.write_bytes(after[: min(len(before) + cut, len(after) - 1)])
    written(path, b"again\n")
    found = text(path)
    assert found.startswith(FIRST + b"".join(MORE[:100]))
    assert found.endswith(b"\nagain\n")
    assert (FIRST + b"".join(MORE)).startswith(found.removesuffix(b"again\n"))


@pytest.mark.parametrize("cut", range(1, 25))
def test_a_crash_in_the_very_first_member_leaves_a_file_to_begin_anew_with(tmp_path: Path, cut: int) -> None:
    path = written(tmp_path / "a", FIRST)
    path.write_bytes(path.read_bytes()[:cut])
    written(path, FIRST)
    assert text(path).endswith(FIRST)


def test_a_damaged_tail_is_cut_off(tmp_path: Path) -> None:
    path = written(tmp_path / "a", FIRST)
    path.write_bytes(path.read_bytes() + b"\0" * 4_096)
    written(path, MORE[0])
    assert text(path) == FIRST + MORE[0]


@pytest.mark.parametrize(
    "content", [b"a letter\n", gzip.compress(b'{"some":"json"}\n'), b"\0" * 100], ids=["text", "gzip", "zeros"]
)
def test_a_file_that_is_no_capture_is_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(CliError, match="is no capture of this version"):
        written(tmp_path / "a", FIRST)
    assert (tmp_path / "a").read_bytes() == content


def test_two_recorders_cannot_write_one_file(tmp_path: Path) -> None:
    with (
        CaptureFile(tmp_path / "a", 0),
        pytest.raises(CliError, match="another recorder"),
        CaptureFile(tmp_path / "a", 0),
    ):
        pass


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="No such file or directory"):
        CaptureFile(tmp_path / "none" / "a", 0)


def test_some_of_the_disk_stays_free(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with CaptureFile(path, 1 << 60) as file, pytest.raises(NoRoomError, match="would be free"):
        file.append(FIRST)
    assert path.stat().st_size == 0


def test_the_first_line_tells_a_capture() -> None:
    assert is_first_line(FIRST)
    assert not is_first_line(MORE[0])
    assert not is_first_line(FIRST.replace(b'"version":1', b'"version":2'))
