"""Gaps as people read them: when, how long, and what each means for who relies on the signals."""

from collections.abc import Sequence

from hlmonitor.cli.core.listing import local_time
from hlmonitor.storage.dao.progress import OPEN, KnownGap

HEADINGS = ("wallet", "feed", "state", "from", "to", "lasts", "reason")

_MEANINGS = {
    OPEN: "signals from there on may come late; it is being read again from the venue",
    "covered": "was read again from the venue: nothing is missing",
    "unprovable": "the venue cannot show it any more: signals of it may be missing for good",
    "late": "fills that came too late to be told: they are stored, and have no signal",
    "removed": "the wallet was taken off the watch list before it was read again",
}
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))


def cells(gap: KnownGap) -> tuple[str, ...]:
    """A gap as a row of the table."""
    ends = ("", "") if gap.to_ms is None else (local_time(gap.to_ms), _lasting(gap.to_ms - gap.from_ms))
    return (gap.address, gap.feed, gap.state, local_time(gap.from_ms), *ends, gap.reason)


def meanings(gaps: Sequence[KnownGap]) -> list[str]:
    """What the states mean that these gaps have."""
    states = {gap.state for gap in gaps}
    return [f"{state}: {meaning}" for state, meaning in _MEANINGS.items() if state in states]


def summary(gaps: Sequence[KnownGap], limit: int) -> str:
    """How many there are."""
    if not gaps:
        return "no gaps"
    still_open = sum(gap.state == OPEN for gap in gaps)
    more = "; there may be more: --limit" if len(gaps) == limit else ""
    return f"{len(gaps)} gap{'s' if len(gaps) > 1 else ''}, {still_open} of them open{more}"


def _lasting(duration_ms: int) -> str:
    for unit_ms, unit in _UNITS:
        if duration_ms >= unit_ms:
            return f"{duration_ms / unit_ms:.3g} {unit}"
    return f"{duration_ms} ms"
