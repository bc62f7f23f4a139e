"""The watch list as people read it: what SQL wants and what KV has."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from hlmonitor.domain.addresses import Address, AddressError, parse_address
from hlmonitor.domain.watch import ListedAddress, WatchEntry


class Listed(msgspec.Struct, frozen=True):
    """A line of the list."""

    address: str
    label: str
    state: str
    since: str = ""
    priority: int = 0
    order_timeout: str = ""


def listing(
    rows: Iterable[ListedAddress], entries: Mapping[Address, WatchEntry | None], now_ms: int, grace_ms: int
) -> list[Listed]:
    """Every wallet of either place by address, then the rows that name none."""
    labels: dict[Address, str] = {}
    bad: list[Listed] = []
    for row in rows:
        try:
            address = parse_address(row.address)
        except AddressError:
            bad.append(Listed(row.address, row.label, f"no address: {row.table} id {row.row_id}"))
        else:
            labels[address] = labels.get(address) or row.label
    known = [
        _listed(address, labels.get(address), entries.get(address), now_ms, grace_ms)
        for address in sorted(labels.keys() | entries.keys())
    ]
    return known + bad


def local_time(time_ms: int) -> str:
    """Unix milliseconds as people read them, to the second and with the zone."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone().isoformat(" ", "seconds")


def _listed(address: Address, label: str | None, entry: WatchEntry | None, now_ms: int, grace_ms: int) -> Listed:
    if entry is None:
        return Listed(address, label or "", "waits for the address-loader")
    return Listed(
        address,
        entry.label or label or "",
        _state(entry, now_ms, grace_ms, in_sql=label is not None),
        local_time(entry.signals_from_ms),
        entry.priority,
        "" if entry.order_timeout_s is None else f"{entry.order_timeout_s:g} s",
    )


def _state(entry: WatchEntry, now_ms: int, grace_ms: int, *, in_sql: bool) -> str:
    if entry.removed_at_ms is None:
        return "watched" if in_sql else "watched, but not in SQL"
    left_s = (entry.removed_at_ms + grace_ms - now_ms) // 1000
    return f"removed, watched for {left_s} s more" if left_s > 0 else "removed"
