"""The one line that says whether the run lost, doubled or changed anything."""

import msgspec

LEAST_KILLS = 20
LEAST_ORDERS = 5_000
FULL_S = 120.0
"""From this duration on, a run must have had so many kills and orders."""
RECOVERY_S = 5.0
"""What a single killed service should need at most, at p99. A busy machine needs longer, and that is no loss."""


class Verdict(msgspec.Struct, frozen=True):
    """What a run came to. Times are seconds."""

    orders: int
    expected: int
    kills: int
    cuts: int
    """Connections that were hurt."""
    missing: int
    """Signals that should have been, outside of recorded gaps."""
    duplicates: int
    wrong: int
    gaps_recorded: int
    """Gaps that the venue could not fill, or that are open at the end."""
    recovery_p99_s: float | None

    def complaints(self, duration_s: float) -> list[str]:
        """Why the run is not good; nothing when it is."""
        none = ("missing", "duplicates", "wrong", "gaps_recorded")
        found = [f"{name} is {getattr(self, name)}, must be 0" for name in none if getattr(self, name)]
        if duration_s >= FULL_S:
            found += [
                f"{name} is {getattr(self, name)}, must be {least} or more: the run proves too little"
                for name, least in (("kills", LEAST_KILLS), ("orders", LEAST_ORDERS))
                if getattr(self, name) < least
            ]
            if self.recovery_p99_s is None:
                found.append("no recovery was seen: the run proves too little")
        return found

    def remarks(self) -> list[str]:
        """What the machine's load may have to answer for."""
        slow = self.recovery_p99_s is not None and self.recovery_p99_s >= RECOVERY_S
        return [f"recovery_p99_s is {self.recovery_p99_s}, should be below {RECOVERY_S:.0f}"] if slow else []
