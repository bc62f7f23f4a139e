"""The address-loader as a process, from a real database to a real NATS."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import msgspec
import nats
import pytest
from nats.aio.client import Client
from patient import PATIENCE_S, migrated
from sqlalchemy import text

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.local.nats import NatsServer
from hlmonitor.local.services import ServiceProcess
from hlmonitor.local.waiting import eventually
from hlmonitor.runtime.kv import bucket_config, open_bucket, read_all
from hlmonitor.runtime.watchlist import BUCKET, WatchList
from hlmonitor.storage import Database
from hlmonitor.storage.dao import watch, watch_entries
from hlmonitor.storage.dao.watch import AddressSource
from hlmonitor.storage.migrate import migrate

pytestmark = pytest.mark.integration

ANNA, BERT = Address("0x" + "a" * 40), Address("0x" + "b" * 40)
NOW_MS = 1_700_000_000_000

Start = Callable[..., ServiceProcess]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path) as running:
        yield running


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[Client]:
    client = await nats.connect(server.url)
    yield client
    await client.close()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/hlmonitor.db"


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with migrated(url) as opened:
        yield opened


@pytest.fixture
def start(tmp_path: Path, url: str) -> Iterator[Start]:
    started: list[ServiceProcess] = []

    def run(server: NatsServer, **settings: object) -> ServiceProcess:
        process = ServiceProcess(
            "address-loader",
            ["-m", "hlmonitor.address_loader"],
            tmp_path,
            {"nats_url": server.url, "database_url": url, "log_format": "json"} | settings,
        )
        process.start()
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()


async def add(database: Database, address: str, label: str = "") -> None:
    async with database.write() as connection:
        await watch.add(connection, AddressSource.AUTO, address, now_ms=NOW_MS, owner=0, label=label)


async def execute(database: Database, *statements: str) -> None:
    async with database.write() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def entries(client: Client) -> dict[Address, WatchEntry | None]:
    return {address: stored.entry for address, stored in (await WatchList(client).read()).items()}


def events(process: ServiceProcess) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in process.log_file.read_text().splitlines()]


async def test_one_run_loads_the_list_names_bad_rows_and_ends(
    server: NatsServer, client: Client, database: Database, start: Start
) -> None:
    await add(database, ANNA, "whale")
    await execute(database, "INSERT INTO hl_watch_addresses (player_id, address, is_system) VALUES (1, '0xbad', 0)")
    process = start(server)
    assert await process.wait() == 0
    (entry,) = (await entries(client)).values()
    assert entry is not None
    assert (entry.address, entry.label, entry.removed_at_ms) == (ANNA, "whale", None)
    (rejected,) = [event for event in events(process) if event["event"] == "watch_row_rejected"]
    assert (rejected["table"], rejected["row_id"]) == ("hl_watch_addresses", 2)


async def test_changes_in_sql_arrive_with_the_next_round(
    server: NatsServer, client: Client, database: Database, start: Start
) -> None:
    await add(database, ANNA)
    process = start(server, every="100ms")
    await process.ready()
    await add(database, BERT)
    await _until(client, lambda held: held.keys() == {ANNA, BERT}, "the new wallet is watched")
    async with database.write() as connection:
        await watch.remove(connection, AddressSource.AUTO, ANNA, now_ms=NOW_MS)
    await _until(client, lambda held: _is_removed(held.get(ANNA)), "the removal is noted")
    await add(database, ANNA)
    await _until(client, lambda held: ANNA in held and not _is_removed(held[ANNA]), "the wallet is back")
    assert (await process.status())["addresses"] == {"count": 2}
    assert await process.metric("hl_monitor_watch_rows_rejected") == 0
    assert await process.terminate() == 0


async def test_changes_of_a_time_without_nats_arrive_when_it_is_back(
    server: NatsServer, client: Client, database: Database, start: Start
) -> None:
    await add(database, ANNA)
    process = start(server, every="100ms", retry="100ms")
    await process.ready()
    server.kill()
    async with database.write() as connection:
        await watch.remove(connection, AddressSource.AUTO, ANNA, now_ms=NOW_MS)
    await add(database, BERT)
    await eventually(lambda: "round_failed" in process.log_tail(), "it says that a round failed", PATIENCE_S)
    await eventually(lambda: not client.is_connected, "the client notices", PATIENCE_S)
    server.start()
    await eventually(lambda: client.is_connected, "NATS is back", PATIENCE_S)
    await _until(client, lambda held: BERT in held and _is_removed(held.get(ANNA)), "both changes have arrived")
    assert await process.terminate() == 0


async def test_what_the_command_line_wrote_meanwhile_stays(
    server: NatsServer, client: Client, database: Database, start: Start
) -> None:
    ours = WatchEntry(address=ANNA, watch_from_ms=NOW_MS, order_timeout_s=0.0, priority=9)
    await WatchList(client).put(ours, None)
    await add(database, ANNA)
    assert await start(server).wait() == 0
    assert await entries(client) == {ANNA: ours}


async def test_the_list_comes_back_from_sql_unchanged_when_nats_has_lost_its_disk(
    server: NatsServer, client: Client, database: Database, start: Start
) -> None:
    wished = WatchEntry(
        address=ANNA, watch_from_ms=NOW_MS, backfill_from_ms=NOW_MS - 5, order_timeout_s=0.5, label="whale", priority=-9
    )
    # As older versions left it: only NATS knows.
    await WatchList(client).put(wished, None)
    await add(database, ANNA)
    await add(database, BERT)
    assert await start(server).wait() == 0
    async with database.write() as connection:
        await watch.remove(connection, AddressSource.AUTO, BERT, now_ms=NOW_MS)
    assert await start(server).wait() == 0
    before = await entries(client)
    assert before[ANNA] == wished
    assert _is_removed(before[BERT])
    server.kill()
    await eventually(lambda: not client.is_connected, "the client notices", PATIENCE_S)
    shutil.rmtree(server.store)
    server.start()
    await eventually(lambda: client.is_connected, "NATS is back", PATIENCE_S)
    assert await entries(client) == {}
    process = start(server)
    assert await process.wait() == 0
    assert await entries(client) == before
    changes = [(event["change"], event["address"]) for event in events(process) if "change" in event]
    assert changes[-2:] == [("restored", ANNA), ("restored", BERT)]


async def test_an_entry_that_nobody_can_read_is_replaced_or_deleted(
    server: NatsServer, client: Client, database: Database, start: Start
) -> None:
    await add(database, ANNA)
    bucket = await open_bucket(client, BUCKET)
    for address in (ANNA, BERT):
        await bucket.put(address, b"nonsense")
    assert await start(server).wait() == 0
    held = await entries(client)
    assert held.keys() == {ANNA}
    assert held[ANNA] is not None


async def test_a_purged_wallet_is_forgotten_in_both_places(
    server: NatsServer, client: Client, database: Database, start: Start
) -> None:
    await add(database, ANNA)
    process = start(server, every="100ms", remove_grace="100ms", purge_after="100ms")
    await process.ready()
    assert (await entries(client)).keys() == {ANNA}
    async with database.write() as connection:
        await watch.remove(connection, AddressSource.AUTO, ANNA, now_ms=NOW_MS)
    await _until(client, lambda held: not held, "the wallet is purged")
    async with database.read() as connection:
        assert await watch_entries.read(connection) == {}
    assert await process.terminate() == 0


async def test_the_foreign_table_is_used_when_it_is_there(
    server: NatsServer, client: Client, database: Database, start: Start
) -> None:
    await add(database, ANNA)
    await execute(
        database,
        "CREATE TABLE hl_active_addresses (id INTEGER PRIMARY KEY, server_id, address, created_at, updated_at)",
        f"INSERT INTO hl_active_addresses (server_id, address) VALUES (1, '{BERT.upper()}'), (2, '{BERT}')",
    )
    assert await start(server).wait() == 0
    assert (await entries(client)).keys() == {BERT}
    assert await start(server, address_source="hl_watch_addresses").wait() == 0
    held = await entries(client)
    assert not _is_removed(held[ANNA])
    assert _is_removed(held[BERT])


async def test_categories_are_copied_when_they_changed(
    server: NatsServer, client: Client, database: Database, start: Start
) -> None:
    await execute(
        database,
        "CREATE TABLE pair_configs (id INTEGER PRIMARY KEY, symbol TEXT, platform TEXT, category INT)",
        "INSERT INTO pair_configs (symbol, platform, category) VALUES ('BTC', 'x', 1), ('PEPE', 'x', 4)",
    )
    assert await start(server).wait() == 0
    first = (await read_all(client, bucket_config("hl_pairs")))["all"]
    assert msgspec.json.decode(first.value) == {"BTC": 1, "PEPE": 4}
    assert await start(server).wait() == 0
    assert (await read_all(client, bucket_config("hl_pairs")))["all"] == first


async def test_a_missing_table_wipes_nothing_and_says_what_to_do(
    server: NatsServer, client: Client, url: str, start: Start
) -> None:
    kept = WatchEntry(address=ANNA, watch_from_ms=NOW_MS)
    await WatchList(client).put(kept, None)
    process = start(server, timeout="10s", retry="100ms", database_url=f"{url}.empty")
    assert await process.wait(PATIENCE_S) == 1
    assert await entries(client) == {ANNA: kept}
    failed = events(process)[-1]
    assert failed["event"] == "service_failed"
    assert "the table hl_watch_addresses does not exist: migrate the database" in str(failed["reason"])
    assert "exception" not in failed


async def test_nats_down_is_waited_for_up_to_the_timeout(tmp_path: Path, start: Start) -> None:
    server = NatsServer(tmp_path)
    process = start(server, timeout="500ms")
    assert await process.wait() == 1
    failed = str(events(process)[-1]["reason"])
    assert failed == f"the watch list was not loaded within 0.5 s (nats: no connection to {server.url})"


async def test_nats_and_database_down_at_the_start_are_waited_for(tmp_path: Path, url: str, start: Start) -> None:
    server = NatsServer(tmp_path)
    process = start(server, every="200ms", retry="100ms")
    await eventually(lambda: "nats_unreachable" in process.log_tail(), "it says that NATS is away", PATIENCE_S)
    with server:
        await eventually(lambda: "round_failed" in process.log_tail(), "it says that the table is missing", PATIENCE_S)
        code, body = await process.get("/health/ready")
        assert code == 503
        assert "hl_watch_addresses does not exist" in body
        await migrate(url)
        await process.ready()
        assert await process.terminate() == 0


async def test_sigterm_while_nothing_is_reachable_ends_at_once(tmp_path: Path, start: Start) -> None:
    process = start(NatsServer(tmp_path), every="1s")
    await eventually(lambda: "nats_unreachable" in process.log_tail(), "it says that NATS is away", PATIENCE_S)
    assert await process.terminate() == 0


@pytest.mark.parametrize(
    ("setting", "value"), [("database_url", "oracle://x"), ("address_source", "elsewhere"), ("every", "often")]
)
async def test_wrong_settings_are_refused(server: NatsServer, start: Start, setting: str, value: str) -> None:
    process = start(server, **{setting: value})
    assert await process.wait() == 2
    assert f"{setting} (--{setting.replace('_', '-')}, HLMON_{setting.upper()}): " in process.log_tail()


async def _until(client: Client, holds: Callable[[dict[Address, WatchEntry | None]], bool], what: str) -> None:
    held: dict[Address, WatchEntry | None] = {}
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not holds(held := await entries(client)):
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise AssertionError(f"it does not hold that {what}: {held}") from error


def _is_removed(entry: WatchEntry | None) -> bool:
    return entry is not None and entry.removed_at_ms is not None
