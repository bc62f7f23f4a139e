"""What a partition asks of the gateway that serves a wallet."""

from dataclasses import dataclass

from hlmonitor.domain.addresses import Address


@dataclass(frozen=True, slots=True)
class ResumeRequest:
    """Take the feed up from the watermark; these gaps are open, these orders not finished."""

    address: Address
    feed: int
    watermark_ms: int
    gaps: tuple[tuple[int, str], ...]
    """(from_ms, reason)."""
    open_oids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """Read the feed's rows from `from_ms` on again, and the statuses of these orders."""

    address: Address
    feed: int
    from_ms: int
    oids: tuple[int, ...]
    routine: bool = False
    """Nothing is known to be missing, and nobody waits."""


Request = ResumeRequest | BackfillRequest
