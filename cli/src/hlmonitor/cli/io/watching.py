"""Changes of the watch list: SQL first, which is the truth, then KV, which every service follows (DESIGN G8)."""

import time
from collections.abc import Callable, Sequence
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
from hlmonitor.runtime.watchlist import Stored, WatchList
from hlmonitor.storage import Database
from hlmonitor.storage.dao import watch

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
        with sql_errors(self.settings):
            async with self.database.write() as connection:
                listed = await self._labels(connection)
                added = [wallet for wallet in wallets if wallet.address not in listed]
                for wallet in added:
                    await self._insert(connection, wallet)
        # Where SQL has a label it stays: the address-loader would bring it back.
        labels = {wallet.address: listed.get(wallet.address) or wallet.label for wallet in wallets}
        grace_ms = int(self.settings.remove_grace * 1000)

        def wanted(address: Address, entry: WatchEntry | None) -> WatchEntry:
            kept = watched(entry, address, now_ms=_now_ms(), grace_ms=grace_ms)
            return options.put_into(kept, labels[address])

        await self._write(list(labels), wanted)
        return [wallet.address for wallet in added]

    async def remove(self, addresses: Sequence[Address]) -> list[Address]:
        """Watch these wallets no more; returns those that were on the list in SQL. Their grace begins now."""
        source = self.settings.address_source
        with sql_errors(self.settings):
            async with self.database.write() as connection:
                removed = [
                    address
                    for address in addresses
                    if await watch.remove(connection, source, address, now_ms=_now_ms())
                ]

        def wanted(_address: Address, entry: WatchEntry | None) -> WatchEntry | None:
            return unwatched(entry, now_ms=_now_ms()) if entry else None

        await self._write(addresses, wanted)
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
            now_ms=_now_ms(),
            owner=_OWNER,
            label=wallet.label,
        )

    async def _write(
        self,
        addresses: Sequence[Address],
        wanted: Callable[[Address, WatchEntry | None], WatchEntry | None],
    ) -> None:
        # By compare-and-set; who loses to the address-loader or another command looks again.
        watch_list = WatchList(self.client)
        left = set(addresses)
        with nats_errors(self.settings):
            for _ in range(_TRIES):
                held = await watch_list.read()
                for address in sorted(left):
                    stored = held.get(address)
                    before = stored.entry if stored else None
                    after = wanted(address, before)
                    if (
                        after is None
                        or after == before
                        or await watch_list.put(after, stored.revision if stored else None)
                    ):
                        left.discard(address)
                if not left:
                    return
        raise CliError(f"{len(left)} entries were changed by others again and again; the address-loader will do them")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
