"""Giving a scenario's commands when their time has come, in venue time and file order."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from hlmonitor.simulator.core.errors import RefusedError
from hlmonitor.simulator.io.commands import BadInputError, MarketCommand, reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.io.server import Simulator

    from .text import Line, Scenario


@dataclass(slots=True)
class _Progress:
    """What became of a line."""

    line: Line
    done: int = 0
    failed: int = 0
    last: object = None
    error: str | None = None

    def told(self) -> dict[str, object]:
        """Return it for people; an order shows its present status."""
        return {
            "line": self.line.number,
            "text": self.line.text,
            "done": self.done,
            "failed": self.failed,
            "last": reply(self.last),
            "error": self.error,
        }


class Player:
    """Plays a scenario. Its time begins with the first block after it was given.

    A command that is refused when its time comes is counted and told; the others go on.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._progress = [_Progress(line) for line in scenario.lines]
        self._due = [(line.first_ms, place) for place, line in enumerate(scenario.lines)]
        heapify(self._due)
        self._began_ms: int | None = None

    @property
    def is_over(self) -> bool:
        """Tell whether every command was given."""
        return not self._due

    def step(self, simulator: Simulator, time_ms: int) -> list[Callable[[Exchange], None]]:
        """Give the commands to the server that are due; return those for the block that is to be made."""
        if self._began_ms is None:
            self._began_ms = time_ms
        actions = []
        while self._due and self._due[0][0] <= time_ms - self._began_ms:
            due_ms, place = heappop(self._due)
            progress = self._progress[place]
            self._again(progress.line, due_ms, place)
            command = progress.line.command
            if isinstance(command, MarketCommand):
                actions.append(self._action(progress, command))
            else:
                self._try(progress, lambda command=command: command.apply(simulator))  # type: ignore[misc]
        return actions

    def _again(self, line: Line, due_ms: int, place: int) -> None:
        if line.every_ms is not None and (line.until_ms is None or due_ms + line.every_ms <= line.until_ms):
            heappush(self._due, (due_ms + line.every_ms, place))

    def _action(self, progress: _Progress, command: MarketCommand) -> Callable[[Exchange], None]:
        return lambda exchange: self._try(progress, lambda: command.run(exchange))

    @staticmethod
    def _try(progress: _Progress, give: Callable[[], object]) -> None:
        try:
            progress.last = give()
        except (BadInputError, RefusedError) as error:
            progress.failed += 1
            progress.error = str(error)
        else:
            progress.done += 1

    def told(self) -> dict[str, object]:
        """Return how far it is."""
        return {
            "began": self._began_ms,
            "over": self.is_over,
            "wallets": self._scenario.wallets,
            "lines": [progress.told() for progress in self._progress],
        }
