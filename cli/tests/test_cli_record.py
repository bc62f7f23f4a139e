"""The recorder against real servers: nothing that a venue or a disk does ends it, or spoils its file."""

import asyncio
import gzip
import itertools
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from ending import LOOK_EVERY_S, interrupted_when, standing
from typer.testing import CliRunner
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from hlmonitor.cli.app import app
from hlmonitor.cli.core.capture import Kind
from hlmonitor.cli.core.progress import Progress
from hlmonitor.cli.core.wanted import Wanted
from hlmonitor.cli.errors import CliError
from hlmonitor.cli.io import keeping
from hlmonitor.cli.io.capture_file import CaptureFile
from hlmonitor.cli.io.clock import CaptureClock
from hlmonitor.cli.io.keeping import Keeper
from hlmonitor.cli.io.recorder import Source
from hlmonitor.cli.io.recording import Done, Run, record
from hlmonitor.simulator.testing import running

Line = tuple[str, int, int, object]
Handler = Callable[[ServerConnection], Awaitable[None]]
TRADES, FILLS = {"type": "trades", "coin": "BTC"}, {"type": "userFills", "user": "0x" + "a" * 40}


def lines(path: Path) -> list[Line]:
    return [msgspec.json.decode(text, type=Line) for text in gzip.decompress(path.read_bytes()).splitlines()]


def kinds(path: Path) -> list[str]:
    return [line[0] for line in lines(path)]


def records(path: Path, run: int) -> bool:
    """Whether that run of the recorder has begun, and written of what came in."""
    try:
        told = kinds(path)
    except (FileNotFoundError, EOFError):
        # Not there, or it ends within a line.
        return False
    begun = [place for place, kind in enumerate(told) if kind == Kind.RUN]
    return len(begun) == run and Kind.IN in told[begun[-1] :]


@asynccontextmanager
async def venue(handler: Handler) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def acknowledgement(text: str | bytes) -> str:
    wanted = msgspec.json.decode(text)
    return msgspec.json.encode({"channel": "subscriptionResponse", "data": wanted}).decode()


async def captured(path: Path, url: str, *groups: Sequence[Wanted], until: Callable[[Progress], bool]) -> Done:
    run = Run(path, 0, None, LOOK_EVERY_S, interrupted_when(until))
    return await record(Source(url, "http://127.0.0.1:9", groups), run)


async def test_frames_are_kept_to_the_character(tmp_path: Path) -> None:
    odd = '{"channel":"new", "data": "ü\\u0000\\n \U0001f40b" }'

    async def handler(socket: ServerConnection) -> None:
        await socket.send("Websocket connection established.")
        await socket.send(acknowledgement(await socket.recv()))
        await socket.send(odd)
        await socket.send(b"\x00\xff")
        await socket.wait_closed()

    async with venue(handler) as url:
        done = await captured(tmp_path / "a", url, [TRADES], until=lambda progress: progress.frames == 4)
    told = [(kind, payload) for kind, _, _, payload in lines(tmp_path / "a")]
    assert ("in", "Websocket connection established.") in told
    assert ("in", odd) in told
    assert ("binary", "AP8=") in told
    assert told[-1] == ("end", "stopped")
    assert (done.progress.frames, done.problem) == (4, "")


async def test_a_connection_that_ends_is_made_anew_whatever_its_code(tmp_path: Path) -> None:
    opened = 0

    async def handler(socket: ServerConnection) -> None:
        nonlocal opened
        opened += 1
        await socket.send(acknowledgement(await socket.recv()))
        if opened == 1:
            await socket.close(1000, "Expired")
        elif opened == 2:
            socket.transport.abort()
        else:
            await socket.wait_closed()

    async with venue(handler) as url:
        done = await captured(
            tmp_path / "a", url, [TRADES], until=lambda progress: opened == 3 and standing(progress) == 1
        )
    closes = [payload for kind, _, _, payload in lines(tmp_path / "a") if kind == "close"]
    assert closes == [
        {"code": 1000, "reason": "Expired"},
        {"code": 1006, "reason": ""},
        None,
    ]
    assert (opened, done.progress.reconnects) == (3, 2)


