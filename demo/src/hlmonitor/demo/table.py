"""Signals as a table that grows line by line."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from rich.console import Console
from rich.text import Text

_COLUMNS = (
    ("time", 12), ("wallet", 13), ("symbol", 10), ("", 5), ("", 5), (">size", 12), (">price", 12),
    (">closed", 7), (">of acct", 8), (">ms", 5), (" kind", 12),
)  # fmt: skip
_STYLES = {("open", "LONG"): "green", ("open", "SHORT"): "red", ("close", "LONG"): "yellow", ("close", "SHORT"): "cyan"}


class SignalTable:
    """Prints a header once and a line per signal."""

    def __init__(self, console: Console, names: Mapping[str, str]) -> None:
        self._console, self._names = console, names
        self._is_begun = False

    def add(self, fields: Mapping[str, object], received_at_ms: int) -> None:
        """Print one signal."""
        if not self._is_begun:
            self._is_begun = True
            header = " ".join(_cell(name, width, name.lstrip(">")) for name, width in _COLUMNS)
            self._console.print(Text(header, "bold"), soft_wrap=True)
        address = str(fields["address"])
        latency_ms = received_at_ms - int(str(fields["received_at_ms"]))
        values = (
            datetime.fromtimestamp(int(str(fields["timestamp"])) / 1000, UTC).strftime("%H:%M:%S.%f")[:12],
            self._names.get(address, f"{address[:8]}…{address[-4:]}"),
            str(fields["symbol"]),
            str(fields["direction"]),
            str(fields["side"]),
            str(fields["size"]),
            _short(str(fields["price"])),
            _percent(fields["close_rate"], 100),
            _percent(fields["position_rate"], 1),
            str(latency_ms),
            f" {fields['kind']}" + ("" if fields["complete"] else " (partial)"),
        )
        style = _STYLES.get((str(fields["direction"]), str(fields["side"])), "")
        line = " ".join(_cell(name, width, value) for (name, width), value in zip(_COLUMNS, values, strict=True))
        self._console.print(Text(line, style), soft_wrap=True)


def _cell(name: str, width: int, value: str) -> str:
    text = value if len(value) <= width else value[: width - 1] + "…"
    return text.rjust(width) if name.startswith(">") else text.ljust(width)


def _short(price: str) -> str:
    return f"{Decimal(price):.8g}" if len(price) > len("12345.12345678") else price


def _percent(rate: object, factor: int) -> str:
    return "" if rate is None else f"{Decimal(str(rate)) * factor:.1f} %"
