"""Changes of the watch list: SQL first, which is the truth, then KV, which every service follows (DESIGN G8)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from nats.aio.client import Client
from sqlalchemy.ext.asyncio import AsyncConnection

from hlmonitor.cli.core.wallets import Wallet
from hlmonitor.cli.errors import CliError
from hlmonitor.cli.io.connections import nats_errors, sql_errors
from hlmonitor.cli.settings import CliSettings
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import ListedAddress, WatchEntry, unwatched, watched
from hlmonitor.runtime.clock import wall_ms
from hlmonitor.runtime.watchlist import Stored, WatchList
from hlmonitor.storage import Database
from hlmonitor.storage.dao import watch, watch_entries

_TRIES = 5
_OWNER = 0
"""The `player_id` or `server_id` of rows that the command line makes."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is set for each wallet that is added; None leaves what it has."""

    order_timeout_s: float | None = None
    priority: int | None = None
    backfill_from_ms: int | None = None

    def put_into(self, entry: WatchEntry, label: str) -> WatchEntry:
        """The entry with these options and, if there is one, this label."""
        changes: dict[str, object] = {"label": label} if label else {}
        if self.order_timeout_s is not None:
            changes["order_timeout_s"] = self.order_timeout_s
        if self.priority is not None:
            changes["priority"] = self.priority
        if self.backfill_from_ms is not None:
            changes["backfill_from_ms"] = self.backfill_from_ms
        return msgspec.structs.replace(entry, **changes)


@dataclass(frozen=True, slots=True)
class Watching:
    """The watch list in both places. Every method raises CliError when one of them fails."""

    settings: CliSettings
    database: Database
    client: Client

    async def add(self, wallets: Sequence[Wallet], options: Options) -> list[Address]:
        """Watch these wallets; returns those that were not on the list in SQL."""
        held = await self._held()
        grace_ms = int(self.settings.remove_grace * 1000)
        with sql_errors(self.settings):
            async with self.database.write() as connection:
                listed = await self._labels(connection)
                added = [wallet for wallet in wallets if wallet.address not in listed]
                for wallet in added:
                    await self._insert(connection, wallet)
                # Where the list has a label it stays: the address-loader would bring it back.
                labels = {wallet.address: listed.get(wallet.address) or wallet.label for wallet in wallets}

                def wanted(address: Address, entry: WatchEntry | None) -> WatchEntry:
                    kept = watched(entry, address, now_ms=wall_ms(), grace_ms=grace_ms)
                    return options.put_into(kept, labels[address])

                await self._change(connection, list(labels), held, wanted)
        await self._copy(list(labels))
        return [wallet.address for wallet in added]

    async def remove(self, addresses: Sequence[Address]) -> list[Address]:
        """Watch these wallets no more; returns those that were on the list in SQL. Their grace begins now."""
        held = await self._held()
        source = self.settings.address_source

        def wanted(_address: Address, entry: WatchEntry | None) -> WatchEntry | None:
            return unwatched(entry, now_ms=wall_ms()) if entry else None

        with sql_errors(self.settings):
            async with self.database.write() as connection:
                removed = [
                    address
                    for address in addresses
                    if await watch.remove(connection, source, address, now_ms=wall_ms())
                ]
                await self._change(connection, addresses, held, wanted)
        await self._copy(addresses)
        return removed

    async def read(self) -> tuple[list[ListedAddress], dict[Address, Stored]]:
        """The rows of the list in SQL, bad ones included, and the entries in KV."""
        with sql_errors(self.settings):
            async with self.database.read() as connection:
                rows = await watch.rows(connection, self.settings.address_source)
        with nats_errors(self.settings):
            return rows, await WatchList(self.client).read()

    async def _labels(self, connection: AsyncConnection) -> dict[str, str]:
        rows = await watch.rows(connection, self.settings.address_source)
        return {row.address.strip().lower(): row.label for row in rows}

    async def _insert(self, connection: AsyncConnection, wallet: Wallet) -> None:
        await watch.add(
            connection,
            self.settings.address_source,
            wallet.address,
            now_ms=wall_ms(),
            owner=_OWNER,
            label=wallet.label,
        )

    async def _held(self) -> dict[Address, Stored]:
        with nats_errors(self.settings):
            return await WatchList(self.client).read()

    async def _change(
        self,
        connection: AsyncConnection,
        addresses: Sequence[Address],
        held: Mapping[Address, Stored],
        wanted: Callable[[Address, WatchEntry | None], WatchEntry | None],
    ) -> None:
        """Change how these wallets are watched, in SQL; of what it does not know yet, KV's copy counts."""
        stored = await watch_entries.read(connection)
        seeds = []
        for address in addresses:
            copy = held.get(address)
            if seed := stored.get(address) or (copy.entry if copy else None) or wanted(address, None):
                seeds.append(seed)
        now_ms = wall_ms()
        found = await watch_entries.hold(connection, seeds, now_ms)
        changed = [entry for address in found if (entry := wanted(address, found[address]))]
        await watch_entries.put(connection, changed, now_ms)

    async def _copy(self, addresses: Sequence[Address]) -> None:
        # By compare-and-set; who loses to the address-loader or another command looks again.
        watch_list = WatchList(self.client)
        left = set(addresses)
        for _ in range(_TRIES):
            held = await self._held()
            with sql_errors(self.settings):
                async with self.database.read() as connection:
                    entries = await watch_entries.read(connection)
            with nats_errors(self.settings):
                for address in sorted(left):
                    if await watch_list.bring(address, entries.get(address), held.get(address)):
                        left.discard(address)
            if not left:
                return
        raise CliError(f"{len(left)} entries were changed by others again and again; the address-loader will do them")
