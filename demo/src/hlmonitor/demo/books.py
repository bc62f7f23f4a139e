"""The database, as far as the demo needs it: the whales go on the watch list, the signals come out of their table."""

from collections.abc import Iterable

from hlmonitor.demo.comparison import StoredSignal
from hlmonitor.demo.market import Whale
from hlmonitor.runtime.clock import wall_ms
from hlmonitor.storage import Database
from hlmonitor.storage.dao import signals, watch

_PLAYER = 1


async def watch_whales(database: Database, whales: Iterable[Whale]) -> None:
    """Put the whales on the watch list, as a user's application would; the address-loader does the rest."""
    now_ms = wall_ms()
    async with database.write() as connection:
        for whale in whales:
            source = watch.AddressSource.AUTO
            await watch.add(connection, source, whale.address, now_ms=now_ms, owner=_PLAYER, label=whale.name)


async def stored_signals(database: Database) -> list[StoredSignal]:
    """Every signal in the database."""
    async with database.read() as connection:
        kept = await signals.kept(connection)
    return [
        StoredSignal(row.signal_id, row.payload, row.price, row.size, row.close_rate, row.direction, row.side)
        for row in kept
    ]
