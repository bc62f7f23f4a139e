"""The demo's judgement: every way to be inexact must be found, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from hlmonitor.demo.comparison import Findings, StoredSignal, StreamMessage, compare, percentile
from hlmonitor.demo.expected import Expectation, ExpectedSignal
from hlmonitor.demo.verdict import verdict_of

WHALE = "0x" + "ab" * 20


def _expected(number: int, direction: str = "open") -> ExpectedSignal:
    return ExpectedSignal(
        id=f"{WHALE}:BTC:{number}:{direction}:5-{number}", address=WHALE, coin="BTC", oid=number, direction=direction,
        side="LONG", size="0.3", price="100.333333333333",
        close_rate="0.25" if direction == "close" else None, kind="order", complete=True, fills=2, first_fill_time=5,
        last_fill_time=6, fee="0.1", fee_token="USDC", closed_pnl="0", start_position="0", end_position="0.3",
    )  # fmt: skip


def _message(signal: ExpectedSignal, number: int, **changes: Any) -> StreamMessage:  # noqa: ANN401 any field
    fields = msgspec.structs.asdict(signal) | {"number": number, "received_at_ms": 1_000} | changes
    return StreamMessage(msgspec.json.encode(fields), 1_002)


def _row(signal: ExpectedSignal, message: StreamMessage) -> StoredSignal:
    close_rate = Decimal(signal.close_rate or 0)
    return StoredSignal(
        signal.id,
        message.payload,
        Decimal(signal.price),
        Decimal(signal.size),
        close_rate,
        signal.direction,
        signal.side,
    )


def _legacy(signal: ExpectedSignal) -> bytes:
    rate = signal.close_rate or "0"
    return (
        f'{{"address":"{signal.address}","direction":"{signal.direction}","side":"{signal.side}","timestamp":5,'
        f'"size":{signal.size},"price":{signal.price},"close_rate":{rate},"position_rate":100}}'
    ).encode()


class Run:
    """A perfect run of three signals, to be spoilt."""

    def __init__(self) -> None:
        signals = [_expected(1, "close"), _expected(1), _expected(2)]
        self.expectation = Expectation(orders=2, fills=4, timed_out=0, pending=0, signals=signals)
        self.stream = [_message(signal, number) for number, signal in enumerate(signals, 1)]
        self.rows = [_row(signal, message) for signal, message in zip(signals, self.stream, strict=True)]
        self.legacy = [_legacy(signal) for signal in signals]

    def findings(self) -> Findings:
        return compare(self.expectation, self.stream, self.rows, self.legacy)


def test_exact_run_has_no_findings() -> None:
    findings = Run().findings()
    assert findings.sentences == []
    assert findings.latencies_ms == [2, 2, 2]
    verdict = verdict_of(Run().expectation, 3, findings)
    assert (verdict.expected, verdict.orders, verdict.p50_ms) == (3, 2, 2)
    assert not verdict.is_good, "three signals prove too little"


def _drop_message(run: Run) -> None:
    del run.stream[2], run.rows[2], run.legacy[2]


def _drop_row(run: Run) -> None:
    del run.rows[0]


def _drop_legacy(run: Run) -> None:
    del run.legacy[1]


def _repeat_message(run: Run) -> None:
    run.stream.insert(1, run.stream[0])


def _repeat_row(run: Run) -> None:
    run.rows.append(run.rows[0])


def _repeat_legacy(run: Run) -> None:
    run.legacy.append(run.legacy[0])


def _invent_signal(run: Run) -> None:
    run.stream.append(_message(_expected(9), 4))


def _skip_number(run: Run) -> None:
    run.stream[2] = _message(run.expectation.signals[2], 4)
    run.rows[2] = _row(run.expectation.signals[2], run.stream[2])


def _swap_legs(run: Run) -> None:
    first, second = run.expectation.signals[:2]
    run.stream[:2] = [_message(second, 1), _message(first, 2)]
    run.rows[:2] = [_row(second, run.stream[0]), _row(first, run.stream[1])]


def _change_payload(run: Run) -> None:
    run.rows[0] = replace(run.rows[0], payload=b"{}")


def _round_price(run: Run) -> None:
    run.rows[0] = replace(run.rows[0], price=Decimal("100.3333"))


def _mistake_side(run: Run) -> None:
    run.rows[0] = replace(run.rows[0], side="SHORT")


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (_drop_message, "missing"), (_drop_row, "missing"), (_drop_legacy, "missing"),
        (_repeat_message, "duplicates"), (_repeat_row, "duplicates"), (_repeat_legacy, "wrong"),
        (_invent_signal, "wrong"), (_skip_number, "wrong"), (_swap_legs, "wrong"), (_change_payload, "wrong"),
        (_round_price, "wrong"), (_mistake_side, "wrong"),
    ],
)  # fmt: skip
def test_every_kind_of_inexactness_is_found(spoil: Callable[[Run], None], kind: str) -> None:
    run = Run()
    spoil(run)
    assert getattr(run.findings(), kind)


@pytest.mark.parametrize(
    "changes",
    [
        {"size": "0.30000001"}, {"price": "100.333333333334"}, {"close_rate": "0"}, {"fee": "0"}, {"complete": False},
        {"kind": "unknown"}, {"fills": 1}, {"side": "SHORT"}, {"closed_pnl": "1"}, {"end_position": "0"},
    ],
)  # fmt: skip
def test_every_wrong_field_is_found(changes: dict[str, object]) -> None:
    run = Run()
    run.stream[0] = _message(run.expectation.signals[0], 1, **changes)
    run.rows[0] = replace(run.rows[0], payload=run.stream[0].payload)
    (sentence,) = run.findings().wrong
    assert next(iter(changes)) in sentence


def test_truncated_ledger_proves_nothing() -> None:
    run = Run()
    run.expectation = msgspec.structs.replace(run.expectation, truncated=[WHALE])
    assert run.findings().wrong


def test_percentiles() -> None:
    assert percentile(range(1, 101), 0.5) == 51
    assert percentile(range(1, 101), 0.99) == 100
    assert percentile([], 0.5) is None


@pytest.mark.parametrize(
    ("trigger", "had_gaps", "wrong"), [("system", True, 0), ("system", False, 1), ("status", True, 1)]
)
def test_only_the_venues_own_orders_in_a_gap_may_be_unproven(trigger: str, *, had_gaps: bool, wrong: int) -> None:
    run = Run()
    run.stream[0] = _message(run.expectation.signals[0], 1, complete=False, trigger=trigger)
    run.rows[0] = replace(run.rows[0], payload=run.stream[0].payload)
    found = compare(run.expectation, run.stream, run.rows, run.legacy, had_gaps=had_gaps)
    assert len(found.wrong) == wrong
