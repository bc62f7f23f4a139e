"""Signals on the stream, rows in SQL and messages on the original's subject, held against the ledger."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from hlmonitor.demo.expected import Expectation, ExpectedSignal

COMPARED = (
    "address", "coin", "oid", "direction", "side", "size", "price", "close_rate", "kind", "complete", "fills",
    "first_fill_time", "last_fill_time", "fee", "fee_token", "closed_pnl", "start_position", "end_position",
)  # fmt: skip
"""Fields of a v1 message that the oracle predicts. Rates of the account and mids depend on when they were read."""

LEGACY_UNKNOWN_CLOSE_RATE = Decimal(0)


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """A message of the v1 stream and when it was received here (local wall clock, ms)."""

    payload: bytes
    received_at_ms: int

    @property
    def fields(self) -> dict[str, object]:
        """The decoded payload."""
        return msgspec.json.decode(self.payload, type=dict[str, object])


@dataclass(frozen=True, slots=True)
class StoredSignal:
    """A row of `hl_address_signals`."""

    signal_id: str
    payload: bytes
    price: Decimal
    size: Decimal
    close_rate: Decimal
    direction: str
    side: str


@dataclass(slots=True)
class Findings:
    """Everything that is not as it must be, each with a sentence."""

    missing: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    latencies_ms: list[int] = field(default_factory=list)

    @property
    def sentences(self) -> list[str]:
        """All of them."""
        return [
            *(f"missing: {text}" for text in self.missing),
            *(f"duplicate: {text}" for text in self.duplicates),
            *(f"wrong: {text}" for text in self.wrong),
        ]


def compare(
    expectation: Expectation,
    stream: Sequence[StreamMessage],
    rows: Sequence[StoredSignal],
    legacy: Sequence[bytes],
    *,
    had_gaps: bool = False,
) -> Findings:
    """Hold what was published and stored against what had to be.

    Orders of the venue itself wait for no gap to be covered: where there was one (`had_gaps`), such a signal may say
    that it is not proven to be complete. All else of it must be right.
    """
    findings = Findings()
    expected = {signal.id: signal for signal in expectation.signals}
    _compare_stream(expected, stream, findings, had_gaps=had_gaps)
    _compare_numbers(stream, findings)
    _compare_rows(expected, stream, rows, findings)
    _compare_legacy(expectation.signals, legacy, findings)
    findings.wrong.extend(f"{address}: its ledger was truncated" for address in expectation.truncated)
    return findings


def percentile(values: Iterable[int], share: float) -> int | None:
    """The value below which that share of the values lies; None without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def _compare_stream(
    expected: Mapping[str, ExpectedSignal], stream: Sequence[StreamMessage], findings: Findings, *, had_gaps: bool
) -> None:
    seen: Counter[str] = Counter()
    for message in stream:
        fields = message.fields
        identity = str(fields.get("id"))
        seen[identity] += 1
        signal = expected.get(identity)
        if signal is None:
            findings.wrong.append(f"{identity} was published, but no such signal exists")
        elif seen[identity] > 1:
            findings.duplicates.append(f"{identity} was published {seen[identity]} times")
        else:
            findings.wrong.extend(_differences(signal, fields, had_gaps=had_gaps))
            findings.latencies_ms.append(message.received_at_ms - int(str(fields.get("received_at_ms", 0))))
    findings.missing.extend(f"{identity} was not published" for identity in expected if identity not in seen)


def _differences(signal: ExpectedSignal, fields: Mapping[str, object], *, had_gaps: bool) -> list[str]:
    unproven = had_gaps and fields.get("trigger") == "system"
    return [
        f"{signal.id}: {name} is {fields.get(name)!r}, must be {getattr(signal, name)!r}"
        for name in COMPARED
        if fields.get(name) != getattr(signal, name) and not (unproven and name == "complete")
    ]


