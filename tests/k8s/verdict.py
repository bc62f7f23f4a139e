"""Everything that the release published and stored, held against the simulator's ledger."""

import json
import time
from decimal import Decimal

import msgspec

from hlmonitor.demo.comparison import Findings, StoredSignal, StreamMessage, compare
from hlmonitor.demo.expected import Expectation
from hlmonitor.demo.verdict import Verdict, verdict_of
from k8s.cluster import Cluster

SETTLE_S = 120.0
_LEGACY = "no message on hl_address_signal"
"""Promised at most once across a crash, and nobody listens to it here."""


def judge(cluster: Cluster) -> tuple[Verdict, Findings]:
    """Stop trading, wait until everything is there, and compare."""
    cluster.inside("control", "quiesce", "{}")
    watched = json.dumps({"watch_from": cluster.inside("told")["watch_from"]})
    expectation = msgspec.convert(cluster.inside("control", "expected", watched), Expectation)
    deadline = time.monotonic() + SETTLE_S
    while True:
        count, findings = _findings(cluster, expectation)
        if not findings.missing or time.monotonic() > deadline:
            return verdict_of(expectation, count, findings), findings
        time.sleep(1)


def _findings(cluster: Cluster, expectation: Expectation) -> tuple[int, Findings]:
    told = cluster.inside("told")
    stream = [StreamMessage(text.encode(), stored_at_ms) for text, stored_at_ms in told["stream"]]
    rows = [
        StoredSignal(identity, payload.encode(), Decimal(price), Decimal(size), Decimal(close_rate), direction, side)
        for identity, payload, price, size, close_rate, direction, side in told["rows"]
    ]
    findings = compare(expectation, stream, rows, [], had_gaps=True)
    findings.missing = [sentence for sentence in findings.missing if not sentence.startswith(_LEGACY)]
    return len(stream), findings
