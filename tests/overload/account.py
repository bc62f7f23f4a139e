"""Holds what is stored and published of a wallet against what was sent: exact, but for recorded gaps.

Of every fill that was sent: it is stored once and as it was, or it lies in a stretch that is recorded as unprovable,
and is none of the newest that the venue still shows. Of every fill that is stored: each of its parts is in one signal.
Of every signal: it is the exact sum of its fills' parts, and is published once, in its turn, as it is stored. An order
outside of all gaps has one complete signal for each of its legs.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from overload.books import Books, RecordedGap, Signal, StoredFill
from overload.ledger import SentFill

HORIZON = 10_000
"""The venue shows so many of a wallet's newest fills."""
_ROUNDED = Decimal("1e-12")
_OF_FILL = ("coin", "oid", "tid", "time", "side", "px", "sz", "start_position", "dir", "closed_pnl", "fee")

_Order = tuple[str, int]
_Identity = tuple[str, int, str]


@dataclass(slots=True)
class Account:
    """What was found, a sentence each, and counts."""

    missing: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    sent: int = 0
    stored: int = 0
    in_gaps: int = 0
    """Fills that are not stored and lie in a recorded gap."""
    gaps: int = 0
    """Stretches that are recorded as unprovable."""
    signals: int = 0
    whole: int = 0
    """Signals of orders outside of all gaps."""

    def check(self, sent: Sequence[SentFill], books: Books) -> None:
        """Take a wallet into account."""
        address = sent[0].address
        signals = [msgspec.json.decode(payload, type=Signal) for payload in books.stored]
        self.sent += len(sent)
        self.stored += len(books.fills)
        self.signals += len(signals)
        self.gaps += sum(gap.state == "unprovable" for gap in books.gaps)
        self._check_fills(address, sent, books)
        self._check_sums(address, books.fills, signals)
        self._check_whole(address, sent, signals, books.gaps)
        self._check_published(address, books, signals)

    def _check_fills(self, address: str, sent: Sequence[SentFill], books: Books) -> None:
        stored: dict[_Identity, StoredFill] = {}
        for row in books.fills:
            if _identity(row) in stored:
                self.duplicates.append(f"{address}: fill {_identity(row)} is stored again")
            stored[_identity(row)] = row
        unprovable = [gap for gap in books.gaps if gap.state == "unprovable"]
        reach = len(sent) - HORIZON
        for place, fill in enumerate(sent):
            kept = stored.pop(_identity(fill), None)
            if kept is not None:
                self.wrong.extend(_differences(address, fill, kept))
            elif place >= reach:
                self.missing.append(
                    f"{address}: fill {_identity(fill)} of {fill.time} is lost, though the venue shows it"
                )
            elif any(gap.holds(fill.time) for gap in unprovable):
                self.in_gaps += 1
            else:
                self.missing.append(f"{address}: fill {_identity(fill)} of {fill.time} is lost, and no gap says so")
        self.wrong.extend(f"{address}: fill {identity} is stored, and never was" for identity in stored)

    def _check_sums(self, address: str, fills: Iterable[StoredFill], signals: Iterable[Signal]) -> None:
        parts: defaultdict[int | None, list[tuple[StoredFill, str, Decimal]]] = defaultdict(list)
        for fill in fills:
            closed, opened = _split(fill)
            for size, number, direction in ((closed, fill.close_number, "close"), (opened, fill.open_number, "open")):
                if size:
                    parts[number].append((fill, direction, size))
                elif number is not None:
                    self.wrong.append(f"{address}: signal {number} took a {direction} that {_identity(fill)} has not")
        for fill, direction, _ in parts.pop(None, []):
            self.missing.append(f"{address}: no signal tells of the {direction} of {_identity(fill)}")
        for signal in signals:
            self.wrong.extend(f"{signal.id}: {text}" for text in _wrong_sums(signal, parts.pop(signal.number, [])))
        self.missing.extend(f"{address}: signal {number} took fills, and is not stored" for number in parts)

    def _check_whole(
        self, address: str, sent: Iterable[SentFill], signals: Iterable[Signal], gaps: Sequence[RecordedGap]
    ) -> None:
        outside: dict[_Order, set[str]] = {}
        for fill in sent:
            if not any(gap.touches(fill.time) for gap in gaps):
                legs = outside.setdefault((fill.coin, fill.oid), set())
                legs |= {leg for leg, size in zip(("close", "open"), _split(fill), strict=True) if size}
        told = Counter((signal.coin, signal.oid, signal.direction) for signal in signals)
        partial = {(signal.coin, signal.oid, signal.direction) for signal in signals if not signal.complete}
        for (coin, oid), legs in outside.items():
            for leg in legs:
                count = told[coin, oid, leg]
                self.whole += count == 1
                if not count:
                    self.missing.append(f"{address}: no signal for the {leg} of {coin} {oid}")
                elif count > 1 or (coin, oid, leg) in partial:
                    self.wrong.append(f"{address}: {count} signals, not a whole one, for the {leg} of {coin} {oid}")

    def _check_published(self, address: str, books: Books, signals: Sequence[Signal]) -> None:
        if [signal.number for signal in signals] != list(range(1, len(signals) + 1)):
            self.wrong.append(f"{address}: the numbers of its signals have holes")
        if books.published == books.stored:
            return
        counts = Counter(books.published)
        self.duplicates.extend(f"{address}: published {n} times: {body!r}" for body, n in counts.items() if n > 1)
        self.missing.extend(f"{address}: not published: {body!r}" for body in books.stored if body not in counts)
        known = set(books.stored)
        self.wrong.extend(f"{address}: published, and not stored: {body!r}" for body in counts if body not in known)
        if counts.keys() == known and len(books.published) == len(books.stored):
            self.wrong.append(f"{address}: its signals were published in another order than decided")


def _identity(fill: SentFill | StoredFill) -> _Identity:
    return fill.coin, fill.tid, fill.side


def _differences(address: str, fill: SentFill, kept: StoredFill) -> Iterable[str]:
    for name in _OF_FILL:
        if getattr(fill, name) != getattr(kept, name):
            yield f"{address}: {name} of {_identity(fill)} is {getattr(kept, name)}, must be {getattr(fill, name)}"


def _split(fill: SentFill | StoredFill) -> tuple[Decimal, Decimal]:
    """How much of a fill closes, and how much opens."""
    towards_zero = (fill.start_position > 0) == (fill.side == "A")
    closed = min(fill.sz, abs(fill.start_position)) if towards_zero else Decimal(0)
    return closed, fill.sz - closed


def _wrong_sums(signal: Signal, parts: Sequence[tuple[StoredFill, str, Decimal]]) -> Iterable[str]:
    if {(fill.coin, fill.oid, direction) for fill, direction, _ in parts} != {
        (signal.coin, signal.oid, signal.direction)
    }:
        yield "it took no fill, or one of another order or leg"
        return
    size = sum(part for _, _, part in parts)
    if (signal.size, signal.fills) != (size, len(parts)):
        yield f"it tells of {signal.size} in {signal.fills} fills, and took {size} in {len(parts)}"
    price = sum((fill.px * part for fill, _, part in parts), Decimal(0)) / size
    if abs(signal.price - price) > _ROUNDED:
        yield f"its price is {signal.price}, must be {price}"