async def test_a_subscription_at_which_the_venue_cuts_the_line_does_not_cost_the_others(tmp_path: Path) -> None:
    async def handler(socket: ServerConnection) -> None:
        async for text in socket:
            if "evil" in str(text):
                await socket.close()
            else:
                await socket.send(acknowledgement(text))

    async with venue(handler) as url:
        done = await captured(
            tmp_path / "a",
            url,
            [{"type": "trades", "coin": "evil"}, TRADES, FILLS],
            until=lambda progress: bool(progress.refused) and standing(progress) == 2,
        )
    assert list(done.progress.refused) == ['{"type":"trades","coin":"evil"}']
    assert "cuts the connection" in done.progress.refused['{"type":"trades","coin":"evil"}']
    last = [payload for kind, _, number, payload in lines(tmp_path / "a") if kind == "in" and number == 4]
    assert len(last) == 2


async def test_a_venue_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    done = await captured(tmp_path / "a", "ws://127.0.0.1:9", [TRADES], until=lambda progress: progress.reconnects > 1)
    assert kinds(tmp_path / "a") == ["run", "end"]
    assert "cannot be connected to" in done.progress.problem


async def test_a_recording_is_over_when_its_duration_is(tmp_path: Path) -> None:
    source = Source("ws://127.0.0.1:9", "http://127.0.0.1:9", [[TRADES]])
    await record(source, Run(tmp_path / "a", 0, 0.1, 60.0, lambda _: None))
    assert lines(tmp_path / "a")[-1][3] == "the duration is over"


async def test_real_feeds_and_answers_are_captured(tmp_path: Path) -> None:
    async with running() as served:
        source = Source(
            served.ws_url, served.url, [[TRADES, FILLS], [FILLS | {"aggregateByTime": True}]], [{"type": "meta"}]
        )
        report = interrupted_when(lambda progress: standing(progress) == 3 and progress.answers == 1)
        done = await record(source, Run(tmp_path / "a", 0, None, LOOK_EVERY_S, report))
    assert (done.progress.subscriptions, done.progress.answers) == (3, 1)
    info = next(payload for kind, _, _, payload in lines(tmp_path / "a") if kind == "info")
    assert isinstance(info, dict)
    assert (info["request"], info["status"]) == ({"type": "meta"}, 200)
    assert "universe" in info["body"]


async def test_times_never_go_back(tmp_path: Path) -> None:
    async with running() as served:
        await captured(tmp_path / "a", served.ws_url, [FILLS], until=lambda progress: progress.frames > 1)
    by_connection = [time_us for _, time_us, number, _ in lines(tmp_path / "a") if number == 1]
    assert by_connection == sorted(by_connection)


@pytest.fixture
def progress() -> Progress:
    return Progress(0.0, 1, 1)


async def test_what_does_not_fit_into_memory_is_owned_up_to_in_its_place(tmp_path: Path, progress: Progress) -> None:
    with CaptureFile(tmp_path / "a", 1 << 60) as file:
        keeper = Keeper(file, progress, CaptureClock(), most_waiting=200)
        for number in range(20):
            keeper.keep(Kind.IN, 1, f"frame {number}")
        assert "is lost" not in await keeper.finish()
        assert "would be free" in progress.disk_problem
        file._keep_free_bytes = 0
        assert await keeper.finish() == ""
        keeper.keep(Kind.IN, 1, "after")
        assert await keeper.finish() == ""
    told = lines(tmp_path / "a")
    assert [payload for kind, _, _, payload in told if kind == "lost"] == [{"lines": progress.lost}]
    assert 0 < progress.lost < 20
    assert told[-1][3] == "after"


async def test_a_full_disk_that_has_room_again_costs_nothing(
    tmp_path: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "BATCH_EVERY_S", 0.05)
    monkeypatch.setattr(keeping, "RETRY_EVERY_S", 0.05)
    with CaptureFile(tmp_path / "a", 1 << 60) as file:
        keeper = Keeper(file, progress, CaptureClock())
        writing = asyncio.create_task(keeper.run())
        numbers = itertools.count()

        async def keep_while(*, has_problem: bool) -> None:
            while bool(progress.disk_problem) is has_problem:
                keeper.keep(Kind.IN, 1, next(numbers))
                await asyncio.sleep(0.01)

        await keep_while(has_problem=False)
        file._keep_free_bytes = 0
        await keep_while(has_problem=True)
        keeper.keep(Kind.IN, 1, count := next(numbers))
        writing.cancel()
        await asyncio.wait({writing})
        assert await keeper.finish() == ""
    assert [payload for _, _, _, payload in lines(tmp_path / "a")] == list(range(count + 1))


