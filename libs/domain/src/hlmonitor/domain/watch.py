"""The watch list's entries, and what adding and removing a wallet makes of one."""

from typing import NamedTuple

import msgspec

from hlmonitor.domain.addresses import Address


class WatchEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one wallet is watched, as the KV bucket `hl_watch` holds it under its address."""

    address: Address
    watch_from_ms: int
    """When the watch began (venue time); set when the wallet is added, kept until it is purged."""
    backfill_from_ms: int | None = None
    """Signals start here instead (venue time), by the user's wish; None: at `watch_from_ms`."""
    removed_at_ms: int | None = None
    """Local wall clock of the removal; the grace runs from here."""
    order_timeout_s: float | None = None
    """After this long without a terminal status an order's fills go out as a partial. None: the service's setting."""
    label: str = ""
    priority: int = 0
    """Higher is served first when not every wallet fits into the venue's limits."""

    @property
    def signals_from_ms(self) -> int:
        """Fills from here on are told of, venue time (DESIGN §6.9)."""
        return self.watch_from_ms if self.backfill_from_ms is None else self.backfill_from_ms


class ListedAddress(NamedTuple):
    """A row of the watch list, its text as it is in the database: whoever reads it judges it."""

    table: str
    row_id: int
    address: str
    label: str
    """The user's name for the wallet; empty in `hl_active_addresses`, which has none."""


def watched(entry: WatchEntry | None, address: Address, *, now_ms: int, grace_ms: int) -> WatchEntry:
    """The entry of a wallet that is to be watched, from the one it has.

    A new wallet's signals start now. One that is back within the grace of its removal goes on as if nothing had been;
    later, its signals start anew (DESIGN G8).
    """
    if entry is None:
        return WatchEntry(address=address, watch_from_ms=now_ms)
    if entry.removed_at_ms is None:
        return entry
    if now_ms - entry.removed_at_ms < grace_ms:
        return msgspec.structs.replace(entry, removed_at_ms=None)
    return msgspec.structs.replace(entry, removed_at_ms=None, watch_from_ms=now_ms, backfill_from_ms=None)


def unwatched(entry: WatchEntry, *, now_ms: int) -> WatchEntry:
    """The entry of a wallet that is to be watched no more: its grace runs from its first removal."""
    return entry if entry.removed_at_ms is not None else msgspec.structs.replace(entry, removed_at_ms=now_ms)
