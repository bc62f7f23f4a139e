"""One round of loading: the list to how each wallet is watched, in SQL, and from there to KV."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from nats.aio.client import Client

from hlmonitor.address_loader.core.plan import Change, Rejected, Step, Times, plan, read_rows
from hlmonitor.address_loader.settings import AddressLoaderSettings
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.runtime.clock import wall_ms
from hlmonitor.runtime.kv import bucket_config, open_bucket, read_all, write_at
from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.runtime.watchlist import Stored, WatchList, has
from hlmonitor.storage import Database
from hlmonitor.storage.dao import pairs, watch, watch_entries

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
        """Bring SQL's entries in line with the list, and KV in line with them.

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
            stored = await watch_entries.read(connection)
            categories = await pairs.categories(connection)
        wanted, rejected = read_rows(rows)
        self._report(rejected)
        self.wallets = len(wanted)
        now_ms = wall_ms()
        times = Times(int(self.settings.remove_grace * 1000), int(self.settings.purge_after * 1000))
        copies = {address: copy.entry for address, copy in held.items()}
        steps = plan(wanted, stored, copies, now_ms, times)
        entries: dict[Address, WatchEntry | None] = {**stored, **await self._store(steps, now_ms)}
        changes = {step.address: step.change for step in steps}
        for address in sorted(entries.keys() | held.keys()):
            await self._copy(watch_list, address, entries.get(address), held.get(address), changes)
        if categories.table_exists:
            await self._copy_categories(categories.by_symbol)

    async def _store(self, steps: Sequence[Step], now_ms: int) -> Mapping[Address, WatchEntry | None]:
        """Change the entries that are still as they were when they were read; returns what each wallet has now."""
        if not steps:
            return {}
        seeds = {step.address: seed for step in steps if (seed := step.before or step.after)}
        async with self.database.write() as connection:
            found = await watch_entries.hold(connection, list(seeds.values()), now_ms)
            ours = [step for step in steps if found[step.address] == seeds[step.address]]
            await watch_entries.put(connection, [step.after for step in ours if step.after], now_ms)
            await watch_entries.forget(connection, [step.address for step in ours if step.after is None])
        return {**found, **{step.address: step.after for step in ours}}

    async def _copy(
        self,
        watch_list: WatchList,
        address: Address,
        entry: WatchEntry | None,
        held: Stored | None,
        changes: Mapping[Address, Change],
    ) -> None:
        if has(held, entry):
            return
        change = changes.get(address, Change.RESTORED if entry else Change.PURGED).value
        if await watch_list.bring(address, entry, held):
            self.log.info("watch_list_changed", change=change, address=address)
        else:
            self.log.info("watch_list_changed_by_others", wanted=change, address=address)

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
