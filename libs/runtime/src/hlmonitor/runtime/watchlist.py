"""The watch list as every service sees it: the KV bucket `hl_watch`, one entry per address."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
from nats.aio.client import Client
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError, NoKeysError

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.runtime.kv import Put, Removed, Synced, bucket_config, follow, open_bucket

BUCKET = bucket_config("hl_watch")
REREAD_S = 30.0
"""A calm list is read anew this often, in case the server lost our watch."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry and the revision that a compare-and-set must name."""

    entry: WatchEntry
    revision: int


class WatchList:
    """Reads and writes the list. Every method raises nats.errors.Error when NATS does not answer."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read(self) -> dict[Address, Stored]:
        """Every entry. An unreadable value counts as absent, with its revision left to be overwritten."""
        bucket = await open_bucket(self._client, BUCKET)
        try:
            keys = await bucket.keys()
        except NoKeysError:
            return {}
        found: dict[Address, Stored] = {}
        for key in keys:
            try:
                stored = await bucket.get(key)
            except KeyNotFoundError:
                continue
            entry = _decode(stored.value or b"")
            if entry is not None:
                found[entry.address] = Stored(entry, stored.revision or 0)
        return found

    async def put(self, entry: WatchEntry, revision: int | None) -> bool:
        """Write an entry if its key is at this revision (None: absent). False: somebody was faster."""
        bucket = await open_bucket(self._client, BUCKET)
        value = msgspec.json.encode(entry)
        try:
            if revision is None:
                await bucket.create(entry.address, value)
            else:
                await bucket.update(entry.address, value, last=revision)
        except KeyWrongLastSequenceError:
            return False
        return True

    async def purge(self, address: Address, revision: int) -> bool:
        """Delete an entry if it is still at this revision. False: somebody was faster."""
        bucket = await open_bucket(self._client, BUCKET)
        try:
            await bucket.delete(address, last=revision)
        except KeyWrongLastSequenceError:
            return False
        return True

    async def follow(self) -> AsyncIterator[dict[Address, WatchEntry]]:
        """The whole list, first when it was read fully, then after each change, for ever."""
        entries: dict[Address, WatchEntry] = {}
        complete = False
        async for change in follow(self._client, BUCKET, quiet_s=REREAD_S):
            before = dict(entries)
            match change:
                case Put(_, value):
                    if (entry := _decode(value)) is not None:
                        entries[entry.address] = entry
                case Removed(key):
                    entries.pop(Address(key), None)
                case Synced():
                    if not complete:
                        complete = True
                        yield dict(entries)
                    continue
            if complete and entries != before:
                yield dict(entries)


def _decode(value: bytes) -> WatchEntry | None:
    try:
        return msgspec.json.decode(value, type=WatchEntry)
    except msgspec.DecodeError:
        return None
