"""The watch list's entries."""

import msgspec

from hlmonitor.domain.addresses import Address


class WatchEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one wallet is watched, as the KV bucket `hl_watch` holds it under its address."""

    address: Address
    watch_from_ms: int
    """Signals start here (venue time); set when the wallet is added, kept until it is purged."""
    removed_at_ms: int | None = None
    """Local wall clock of the removal; the grace runs from here."""
    order_timeout_s: float | None = None
    """After this long without a terminal status an order's fills go out as a partial. None: the service's setting."""
    label: str = ""
    priority: int = 0
    """Higher is served first when not every wallet fits into the venue's limits."""
