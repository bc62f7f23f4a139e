"""What a partition counts for the metrics; the shell takes it away and starts a new one."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Counts since the last one was taken."""

    fills: int = 0
    duplicates: int = 0
    effects: Counter[str] = field(default_factory=Counter)
    """Fills by opening, closing, ignored."""
    dir_mismatches: int = 0
    breaks: int = 0
    """Holes in the chains of positions."""
    position_differences: int = 0
    """Positions that the venue told and that our fills did not lead to."""
    balance_breaks: Counter[str] = field(default_factory=Counter)
    """Holes in the chains of spot balances, by what came of them."""
    triggers: Counter[str] = field(default_factory=Counter)
    """Signals by cause."""
    fills_per_order: list[int] = field(default_factory=list)
    snapshots: Counter[str] = field(default_factory=Counter)
    """Snapshot parts: perps, spot."""
    snapshot_errors: Counter[str] = field(default_factory=Counter)
