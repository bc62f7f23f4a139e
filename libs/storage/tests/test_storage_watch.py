import original_schema as original
import pytest
from sqlalchemy import text

from hlmonitor.storage import Database, WatchListError
from hlmonitor.storage.dao import pairs, watch
from hlmonitor.storage.dao.watch import AddressSource

AUTO, ACTIVE, WATCH = AddressSource.AUTO, AddressSource.ACTIVE, AddressSource.WATCH
ONE, TWO = "0x" + "11" * 20, "0x" + "22" * 20
NOW_MS = 1_700_000_000_000


async def run(database: Database, *statements: str) -> None:
    async with database.write() as connection:
        for statement in statements:
            await connection.execute(text(original.in_dialect(statement, database.dialect)))


async def add(database: Database, address: str, source: AddressSource = AUTO, label: str = "") -> bool:
    async with database.write() as connection:
        return await watch.add(connection, source, address, now_ms=NOW_MS, owner=1, label=label)


async def remove(database: Database, address: str, source: AddressSource = AUTO) -> int:
    async with database.write() as connection:
        return await watch.remove(connection, source, address, now_ms=NOW_MS)


async def listed(database: Database, source: AddressSource = AUTO) -> list[tuple[str, str, str]]:
    async with database.read() as connection:
        return [(row.table, row.address, row.label) for row in await watch.rows(connection, source)]


async def test_a_wallet_is_added_removed_and_added_again_with_one_row(database: Database) -> None:
    assert await add(database, ONE, label="whale")
    assert not await add(database, ONE, label="other")
    assert await listed(database) == [(WATCH, ONE, "whale")]
    assert await remove(database, ONE) == 1
    assert await remove(database, ONE) == 0
    assert await listed(database) == []
    assert await add(database, ONE)
    assert await listed(database) == [(WATCH, ONE, "whale")]
    async with database.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM hl_watch_addresses")) == 1


async def test_the_foreign_table_counts_when_it_is_there(database: Database) -> None:
    await add(database, ONE)
    await run(database, *original.FOREIGN)
    assert await listed(database) == []
    assert await add(database, TWO)
    assert await listed(database) == [(ACTIVE, TWO, "")]
    assert await listed(database, WATCH) == [(WATCH, ONE, "")]
    assert await remove(database, TWO) == 1
    assert await listed(database) == []


async def test_rows_come_as_they_are_so_that_bad_ones_can_be_named(database: Database) -> None:
    upper = ONE.upper().replace("0X", "0x")
    await run(
        database,
        original.FOREIGN[0],
        f"INSERT INTO hl_active_addresses (server_id, address) VALUES (1, ' {upper} '), (2, 'no wallet')",
    )
    assert [address.strip() for _, address, _ in await listed(database)] == [upper, "no wallet"]
    assert not await add(database, ONE)
    assert await remove(database, ONE) == 1


async def test_a_source_without_its_table_is_refused_with_its_name(database: Database) -> None:
    with pytest.raises(WatchListError, match="hl_active_addresses does not exist"):
        await listed(database, ACTIVE)


async def test_without_pair_configs_there_are_no_categories(database: Database) -> None:
    async with database.read() as connection:
        assert await pairs.categories(connection) == ({}, False)


async def test_the_last_category_of_a_coin_wins(database: Database) -> None:
    await run(
        database,
        original.FOREIGN[1],
        "INSERT INTO pair_configs (symbol, platform, category) VALUES ('BTC','a',1), ('ETH','a',2), ('BTC','b',3)",
    )
    async with database.read() as connection:
        assert await pairs.categories(connection) == ({"BTC": 3, "ETH": 2}, True)
