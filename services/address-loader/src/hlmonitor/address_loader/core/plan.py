"""From the rows of the watch list in SQL and the entries in KV to what has to change in KV (DESIGN G8)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

from hlmonitor.domain.addresses import Address, AddressError, parse_address
from hlmonitor.domain.watch import ListedAddress, WatchEntry, unwatched, watched


class Held(Protocol):
    """What KV holds under an address."""

    @property
    def entry(self) -> WatchEntry | None:
        """None when the value cannot be read."""
        ...

    @property
    def revision(self) -> int:
        """What a compare-and-set must name."""
        ...


class Rejected(NamedTuple):
    """A row that names no wallet."""

    table: str
    row_id: int
    reason: str


class Change(StrEnum):
    """What happens to a wallet."""

    ADDED = "added"
    BACK_IN_GRACE = "back_in_grace"
    BACK_AFTER_GRACE = "back_after_grace"
    RELABELLED = "relabelled"
    REMOVED = "removed"
    PURGED = "purged"


class Write(NamedTuple):
    """One compare-and-set."""

    change: Change
    address: Address
    entry: WatchEntry | None
    """None deletes the key."""
    revision: int | None
    """The revision that KV must still hold; None: no value."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long removed wallets are kept."""

    grace_ms: int
    """A wallet that is back within it goes on as if nothing had been."""
    purge_after_ms: int
    """From the grace's end until the entry is deleted."""


def read_rows(rows: Iterable[ListedAddress]) -> tuple[dict[Address, str], list[Rejected]]:
    """The wallets that are to be watched, each with its first label, and the rows that name none."""
    wanted: dict[Address, str] = {}
    rejected: list[Rejected] = []
    for row in rows:
        try:
            address = parse_address(row.address)
        except AddressError as error:
            rejected.append(Rejected(row.table, row.row_id, str(error)))
        else:
            wanted[address] = wanted.get(address) or row.label
    return wanted, rejected


def plan(wanted: Mapping[Address, str], held: Mapping[Address, Held], now_ms: int, times: Times) -> list[Write]:
    """What has to change, by address. Nothing when KV holds what it should."""
    writes = []
    for address in sorted(wanted.keys() | held.keys()):
        stored = held.get(address)
        if address in wanted:
            write = _keep(address, wanted[address], stored, now_ms, times)
        else:
            write = _let_go(address, held[address], now_ms, times)
        if write is not None:
            writes.append(write)
    return writes


def _keep(address: Address, label: str, stored: Held | None, now_ms: int, times: Times) -> Write | None:
    before = stored.entry if stored else None
    after = watched(before, address, now_ms=now_ms, grace_ms=times.grace_ms)
    if label and label != after.label:
        after = msgspec.structs.replace(after, label=label)
    if after == before:
        return None
    return Write(_change(before, after), address, after, stored.revision if stored else None)


def _change(before: WatchEntry | None, after: WatchEntry) -> Change:
    if before is None:
        return Change.ADDED
    if before.removed_at_ms is None:
        return Change.RELABELLED
    return Change.BACK_IN_GRACE if before.watch_from_ms == after.watch_from_ms else Change.BACK_AFTER_GRACE


def _let_go(address: Address, stored: Held, now_ms: int, times: Times) -> Write | None:
    entry = stored.entry
    if entry is None:
        return Write(Change.PURGED, address, None, stored.revision)
    if entry.removed_at_ms is None:
        return Write(Change.REMOVED, address, unwatched(entry, now_ms=now_ms), stored.revision)
    if now_ms - entry.removed_at_ms > times.grace_ms + times.purge_after_ms:
        return Write(Change.PURGED, address, None, stored.revision)
    return None
