"""The life of a service as a real process: ready, drained, failed, refused."""

import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from hlmonitor.local.services import ServiceProcess

PROGRAM = str(Path(__file__).with_name("lifecycle_program.py"))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., ServiceProcess]]:
    started: list[ServiceProcess] = []

    def run(*flags: str, **settings: object) -> ServiceProcess:
        process = ServiceProcess("program", [PROGRAM, *flags], tmp_path, {"log_format": "json"} | settings)
        process.start()
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()


def events(process: ServiceProcess) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in process.log_file.read_text().splitlines()]


async def test_sigterm_drains_and_ends_with_0(start: Callable[..., ServiceProcess]) -> None:
    process = start()
    await process.ready()
    assert await process.terminate() == 0
    assert [event["event"] for event in events(process)] == [
        "service_started",
        "service_stopping",
        "drained",
        "service_stopped",
    ]


async def test_ctrl_c_drains_too(start: Callable[..., ServiceProcess]) -> None:
    process = start()
    await process.ready()
    process.send(signal.SIGINT)
    assert await process.wait() == 0


async def test_log_lines_carry_service_instance_level_and_time(start: Callable[..., ServiceProcess]) -> None:
    process = start(instance="pump-7")
    await process.ready()
    await process.terminate()
    drained = next(event for event in events(process) if event["event"] == "drained")
    assert drained["service"] == "program"
    assert drained["instance"] == "pump-7"
    assert drained["level"] == "info"
    assert drained["amount"] == 3
    assert str(drained["timestamp"]).endswith("Z")


async def test_a_drain_that_does_not_end_in_time_ends_with_3(start: Callable[..., ServiceProcess]) -> None:
    process = start(act="hang", drain_timeout_s="100ms")
    await process.ready()
    assert await process.terminate() == 3
    assert events(process)[-1]["event"] == "drain_timed_out"


async def test_a_stopping_service_says_so_until_it_ends(start: Callable[..., ServiceProcess]) -> None:
    process = start(act="hang", drain_timeout_s="20s")
    await process.ready()
    process.send(signal.SIGTERM)
    while (await process.get("/health/ready"))[0] == 200:
        pass
    assert await process.get("/health/ready") == (503, "not ready\nstopping\n")
    assert (await process.get("/health/live"))[0] == 200


async def test_a_crash_ends_with_1_and_the_log_says_why(start: Callable[..., ServiceProcess]) -> None:
    process = start(act="crash")
    assert await process.wait() == 1
    failed = events(process)[-1]
    assert failed["event"] == "service_failed"
    assert "RuntimeError: the pump broke" in str(failed["exception"])


async def test_a_failure_with_a_known_reason_is_told_in_one_sentence(start: Callable[..., ServiceProcess]) -> None:
    process = start(act="fail")
    assert await process.wait() == 1
    failed = events(process)[-1]
    assert failed["event"] == "service_failed"
    assert failed["reason"] == "the well is dry: dig deeper"
    assert "exception" not in failed


async def test_work_without_drain_is_cancelled_by_sigterm(start: Callable[..., ServiceProcess]) -> None:
    process = start(act="forever")
    await process.ready()
    assert await process.terminate() == 0


async def test_work_that_is_done_ends_with_0(start: Callable[..., ServiceProcess]) -> None:
    process = start(act="once")
    assert await process.wait() == 0
    assert events(process)[-1]["event"] == "service_stopped"


async def test_wrong_settings_end_with_2_before_anything_starts(start: Callable[..., ServiceProcess]) -> None:
    process = start(act="sleep")
    assert await process.wait() == 2
    assert "hlmon-program: act (--act, HLMON_ACT): " in process.log_tail()
    assert "Traceback" not in process.log_tail()


async def test_a_taken_health_port_ends_with_1_and_is_named(start: Callable[..., ServiceProcess]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start(health_port=taken.getsockname()[1])
        assert await process.wait() == 1
    assert events(process)[-1]["event"] == "health_port_unusable"
