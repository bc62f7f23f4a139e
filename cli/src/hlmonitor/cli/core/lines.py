"""A signal as a line of a table."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

import msgspec

PRICE_DIGITS = 8


class SignalView(msgspec.Struct, frozen=True):
    """The part of a v1 message that people look at; a void one has none of it."""

    number: int
    address: str
    kind: str
    symbol: str = ""
    direction: str = ""
    side: str = ""
    size: str = ""
    price: str = ""
    position_rate: str | None = None
    close_rate: str | None = None
    complete: bool = True
    timestamp: int = 0
    received_at_ms: int = 0


class Column(NamedTuple):
    """A column's heading and width in characters; numbers stand to the right."""

    heading: str
    width: int
    is_number: bool = False


COLUMNS = (
    Column("time", 12),
    Column("wallet", 14),
    Column("symbol", 12),
    Column("leg", 5),
    Column("side", 5),
    Column("size", 14, is_number=True),
    Column("price", 14, is_number=True),
    Column("of account", 10, is_number=True),
    Column("closed", 7, is_number=True),
    Column("latency", 8, is_number=True),
    Column("note", 12),
)


def heading() -> str:
    """The table's first line."""
    return _line([column.heading for column in COLUMNS])


def signal_line(signal: SignalView, labels: Mapping[str, str], seen_at_ms: int) -> str:
    """A signal on one line. Latency is from the receipt of its last event by the gateway to `seen_at_ms`."""
    when = datetime.fromtimestamp((signal.timestamp or seen_at_ms) / 1000, UTC).astimezone()
    cells = [
        when.strftime("%H:%M:%S.") + f"{when.microsecond // 1000:03}",
        labels.get(signal.address) or short_address(signal.address),
        signal.symbol,
        signal.direction,
        signal.side,
        signal.size,
        _rounded(signal.price),
        f"{_rounded(signal.position_rate, 4)} %" if signal.position_rate else "-",
        _percent(signal.close_rate),
        f"{seen_at_ms - signal.received_at_ms} ms" if signal.received_at_ms else "-",
        _note(signal),
    ]
    return _line(cells)


def short_address(address: str) -> str:
    """The ends of an address, by which people know it."""
    return f"{address[:6]}…{address[-4:]}"


def _line(cells: list[str]) -> str:
    aligned = (
        cell.rjust(column.width) if column.is_number else cell[: column.width].ljust(column.width)
        for cell, column in zip(cells, COLUMNS, strict=True)
    )
    return "  ".join(aligned).rstrip()


def _rounded(number: str | None, digits: int = PRICE_DIGITS) -> str:
    try:
        return f"{Decimal(number or 0):.{digits}g}" if number else ""
    except InvalidOperation:
        return number or ""


def _percent(fraction: str | None) -> str:
    return "" if fraction is None else f"{Decimal(fraction) * 100:.1f} %"


def _note(signal: SignalView) -> str:
    kind = "" if signal.kind == "order" else signal.kind
    return kind if signal.complete or signal.kind == "void" else f"{kind} partial".strip()
