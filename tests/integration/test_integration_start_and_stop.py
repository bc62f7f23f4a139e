"""Services that start before what they need, that are told nonsense, and that are told to stop."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from world import config, listening, quick

from hlmonitor.local.databases import DatabaseServer, Missing, PostgresServer
from hlmonitor.local.nats import NatsServer
from hlmonitor.local.services import ServiceProcess
from hlmonitor.local.stack import Stack
from hlmonitor.runtime.health import STARTING

pytestmark = pytest.mark.integration

SERVICES = ("simulator", "writer", "aggregator", "gateway", "address-loader", "cleaner")
SERVING = ("writer", "aggregator-1", "aggregator-2", "gateway-1", "gateway-2")


@pytest.fixture
def server() -> Iterator[DatabaseServer]:
    programs = PostgresServer.find_or_install()
    if isinstance(programs, Missing):
        reason = f"PostgreSQL is missing: {programs.reason}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    # Not below pytest's own directory: that one is closed to the user whom the server runs as.
    with tempfile.TemporaryDirectory(prefix="hlmonitor-") as directory:
        Path(directory).chmod(0o755)
        with PostgresServer(programs, Path(directory) / "postgres") as running:
            yield running


@asynccontextmanager
async def everything_started(stack: Stack) -> AsyncIterator[None]:
    """Every service but the simulator is started; NATS, database and venue are the test's business."""
    try:
        for name, service in stack.services.items():
            if name != "simulator":
                service.start()
        yield
    finally:
        stack.kill()


async def test_everything_waits_for_what_it_needs_says_so_and_goes_on_by_itself(
    tmp_path: Path, server: DatabaseServer
) -> None:
    url = server.fresh_database()
    server.stop()
    stack = Stack(config(tmp_path, database_url=url, whales=4, settings=quick(simulator={"rate": 20})))
    async with everything_started(stack):
        for name, component in (
            ("writer", "database"),
            ("aggregator-1", "nats"),
            ("gateway-1", "nats"),
            ("address-loader", "nats"),
            ("cleaner", "database"),
        ):
            await names(stack[name], component)
        server.start()
        await stack["writer"].ready()
        await stack["cleaner"].ready()
        await asyncio.to_thread(stack.nats.start)
        assert "nats" not in await names(stack["aggregator-1"], "metadata")
        await stack["address-loader"].ready()
        stack["simulator"].start()
        await asyncio.gather(*(stack[name].ready() for name in ("simulator", *SERVING)))
        async with listening(stack) as world:
            await world.watch_whales()
            await world.until_signals(3)
            assert await stack_has_logged(stack, "writer", "database")
            assert await stack_has_logged(stack, "aggregator-1", "nats")
            assert await stack_has_logged(stack, "aggregator-1", "metadata_unreachable")
            await world.settled_verdict(least=3)
            codes = [await stop(stack, kinds) for kinds in IN_ORDER]
        assert codes == [dict.fromkeys(kinds, 0) for kinds in IN_ORDER]


async def test_a_gateway_says_that_the_venue_is_away_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    stack = Stack(config(tmp_path, whales=2, gateways=1, aggregators=1, settings=quick(simulator={"rate": 20})))
    async with stack, listening(stack) as world:
        await world.watch_whales()
        stack["simulator"].kill()
        await names(stack["gateway-1"], "venue")
        before = len(await world.signals())
        stack["simulator"].start()
        await stack["simulator"].ready()
        await stack["gateway-1"].ready()
        await world.until_signals(before + 3)


IN_ORDER = (("address-loader", "cleaner"), ("gateway-1", "gateway-2"), ("aggregator-1", "aggregator-2"), ("writer",))
"""The order in which nothing is in anybody's way; each kind at once."""


async def stop(stack: Stack, which: tuple[str, ...]) -> dict[str, int]:
    codes = await asyncio.gather(*(stack[name].terminate(60) for name in which))
    return dict(zip(which, codes, strict=True))


async def test_every_service_ends_in_time_when_all_are_told_at_once(tmp_path: Path) -> None:
    drain = {"drain_timeout_s": 3}
    settings = quick(simulator={"rate": 20}, gateway=drain, aggregator=drain)
    stack = Stack(config(tmp_path, whales=4, settings=settings))
    async with stack, listening(stack) as world:
        await world.watch_whales()
        await world.until_signals(3)
        # Who has nothing to do with signals may be starting still.
        await asyncio.gather(*(service.ready() for service in stack.services.values()))
        async with asyncio.timeout(30):
            codes = await stop(stack, tuple(stack.services))
    # Who can hand nothing over any more, because the writer is gone, gives up when its time is over, and says so.
    may_give_up = {name: code for name, code in codes.items() if name.startswith(("aggregator", "gateway"))}
    assert set(may_give_up.values()) <= {0, 3}
    assert codes == dict.fromkeys(stack.services, 0) | may_give_up


@pytest.mark.parametrize("service", SERVICES)
def test_a_wrong_setting_ends_the_start_with_a_sentence_that_names_it(service: str) -> None:
    wrong = {
        "simulator": ("HLMON_BLOCK_MS", "fast", "block_ms"),
        "writer": ("HLMON_DATABASE_URL", "oracle://db", "database_url"),
        "aggregator": ("HLMON_ORDER_TIMEOUT", "soon", "order_timeout"),
        "gateway": ("HLMON_VENUE_WS_URL", "ftp://venue", "venue_ws_url"),
        "address-loader": ("HLMON_ADDRESS_SOURCE", "a_file", "address_source"),
        "cleaner": ("HLMON_REST_AFTER", "1 fortnight", "rest_after"),
    }
    variable, value, field = wrong[service]
    done = start(service, {variable: value})
    assert done.returncode == 2
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith(f"hlmon-{service}: {field} (--{field.replace('_', '-')}, {variable}): ")
    assert f"it was '{value}'" in sentence


@pytest.mark.parametrize("service", SERVICES)
def test_a_health_port_that_is_taken_ends_the_start(service: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = {"HLMON_HEALTH_PORT": str(taken.getsockname()[1])} | harmless(service, tmp_path)
        done = start(service, settings)
    assert done.returncode == 1
    assert "health_port_unusable" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(("service", "field"), [("simulator", "PORT"), ("writer", "LISTEN"), ("aggregator", "LISTEN")])
def test_a_service_port_that_is_taken_ends_the_start(service: str, field: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        value = str(port) if field == "PORT" else f"127.0.0.1:{port}"
        with NatsServer(tmp_path) as nats:
            done = start(service, harmless(service, tmp_path) | {f"HLMON_{field}": value, "HLMON_NATS_URL": nats.url})
    assert done.returncode == 1
    output = done.stdout + done.stderr
    assert f"127.0.0.1:{port} cannot be listened on" in output
    assert "Traceback" not in output


def harmless(service: str, directory: Path) -> dict[str, str]:
    """Settings with which a service that did start would do nothing to anybody."""
    url = {"HLMON_DATABASE_URL": f"sqlite+aiosqlite:///{directory}/test.db"}
    return url if service in ("writer", "address-loader", "cleaner") else {}


def start(service: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HLMON_")}
    return subprocess.run(
        [sys.executable, "-m", f"hlmonitor.{service.replace('-', '_')}"],
        env=inherited | settings,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


async def names(service: ServiceProcess, component: str) -> str:
    """Wait until the service has tried the component and says that it lacks it; returns all that it says."""
    return await service.unready(rf"(?m)(^|; ){component}: (?!{STARTING})")


async def stack_has_logged(stack: Stack, name: str, word: str) -> bool:
    return word in stack[name].log_file.read_text()
