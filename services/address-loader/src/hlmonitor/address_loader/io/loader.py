"""One round of loading: SQL to KV."""

import time
from dataclasses import dataclass, field

import msgspec
from nats.aio.client import Client

from hlmonitor.address_loader.core.plan import Rejected, Times, Write, plan, read_rows
from hlmonitor.address_loader.settings import AddressLoaderSettings
from hlmonitor.runtime.kv import bucket_config, open_bucket, read_all, write_at
from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.runtime.watchlist import WatchList
from hlmonitor.storage import Database
from hlmonitor.storage.dao import pairs, watch

PAIRS = bucket_config("hl_pairs")
PAIRS_KEY = "all"
"""The bucket's one key: a JSON object of category by coin."""


@dataclass(slots=True)
class Loader:
    """Copies the watch list and the categories. What was rejected is logged once."""

    client: Client
    database: Database
    settings: AddressLoaderSettings
    metrics: Metrics
    log: Log
    wallets: int = 0
    """Wallets on the list in SQL, as last read."""
    _told: set[Rejected] = field(default_factory=set)

    async def round(self) -> None:
        """Bring KV in line with SQL.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database refuses or is away.
            hlmonitor.storage.WatchListError: the table of the watch list does not exist. Nothing was changed.
            nats.errors.Error: NATS does not answer or refuses.
        """
        watch_list = WatchList(self.client)
        # Before SQL is read: who changes an entry after this wins over what SQL said until then.
        held = await watch_list.read()
        async with self.database.read() as connection:
            rows = await watch.rows(connection, self.settings.address_source)
            categories = await pairs.categories(connection)
        wanted, rejected = read_rows(rows)
        self._report(rejected)
        self.wallets = len(wanted)
        times = Times(int(self.settings.remove_grace * 1000), int(self.settings.purge_after * 1000))
        for write in plan(wanted, held, time.time_ns() // 1_000_000, times):
            await self._apply(watch_list, write)
        if categories.table_exists:
            await self._copy_categories(categories.by_symbol)

    async def _apply(self, watch_list: WatchList, write: Write) -> None:
        if write.entry is None:
            done = await watch_list.purge(write.address, write.revision or 0)
        else:
            done = await watch_list.put(write.entry, write.revision)
        if done:
            self.log.info("watch_list_changed", change=write.change.value, address=write.address)
        else:
            self.log.info("watch_list_changed_by_others", wanted=write.change.value, address=write.address)

    def _report(self, rejected: list[Rejected]) -> None:
        self.metrics.watch_rows_rejected.set(len(rejected))
        for row in rejected:
            if row not in self._told:
                self.log.warning("watch_row_rejected", table=row.table, row_id=row.row_id, reason=row.reason)
        self._told = set(rejected)

    async def _copy_categories(self, by_symbol: dict[str, int]) -> None:
        value = msgspec.json.encode(by_symbol, order="sorted")
        held = (await read_all(self.client, PAIRS)).get(PAIRS_KEY)
        if held is None or held.value != value:
            bucket = await open_bucket(self.client, PAIRS)
            done = await write_at(bucket, PAIRS_KEY, value, held.revision if held else None)
            self.log.info("categories_changed", coins=len(by_symbol), by_us=done)
