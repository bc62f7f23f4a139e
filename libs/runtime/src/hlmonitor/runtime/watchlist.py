"""The watch list as every service sees it: the KV bucket `hl_watch`, one entry per address."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
from nats.aio.client import Client

from hlmonitor.domain.addresses import Address, AddressError, parse_address
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.runtime.kv import Freshness, Put, Removed, Synced, bucket_config, follow, open_bucket, read_all, write_at

BUCKET = bucket_config("hl_watch")
REREAD_S = 30.0
"""A calm list is read anew this often, in case the server lost our watch."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry and the revision that a compare-and-set must name."""

    entry: WatchEntry | None
    """None: the stored value cannot be read."""
    revision: int


class WatchList:
    """Reads and writes the list. Every method raises nats.errors.Error when NATS does not answer or refuses."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read(self) -> dict[Address, Stored]:
        """Every entry now, unreadable ones too, so that they can be overwritten; only keys that are addresses."""
        stored = await read_all(self._client, BUCKET)
        return {Address(key): Stored(_decode(put), put.revision) for key, put in stored.items() if _is_address(key)}

    async def put(self, entry: WatchEntry, revision: int | None) -> bool:
        """Write an entry if its key is at this revision (None: absent). False: somebody was faster."""
        bucket = await open_bucket(self._client, BUCKET)
        return await write_at(bucket, entry.address, msgspec.json.encode(entry), revision)

    async def purge(self, address: Address, revision: int) -> bool:
        """Delete an entry if it is still at this revision. False: somebody was faster."""
        bucket = await open_bucket(self._client, BUCKET)
        return await write_at(bucket, address, None, revision)

    async def bring(self, address: Address, entry: WatchEntry | None, held: Stored | None) -> bool:
        """Let a key that is still as it was `held` have this entry (None: be absent). False: somebody was faster."""
        if has(held, entry):
            return True
        if entry is not None:
            return await self.put(entry, held.revision if held else None)
        return held is None or await self.purge(address, held.revision)

    async def follow(self, freshness: Freshness | None = None) -> AsyncIterator[dict[Address, WatchEntry]]:
        """The whole list, first when it was read fully, then after each change, for ever.

        Only a deletion takes a wallet off it. What vanishes without one was lost by the server: those wallets go on as
        they were until SQL brings them back.
        """
        entries: dict[Address, WatchEntry] = {}
        complete = False
        async for change in follow(self._client, BUCKET, quiet_s=REREAD_S, freshness=freshness):
            before = dict(entries)
            match change:
                case Put() as put:
                    if (entry := _decode(put)) is not None:
                        entries[entry.address] = entry
                case Removed(key, deleted=True):
                    entries.pop(Address(key), None)
                case Removed():
                    continue
                case Synced():
                    if not complete:
                        complete = True
                        yield dict(entries)
                    continue
            if complete and entries != before:
                yield dict(entries)


def has(held: Stored | None, entry: WatchEntry | None) -> bool:
    """Whether what is held is exactly this; None is nothing, and a value that cannot be read is no entry."""
    return held is None if entry is None else held is not None and held.entry == entry


def _decode(put: Put) -> WatchEntry | None:
    try:
        entry = msgspec.json.decode(put.value, type=WatchEntry)
    except msgspec.DecodeError:
        return None
    return entry if entry.address == put.key else None


def _is_address(key: str) -> bool:
    try:
        return parse_address(key) == key
    except AddressError:
        return False