def _compare_numbers(stream: Sequence[StreamMessage], findings: Findings) -> None:
    """Numbers are dense per address, in stream order; the legs of an order are close first."""
    last: dict[str, int] = {}
    for message in stream:
        fields = message.fields
        address, number = str(fields["address"]), int(str(fields["number"]))
        if number != last.get(address, number - 1) + 1 and number != last.get(address):
            findings.wrong.append(f"{fields['id']}: number {number} follows {last[address]}")
        last[address] = number
    opened: set[tuple[str, str, object]] = set()
    for message in stream:
        fields = message.fields
        order = (str(fields["address"]), str(fields["coin"]), fields["oid"])
        if fields["direction"] == "open":
            opened.add(order)
        elif order in opened:
            findings.wrong.append(f"{fields['id']}: the close came after the open of its order")


def _compare_rows(
    expected: Mapping[str, ExpectedSignal],
    stream: Sequence[StreamMessage],
    rows: Sequence[StoredSignal],
    findings: Findings,
) -> None:
    published = {str(message.fields["id"]): message.payload for message in stream}
    stored = Counter(row.signal_id for row in rows)
    findings.duplicates.extend(f"{identity} is stored {count} times" for identity, count in stored.items() if count > 1)
    findings.missing.extend(f"{identity} is not stored" for identity in expected if identity not in stored)
    for row in rows:
        signal = expected.get(row.signal_id)
        if signal is None:
            findings.wrong.append(f"{row.signal_id} is stored, but no such signal exists")
            continue
        if published.get(row.signal_id, row.payload) != row.payload:
            findings.wrong.append(f"{row.signal_id}: the stored payload is not what was published")
        findings.wrong.extend(_row_differences(signal, row))


def _row_differences(signal: ExpectedSignal, row: StoredSignal) -> list[str]:
    # The original's columns keep the original's scales: price 12 decimals, size 8, rates 3.
    pairs = (
        ("price", row.price, Decimal(signal.price), Decimal("1e-12")),
        ("size", row.size, Decimal(signal.size), Decimal("1e-8")),
        ("close_rate", row.close_rate, Decimal(signal.close_rate or 0), Decimal("1e-3")),
    )
    found = [
        f"{signal.id}: stored {name} is {value}, must be {wanted}"
        for name, value, wanted, scale in pairs
        if abs(value - wanted) > scale / 2
    ]
    if (row.direction, row.side) != (signal.direction, signal.side):
        found.append(f"{signal.id}: stored as {row.direction} {row.side}")
    return found


def _compare_legacy(signals: Sequence[ExpectedSignal], legacy: Sequence[bytes], findings: Findings) -> None:
    """The original's messages name no order: they are matched by everything that they do say."""
    wanted = Counter(_legacy_key(signal) for signal in signals)
    heard = Counter(_heard_key(message) for message in legacy)
    findings.missing.extend(f"no message on hl_address_signal for {key}" for key in (wanted - heard).elements())
    findings.wrong.extend(f"unexpected message on hl_address_signal: {key}" for key in (heard - wanted).elements())


_Key = tuple[str, str, str, int, Decimal, Decimal, Decimal]


class _LegacyMessage(msgspec.Struct):
    address: str
    direction: str
    side: str
    timestamp: int
    size: Decimal
    price: Decimal
    close_rate: Decimal


def _legacy_key(signal: ExpectedSignal) -> _Key:
    return (
        signal.address,
        signal.direction,
        signal.side,
        signal.first_fill_time,
        Decimal(signal.size),
        Decimal(signal.price),
        Decimal(signal.close_rate) if signal.close_rate else LEGACY_UNKNOWN_CLOSE_RATE,
    )


def _heard_key(message: bytes) -> _Key:
    heard = msgspec.json.decode(message, type=_LegacyMessage)
    return (
        heard.address, heard.direction, heard.side, heard.timestamp, heard.size, heard.price, heard.close_rate,
    )  # fmt: skip
