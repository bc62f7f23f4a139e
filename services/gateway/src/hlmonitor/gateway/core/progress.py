"""How far the REST work of a wallet is."""

from dataclasses import dataclass


@dataclass(slots=True)
class Progress:
    """One reading of a feed. Times are ms of the venue's clock."""

    feed: str
    kind: str
    """`catch_up` after an opening, `asked` for by the aggregator, or `routine`."""
    from_ms: int
    known_ms: int
    """Where the reading will end, as far as is known when it begins."""
    at_ms: int
    pages: int = 0
    rows: int = 0

    @property
    def percent(self) -> int:
        """The share of the time span that is read, in whole percent."""
        span_ms = self.known_ms - self.from_ms
        return min(max(100 * (self.at_ms - self.from_ms) // span_ms, 0), 100) if span_ms > 0 else 100

    def shown(self) -> dict[str, int | str]:
        """What people are shown."""
        return {
            "feed": self.feed,
            "kind": self.kind,
            "pages": self.pages,
            "rows": self.rows,
            "from_ms": self.from_ms,
            "at_ms": self.at_ms,
            "percent": self.percent,
        }
