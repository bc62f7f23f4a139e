import asyncio

from patient import patient_database

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.storage import Database
from hlmonitor.storage.dao import watch_entries

NOW_MS = 1_700_000_000_000
ONE, TWO = Address("0x" + "11" * 20), Address("0x" + "22" * 20)


def plain(address: Address = ONE, since_ms: int = NOW_MS) -> WatchEntry:
    return WatchEntry(address=address, watch_from_ms=since_ms)


async def hold(database: Database, *seeds: WatchEntry) -> dict[Address, WatchEntry]:
    async with database.write() as connection:
        return await watch_entries.hold(connection, seeds, NOW_MS)


async def read(database: Database) -> dict[Address, WatchEntry]:
    async with database.read() as connection:
        return await watch_entries.read(connection)


async def test_an_entry_comes_back_as_it_was_put(database: Database) -> None:
    whole = WatchEntry(
        address=ONE,
        watch_from_ms=NOW_MS,
        backfill_from_ms=5,
        removed_at_ms=NOW_MS + 1,
        order_timeout_s=0.25,
        label="wäl 🐋",
        priority=-3,
    )
    async with database.write() as connection:
        await watch_entries.put(connection, [whole, plain(TWO)], NOW_MS)
    assert await read(database) == {ONE: whole, TWO: plain(TWO)}
    async with database.write() as connection:
        await watch_entries.put(connection, [plain()], NOW_MS)
        await watch_entries.forget(connection, [TWO])
    assert await read(database) == {ONE: plain()}


async def test_the_first_seed_of_a_wallet_stays(database: Database) -> None:
    assert await hold(database, plain()) == {ONE: plain()}
    later = plain(since_ms=NOW_MS + 1)
    assert await hold(database, plain(TWO), later) == {ONE: plain(), TWO: plain(TWO)}
    assert (await read(database))[ONE] == plain()


async def test_more_wallets_are_held_than_fit_into_one_question(database: Database) -> None:
    many = [plain(Address(f"0x{number:040x}")) for number in range(1200)]
    assert await hold(database, *many) == {entry.address: entry for entry in many}


async def test_of_two_programs_the_second_waits_and_sees_what_the_first_decided(
    database: Database, database_url: str
) -> None:
    await hold(database, plain())
    other = patient_database(database_url)
    async with database.write() as connection:
        await watch_entries.hold(connection, [plain(), plain(TWO)], NOW_MS)
        waiting = asyncio.ensure_future(hold(other, plain(since_ms=7), plain(TWO, 7)))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await watch_entries.put(connection, [plain(since_ms=8)], NOW_MS)
    assert await waiting == {ONE: plain(since_ms=8), TWO: plain(TWO)}
    await other.close()
