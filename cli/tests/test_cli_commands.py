"""The command line as users run it, against a real NATS, a real database and the simulator."""

import asyncio
import itertools
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import nats
import pytest
import structlog
from nats.aio.client import Client
from sqlalchemy import text

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.local.nats import NatsServer
from hlmonitor.local.ports import free_port
from hlmonitor.local.processes import LocalProcess
from hlmonitor.local.services import ServiceProcess
from hlmonitor.runtime.clock import wall_ms
from hlmonitor.runtime.core.membership import Member
from hlmonitor.runtime.kv import bucket_config, open_bucket, read_all
from hlmonitor.runtime.membership import BUCKET as MEMBERS
from hlmonitor.runtime.membership import join
from hlmonitor.runtime.watchlist import WatchList
from hlmonitor.storage import Database
from hlmonitor.storage.dao.progress import GapValues
from hlmonitor.storage.dao.progress import put_gaps as put_gap_rows
from hlmonitor.storage.migrate import migrate

pytestmark = pytest.mark.integration

ANNA, BERT = Address("0x" + "a" * 40), Address("0x" + "b" * 40)
NOW_MS = 1_700_000_000_000

T = TypeVar("T")
Hlmon = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with NatsServer(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture(autouse=True)
def _empty(server: NatsServer) -> None:
    async def empty(client: Client) -> None:
        for stream in await client.jetstream().streams_info():
            assert stream.config.name is not None
            await client.jetstream().delete_stream(stream.config.name)

    with_nats(server, empty)


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite+aiosqlite:///{tmp_path}/hlmonitor.db"
    asyncio.run(migrate(url))
    return url


@pytest.fixture
def hlmon(server: NatsServer, url: str) -> Hlmon:
    def run(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        settings = {"HLMON_NATS_URL": server.url, "HLMON_DATABASE_URL": url, "PATH": "/usr/bin"} | environment
        command = [sys.executable, "-m", "hlmonitor.cli", *arguments]
        done = subprocess.run(
            command, input=stdin, env=settings, capture_output=True, text=True, timeout=60, check=False
        )
        assert "Traceback" not in done.stderr
        return done

    return run


def with_nats(server: NatsServer, work: Callable[[Client], Awaitable[T]]) -> T:
    async def run() -> T:
        client = await nats.connect(server.url)
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(run())


def entries(server: NatsServer) -> dict[Address, WatchEntry | None]:
    async def read(client: Client) -> dict[Address, WatchEntry | None]:
        return {address: stored.entry for address, stored in (await WatchList(client).read()).items()}

    return with_nats(server, read)


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    async def read() -> list[tuple[object, ...]]:
        database = Database(url)
        try:
            async with database.read() as connection:
                return [tuple(row) for row in await connection.execute(text(query))]
        finally:
            await database.close()

    return asyncio.run(read())


def test_add_writes_sql_and_kv(server: NatsServer, url: str, hlmon: Hlmon) -> None:
    done = hlmon("watch", "add", ANNA.upper(), BERT, "--label", "whale", "--order-timeout", "30s", "--priority", "2")
    assert (done.returncode, done.stdout) == (0, f"{ANNA} is watched now\n{BERT} is watched now\n")
    assert rows(url, "SELECT address, nickname FROM hl_watch_addresses ORDER BY address") == [
        (ANNA, "whale"),
        (BERT, "whale"),
    ]
    entry = entries(server)[ANNA]
    assert entry is not None
    assert (entry.label, entry.order_timeout_s, entry.priority, entry.removed_at_ms) == ("whale", 30.0, 2, None)
    again = hlmon("watch", "add", ANNA, "--priority", "5")
    assert again.stdout == f"{ANNA} was watched already\n"
    changed = entries(server)[ANNA]
    assert changed is not None
    assert (changed.watch_from_ms, changed.priority, changed.label) == (entry.watch_from_ms, 5, "whale")


def test_how_a_wallet_is_watched_is_in_sql_too(url: str, server: NatsServer, hlmon: Hlmon) -> None:
    hlmon("watch", "add", ANNA, "--label", "whale", "--order-timeout", "30s", "--priority", "2")
    entry = entries(server)[ANNA]
    assert entry is not None
    columns = "watch_from_ms, backfill_from_ms, removed_at_ms, order_timeout_s, label, priority"
    query = f"SELECT {columns} FROM hl_watch_entry"
    assert rows(url, query) == [(entry.watch_from_ms, None, None, 30.0, "whale", 2)]
    hlmon("watch", "remove", ANNA)
    removed = entries(server)[ANNA]
    assert removed is not None
    assert rows(url, query) == [(entry.watch_from_ms, None, removed.removed_at_ms, 30.0, "whale", 2)]


def test_what_nats_has_forgotten_comes_back_from_sql(server: NatsServer, hlmon: Hlmon) -> None:
    hlmon("watch", "add", ANNA, BERT, "--priority", "2")
    before = entries(server)
    with_nats(server, lambda client: client.jetstream().delete_stream("KV_hl_watch"))
    done = hlmon("watch", "add", ANNA)
    assert done.stdout == f"{ANNA} was watched already\n"
    assert entries(server) == {ANNA: before[ANNA]}


def test_signals_may_start_before_the_watch(server: NatsServer, hlmon: Hlmon) -> None:
    done = hlmon("watch", "add", ANNA, "--backfill-from", "2026-01-31T12:00")
    assert done.stdout == f"{ANNA} is watched now\n"
    entry = entries(server)[ANNA]
    assert entry is not None
    assert entry.backfill_from_ms == 1_769_860_800_000
    assert entry.watch_from_ms > entry.backfill_from_ms
    assert hlmon("watch", "add", ANNA, "--backfill-from", "2h").returncode == 0
    changed = entries(server)[ANNA]
    assert changed is not None
    assert 0 <= changed.signals_from_ms - (entry.watch_from_ms - 7_200_000) < 60_000


def test_remove_begins_the_grace_and_coming_back_within_it_changes_nothing(
    server: NatsServer, url: str, hlmon: Hlmon
) -> None:
    hlmon("watch", "add", ANNA)
    before = entries(server)[ANNA]
    done = hlmon("watch", "remove", ANNA, BERT)
    assert (done.returncode, done.stdout) == (0, f"{ANNA} is removed\n{BERT} was not on the list\n")
    removed = entries(server)[ANNA]
    assert removed is not None
    assert removed.removed_at_ms is not None
    assert rows(url, "SELECT count(*) FROM hl_watch_addresses WHERE deleted_at IS NULL") == [(0,)]
    hlmon("watch", "add", ANNA)
    assert entries(server) == {ANNA: before}


def test_list_shows_who_is_watched(hlmon: Hlmon) -> None:
    hlmon("watch", "add", ANNA, "--label", "whale")
    done = hlmon("watch", "list")
    assert done.returncode == 0
    assert ANNA in done.stdout
    assert "whale" in done.stdout
    assert done.stdout.endswith("1 wallets\n")
    (line,) = hlmon("watch", "list", "--json").stdout.splitlines()
    assert msgspec.json.decode(line)["state"] == "watched"


def test_import_names_bad_lines_and_takes_the_good_ones(server: NatsServer, tmp_path: Path, hlmon: Hlmon) -> None:
    file = tmp_path / "whales.csv"
    file.write_text(f"address,label\n{ANNA},whale\nnobody\n{BERT}\n")
    done = hlmon("watch", "import", str(file))
    assert done.returncode == 1
    assert done.stdout == "2 wallets read, 2 new, 1 bad lines\n"
    assert done.stderr == "hlmon: line 3: 'nobody' is not an address: expected 0x and 40 hex digits\n"
    assert entries(server).keys() == {ANNA, BERT}
    good = hlmon("watch", "import", "-", stdin=f"{ANNA}\n")
    assert (good.returncode, good.stdout) == (0, "1 wallets read, 0 new, 0 bad lines\n")


def test_a_thousand_wallets_are_imported(server: NatsServer, hlmon: Hlmon) -> None:
    done = hlmon("watch", "import", "-", stdin="\n".join(f"0x{number:040x}" for number in range(1000)))
    assert done.stdout == "1000 wallets read, 1000 new, 0 bad lines\n"
    assert len(entries(server)) == 1000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("watch", "add", "0x12"), "hlmon: '0x12' is not an address"),
        (("watch", "add", ANNA, "--order-timeout", "soon"), "hlmon: --order-timeout: 'soon' is not a duration"),
        (("watch", "add", ANNA, "--backfill-from", "soon"), "hlmon: --backfill-from: 'soon' is neither a time"),
        (("watch", "add", ANNA, "--backfill-from", "2999-01-01"), "hlmon: --backfill-from: 2999-01-01 is not past"),
        (("watch", "import", "/nowhere"), "hlmon: /nowhere cannot be read"),
        (("gaps", "--address", "0x12"), "hlmon: '0x12' is not an address"),
        (("gaps", "--since", "soon"), "hlmon: --since: 'soon' is neither a time"),
        (("signals", "tail", "--since", "yesterday"), "hlmon: --since: 'yesterday' is not a duration"),
    ],
)
def test_wrong_arguments_are_named(hlmon: Hlmon, arguments: tuple[str, ...], said: str) -> None:
    done = hlmon(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith(said)


def test_wrong_settings_are_refused_with_2(hlmon: Hlmon) -> None:
    done = hlmon("watch", "list", HLMON_DATABASE_URL="oracle://me:secret@x")
    assert done.returncode == 2
    assert "database_url (--database-url, HLMON_DATABASE_URL): " in done.stderr
    assert "secret" not in done.stderr


def put_gaps(url: str, *gaps: tuple[str, int, int | None, str, int]) -> None:
    """Wallet, from, to, state and last change of each."""

    async def put() -> None:
        database = Database(url)
        try:
            async with database.write() as connection:
                values: list[GapValues] = [
                    {
                        "address": address,
                        "feed": "userFills",
                        "from_ms": from_ms,
                        "to_ms": to_ms,
                        "partition_id": 0,
                        "reason": "reconnect",
                        "state": state,
                        "updated_ms": updated_ms,
                    }
                    for address, from_ms, to_ms, state, updated_ms in gaps
                ]
                await put_gap_rows(connection, values)
        finally:
            await database.close()

    asyncio.run(put())


def test_gaps_are_listed_with_what_they_mean(hlmon: Hlmon, url: str) -> None:
    assert hlmon("gaps").stdout == "no gaps\n"
    now_ms = wall_ms()
    put_gaps(
        url,
        (ANNA, NOW_MS, None, "open", now_ms),
        (ANNA, NOW_MS - 90_000, NOW_MS - 60_000, "unprovable", now_ms - 1),
        (BERT, NOW_MS, NOW_MS + 500, "covered", now_ms - 7_200_000),
    )
    done = hlmon("gaps")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == [ANNA, ANNA, BERT]
    assert "open" in lines[1]
    assert lines[2].split()[1:3] == ["userFills", "unprovable"]
    assert "30 s" in lines[2]
    meanings = {line.split(":")[0]: line.split(": ", 1)[1] for line in lines[4:-1]}
    assert meanings.keys() == {"open", "unprovable", "covered"}
    assert "missing for good" in meanings["unprovable"]
    assert lines[-1] == "3 gaps, 1 of them open"


def test_gaps_are_filtered_and_given_as_json(hlmon: Hlmon, url: str) -> None:
    now_ms = wall_ms()
    put_gaps(
        url,
        (ANNA, NOW_MS, None, "open", now_ms),
        (BERT, NOW_MS, None, "open", now_ms - 7_200_000),
        (BERT, NOW_MS + 1, NOW_MS + 2, "late", now_ms),
    )

    def found(*arguments: str) -> list[tuple[str, str]]:
        lines = hlmon("gaps", "--json", *arguments).stdout.splitlines()
        return [(gap["address"], gap["state"]) for gap in map(msgspec.json.decode, lines)]

    assert found("--open") == [(ANNA, "open"), (BERT, "open")]
    assert found("--address", BERT.upper()) == [(BERT, "late"), (BERT, "open")]
    assert found("--since", "1h") == [(ANNA, "open"), (BERT, "late")]
    assert found("--limit", "1") == [(ANNA, "open")]
    (line,) = hlmon("gaps", "--json", "--address", ANNA).stdout.splitlines()
    assert msgspec.json.decode(line) == {
        "address": ANNA, "feed": "userFills", "from_ms": NOW_MS, "to_ms": None,
        "state": "open", "reason": "reconnect", "updated_ms": now_ms,
    }  # fmt: skip


def test_gaps_of_a_database_that_is_not_there_say_what_to_do(hlmon: Hlmon, url: str) -> None:
    done = hlmon("gaps", HLMON_DATABASE_URL=f"{url}.empty")
    assert done.returncode == 1
    assert "cannot be used" in done.stderr


def test_what_cannot_be_reached_is_named_with_what_to_do(hlmon: Hlmon, url: str) -> None:
    nowhere = f"nats://me:secret@127.0.0.1:{free_port()}"
    done = hlmon("watch", "list", HLMON_NATS_URL=nowhere, HLMON_CONNECT_TIMEOUT="200ms")
    assert done.returncode == 1
    assert "does not answer: is it running, and is --nats-url (HLMON_NATS_URL) right?" in done.stderr
    assert "secret" not in done.stderr
    empty = hlmon("watch", "add", ANNA, HLMON_DATABASE_URL=f"{url}.empty")
    assert empty.returncode == 1
    assert "the table hl_watch_addresses does not exist: migrate the database" in empty.stderr
    down = hlmon("watch", "add", ANNA, HLMON_DATABASE_URL=f"postgresql://me:secret@127.0.0.1:{free_port()}/x")
    assert down.returncode == 1
    assert "cannot be used" in down.stderr
    assert "secret" not in down.stderr


def a_payload(number: int, address: str = ANNA) -> bytes:
    return msgspec.json.encode(
        {
            "number": number,
            "address": address,
            "kind": "order",
            "symbol": "BTCUSDC",
            "direction": "open",
            "side": "LONG",
            "size": "0.5",
            "price": "95000",
            "position_rate": None,
            "close_rate": None,
            "complete": True,
            "timestamp": NOW_MS,
            "received_at_ms": NOW_MS,
        }
    )


def publish(server: NatsServer, *signals: tuple[int, Address]) -> None:
    async def send(client: Client) -> None:
        stream = client.jetstream()
        await stream.add_stream(name="HL_SIGNALS", subjects=["hl.signals.v1.>"])
        for number, address in signals:
            await stream.publish(f"hl.signals.v1.{address}.BTC.open", a_payload(number, address))

    with_nats(server, send)


def test_tail_shows_past_signals_of_a_wallet_with_its_label(server: NatsServer, hlmon: Hlmon) -> None:
    hlmon("watch", "add", ANNA, "--label", "whale")
    publish(server, (1, ANNA), (1, BERT), (2, ANNA))
    done = hlmon("signals", "tail", "--address", ANNA, "--since", "1h", "--limit", "2")
    assert done.returncode == 0
    first, *lines = done.stdout.splitlines()
    assert first.startswith("time")
    assert [line.split()[1:3] for line in lines] == [["whale", "BTCUSDC"]] * 2
    raw = hlmon("signals", "tail", "--since", "1h", "--limit", "3", "--json")
    assert [line.encode() for line in raw.stdout.splitlines()] == [
        a_payload(1),
        a_payload(1, BERT),
        a_payload(2),
    ]


async def test_tail_shows_new_signals_at_once_and_ends_with_ctrl_c(server: NatsServer, tmp_path: Path) -> None:
    process = LocalProcess("tail", tmp_path)
    environment = {"HLMON_NATS_URL": server.url, "PYTHONUNBUFFERED": "1"}
    await asyncio.to_thread(publish, server, (1, BERT))
    process.spawn([sys.executable, "-m", "hlmonitor.cli", "signals", "tail", "--json"], environment)
    try:
        # What is published before it listens is not shown, so one is sent until one shows.
        numbers = itertools.count(2)

        def shown() -> bool:
            return b'"number"' in process.log_file.read_bytes()

        while not shown():
            await asyncio.to_thread(publish, server, (next(numbers), ANNA))
        assert f'"number":1,"address":"{BERT}"' not in process.log_tail()
        process.send(signal.SIGINT)
        assert await process.wait() == 0
        assert "Traceback" not in process.log_tail()
    finally:
        process.kill()


async def test_doctor_is_content_when_everything_is_well(server: NatsServer, hlmon: Hlmon, tmp_path: Path) -> None:
    port = free_port()
    simulator = ServiceProcess("simulator", ["-m", "hlmonitor.simulator"], tmp_path, {"port": port, "whales": 1})
    simulator.start()
    try:
        await simulator.ready()
        await asyncio.to_thread(publish, server, (1, ANNA))
        await asyncio.to_thread(hlmon, "watch", "add", ANNA)
        async with _members(server):
            done = await asyncio.to_thread(
                hlmon,
                "doctor",
                HLMON_VENUE_REST_URL=f"http://127.0.0.1:{port}",
                HLMON_VENUE_WS_URL=f"ws://127.0.0.1:{port}/ws",
            )
        assert "PROBLEM" not in done.stdout
        assert done.returncode == 0
        assert [line.split(":")[0].removeprefix("ok").strip() for line in done.stdout.splitlines()] == [
            "NATS",
            "signal stream",
            "database",
            "venue REST",
            "venue websocket",
            "aggregators",
            "gateways",
            "watch list",
        ]
    finally:
        simulator.kill()


@asynccontextmanager
async def _members(server: NatsServer) -> AsyncIterator[None]:
    """Live processes, whose heartbeats do not run out: this process may be held up for longer than one lasts."""
    client = await nats.connect(server.url)
    try:
        bucket = await open_bucket(client, bucket_config(MEMBERS.bucket))
        async with AsyncExitStack() as stack:
            members = [Member(kind=kind, name="one") for kind in ("aggregator", "gateway")]
            for member in members:
                await stack.enter_async_context(join(client, member, log=structlog.stdlib.get_logger()))
            while len(await read_all(client, MEMBERS)) < len(members):
                await asyncio.sleep(0.05)
            assert not (await bucket.status()).ttl
            yield
    finally:
        await client.close()


def test_doctor_says_of_each_problem_what_to_do(hlmon: Hlmon, url: str) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    done = hlmon(
        "doctor",
        HLMON_DATABASE_URL=f"{url}.empty",
        HLMON_VENUE_REST_URL=f"http://{nowhere}",
        HLMON_VENUE_WS_URL=f"ws://{nowhere}/ws",
    )
    assert done.returncode == 1
    problems = [line for line in done.stdout.splitlines() if line.startswith("PROBLEM")]
    remedies = [line for line in done.stdout.splitlines() if "→" in line]
    assert len(problems) == len(remedies) == 7
    assert "its schema is not the newest" in done.stdout
    assert "no gateway is alive" in done.stdout


def test_doctor_says_when_nats_is_away(hlmon: Hlmon) -> None:
    done = hlmon("doctor", HLMON_NATS_URL=f"nats://127.0.0.1:{free_port()}", HLMON_CONNECT_TIMEOUT="300ms")
    assert done.returncode == 1
    assert "PROBLEM  NATS: NATS at nats://127.0.0.1:" in done.stdout


def test_help_is_there_for_every_command(hlmon: Hlmon) -> None:
    for command in (("watch", "add"), ("watch", "import"), ("signals", "tail"), ("gaps",), ("doctor",)):
        assert hlmon(*command, "--help").returncode == 0
