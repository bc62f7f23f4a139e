"""When a connection is replaced: before the venue ends it after about three hours (facts 1.4)."""

from dataclasses import dataclass

EARLIEST_SHARE = 0.85
LATEST_SHARE = 0.95
"""Connections that were opened together look for a spare one at times of their own between these parts of the age."""
RETRY_SHARE = 0.02
"""A successor that came to nothing is tried again after this part of the age."""


@dataclass(slots=True)
class Rotation:
    """One connection's plan. Times are monotonic seconds."""

    latest_at: float
    """Without a spare connection until then, the old one is closed first."""
    due_at: float

    @classmethod
    def plan(cls, opened_at: float, age_s: float, jitter: float) -> "Rotation":
        """The plan of a connection that may become so old; jitter is from 0 to 1."""
        share = EARLIEST_SHARE + (LATEST_SHARE - EARLIEST_SHARE) * jitter
        return cls(opened_at + age_s, opened_at + age_s * share)

    def postpone(self, now: float, age_s: float) -> None:
        """A successor came to nothing: the connection goes on for a while, to the venue's end of it if must be."""
        self.due_at = now + age_s * RETRY_SHARE
        self.latest_at = max(self.latest_at, self.due_at)
