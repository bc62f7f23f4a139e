"""The one line that says whether the demo's signals were exact."""

import msgspec

from hlmonitor.demo.comparison import Findings, percentile
from hlmonitor.demo.expected import Expectation

MIN_EXPECTED = 100
"""A run that had fewer signals to get right proves too little."""


class Verdict(msgspec.Struct, frozen=True):
    """Counts and latencies; latency is from the gateway's receipt of an order's last event to the signal's receipt."""

    orders: int
    expected: int
    signals: int
    missing: int
    duplicates: int
    wrong: int
    p50_ms: int | None
    p99_ms: int | None

    @property
    def is_good(self) -> bool:
        """Nothing is missing, doubled or wrong, and there was enough to get right."""
        return not (self.missing or self.duplicates or self.wrong) and self.expected > MIN_EXPECTED


def verdict_of(expectation: Expectation, signals: int, findings: Findings) -> Verdict:
    """Count the findings."""
    return Verdict(
        orders=expectation.orders,
        expected=len(expectation.signals),
        signals=signals,
        missing=len(findings.missing),
        duplicates=len(findings.duplicates),
        wrong=len(findings.wrong),
        p50_ms=percentile(findings.latencies_ms, 0.5),
        p99_ms=percentile(findings.latencies_ms, 0.99),
    )