def hlmon(path: Path, url: str, *arguments: str, limit_bytes: int | None = None) -> subprocess.Popen[str]:
    """The command as users run it; with a limit its file cannot grow further, as on a full disk."""

    def limit() -> None:
        if limit_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    command = [sys.executable, "-m", "hlmonitor.cli", "--venue-ws-url", url, "record", str(path), *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=os.environ | {"PATH": "/usr/bin"}, preexec_fn=limit, **pipes)  # type: ignore[call-overload,no-any-return]  # noqa: PLW1509


async def chatty(socket: ServerConnection) -> None:
    """A venue that sends what does not compress."""
    await socket.send(acknowledgement(await socket.recv()))
    try:
        while True:
            await socket.send(os.urandom(2_000).hex())
            await asyncio.sleep(0.05)
    except ConnectionClosed:
        return


@pytest.mark.integration
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_leaves_a_whole_file_and_the_same_command_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "a"
    async with venue(chatty) as url:
        for run in (1, 2):
            process = hlmon(path, url, "trades coin=BTC", "--no-metadata", "--keep-free", "0")
            while not records(path, run):
                await asyncio.sleep(0.2)
                assert process.poll() is None
            process.send_signal(number)
            out, _ = await asyncio.to_thread(process.communicate)
            assert process.returncode == 0
            assert "frames" in out
    told = kinds(path)
    assert [told.count("run"), told.count("end"), told[-1]] == [2, 2, "end"]


@pytest.mark.integration
async def test_a_killed_recorder_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "a"
    async with venue(chatty) as url:
        process = hlmon(path, url, "trades coin=BTC", "--no-metadata", "--keep-free", "0")
        while not records(path, 1):
            await asyncio.sleep(0.2)
            assert process.poll() is None
        process.kill()
        await asyncio.to_thread(process.communicate)
        path.write_bytes(path.read_bytes()[:-7])
        process = hlmon(path, url, "trades coin=BTC", "--no-metadata", "--keep-free", "0")
        while not records(path, 2):
            await asyncio.sleep(0.2)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        await asyncio.to_thread(process.communicate)
    told = kinds(path)
    assert [told.count("run"), told.count("end"), process.returncode] == [2, 1, 0]


@pytest.mark.integration
async def test_a_full_disk_leaves_a_whole_file_and_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a"
    async with venue(chatty) as url:
        process = hlmon(
            path, url, "trades coin=BTC", "--no-metadata", "--keep-free", "0", "--duration", "8s", limit_bytes=60_000
        )
        _, error = await asyncio.to_thread(process.communicate)
    assert process.returncode == 1
    assert "cannot be written: File too large" in error
    assert "Traceback" not in error
    assert kinds(path)[:1] == ["run"]
    assert 0 < path.stat().st_size <= 60_000


async def test_a_disk_that_is_full_already_is_said_before_anything_is_captured(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="would be free"):
        await record(
            Source("ws://127.0.0.1:9", "http://127.0.0.1:9", [[TRADES]]), Run(tmp_path / "a", 1 << 60, 1, 60, print)
        )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to capture"),
        (["what is this"], "is neither"),
        (["trades coin=BTC", "--duration", "soon"], "is not a duration"),
        (["--subscriptions", "/nowhere/at/all"], "cannot be read"),
        (["trades coin=BTC", "--duration", "500ms", "--no-metadata"], "nothing was captured"),
    ],
)
def test_what_cannot_be_captured_is_said(tmp_path: Path, arguments: list[str], said: str) -> None:
    command = ["--venue-ws-url", "ws://127.0.0.1:9", "record", str(tmp_path / "a"), "--keep-free", "0", *arguments]
    result = CliRunner().invoke(app, command)
    assert (result.exit_code, said in result.stderr) == (1, True), result.stderr
