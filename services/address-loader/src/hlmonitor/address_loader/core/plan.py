"""From the rows of the watch list to how each wallet is watched (DESIGN G8).

SQL says it for good (`hl_watch_entry`); KV has a copy, and counts only for a wallet of which SQL knows nothing yet.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import msgspec

from hlmonitor.domain.addresses import Address, AddressError, parse_address
from hlmonitor.domain.watch import ListedAddress, WatchEntry, unwatched, watched


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
    NOTED = "noted"
    """Only KV knew how it is watched: from now on SQL does."""
    RESTORED = "restored"
    """KV did not have what SQL says."""


class Step(NamedTuple):
    """A wallet whose entry in SQL changes."""

    change: Change
    address: Address
    before: WatchEntry | None
    """What it has until then; None: nothing is known of it."""
    after: WatchEntry | None
    """None: it is forgotten."""


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


def plan(
    wanted: Mapping[Address, str],
    stored: Mapping[Address, WatchEntry],
    copies: Mapping[Address, WatchEntry | None],
    now_ms: int,
    times: Times,
) -> list[Step]:
    """What has to change in SQL, by address: from the labels of the list, what SQL has and what KV has.

    An entry that KV has and nobody can read is None. Nothing has to change when SQL has what it should.
    """
    steps = []
    for address in sorted(wanted.keys() | stored.keys() | copies.keys()):
        before = stored.get(address) or copies.get(address)
        if address in wanted:
            step = _keep(address, wanted[address], before, now_ms, times)
        else:
            step = _let_go(address, before, now_ms, times) if before else None
        if step is None and before is not None and address not in stored:
            step = Step(Change.NOTED, address, before, before)
        if step is not None:
            steps.append(step)
    return steps


def _keep(address: Address, label: str, before: WatchEntry | None, now_ms: int, times: Times) -> Step | None:
    after = watched(before, address, now_ms=now_ms, grace_ms=times.grace_ms)
    if label and label != after.label:
        after = msgspec.structs.replace(after, label=label)
    return None if after == before else Step(_change(before, after), address, before, after)


def _change(before: WatchEntry | None, after: WatchEntry) -> Change:
    if before is None:
        return Change.ADDED
    if before.removed_at_ms is None:
        return Change.RELABELLED
    return Change.BACK_IN_GRACE if before.watch_from_ms == after.watch_from_ms else Change.BACK_AFTER_GRACE


def _let_go(address: Address, before: WatchEntry, now_ms: int, times: Times) -> Step | None:
    if before.removed_at_ms is None:
        return Step(Change.REMOVED, address, before, unwatched(before, now_ms=now_ms))
    if now_ms - before.removed_at_ms > times.grace_ms + times.purge_after_ms:
        return Step(Change.PURGED, address, before, None)
    return None
