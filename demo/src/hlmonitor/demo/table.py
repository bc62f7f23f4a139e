"""Signals as the command line shows them, coloured by what they mean."""

from collections.abc import Mapping

import msgspec
from rich.console import Console
from rich.text import Text

from hlmonitor.cli.core.lines import SignalView, heading, signal_line
from hlmonitor.demo.comparison import StreamMessage

_STYLES = {("open", "LONG"): "green", ("open", "SHORT"): "red", ("close", "LONG"): "yellow", ("close", "SHORT"): "cyan"}


class SignalTable:
    """Prints a header once and a line per signal."""

    def __init__(self, console: Console, names: Mapping[str, str]) -> None:
        self._console, self._names = console, names
        self._is_begun = False

    def add(self, message: StreamMessage) -> None:
        """Print one signal."""
        if not self._is_begun:
            self._is_begun = True
            self._console.print(Text(heading(), "bold"), soft_wrap=True)
        signal = msgspec.json.decode(message.payload, type=SignalView)
        line = signal_line(signal, self._names, message.received_at_ms)
        self._console.print(Text(line, _STYLES.get((signal.direction, signal.side), "")), soft_wrap=True)
