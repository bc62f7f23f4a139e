"""Patience with the database: what may pass is tried again, and health and log say so."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import stamina
from sqlalchemy.exc import SQLAlchemyError

from hlmonitor.runtime.health import Component
from hlmonitor.runtime.logs import Log
from hlmonitor.storage import Database, is_data_error

T = TypeVar("T")

FIRST_WAIT_S = 0.05
LONGEST_WAIT_S = 2.0
WATCH_EVERY_S = 5.0
WATCH_TIMEOUT_S = 5.0

PASSING = (SQLAlchemyError, OSError, TimeoutError)
"""What drivers raise when the server is away or refuses; data errors are told apart by `is_data_error`."""


class StoppingError(Exception):
    """The writer is stopping: what was asked is not done, ask its successor."""


@dataclass(slots=True)
class Patience:
    """Runs operations on one database until they succeed."""

    component: Component
    log: Log
    timeout_s: float
    stopping: asyncio.Event
    _failures: dict[object, int] = field(default_factory=dict)
    """Of each call that has failed and is under way. Reading may work where writing does not."""

    async def until_done(self, what: str, operation: Callable[[], Awaitable[T]]) -> T:
        """The operation's result; each attempt gets `timeout_s`.

        Raises:
            StoppingError: it failed and the service is stopping.
            Exception: the data is to blame; trying again cannot help.
        """
        call = object()
        try:
            async for attempt in stamina.retry_context(
                on=lambda error: self._may_pass(call, what, error),
                attempts=None,
                timeout=None,
                wait_initial=FIRST_WAIT_S,
                wait_max=LONGEST_WAIT_S,
                wait_jitter=FIRST_WAIT_S,
            ):
                with attempt:
                    if self.stopping.is_set() and attempt.num > 1:
                        raise StoppingError(what)
                    async with asyncio.timeout(self.timeout_s):
                        result = await operation()
                    self._works(call, what)
        finally:
            self._failures.pop(call, None)
        return result

    def _may_pass(self, call: object, what: str, error: Exception) -> bool:
        if not isinstance(error, PASSING) or is_data_error(error):
            return False
        failures = self._failures[call] = self._failures.get(call, 0) + 1
        reason = str(getattr(error, "orig", None) or error) or type(error).__name__
        # The first failure of a row may be a deadlock or a connection that the server had closed: nothing to act on.
        if failures > 1:
            self.component.down(f"{what}: {reason}")
        level = self.log.info if failures == 1 else self.log.warning
        level("database_retry", what=what, failures=failures, reason=reason)
        return True

    def _works(self, call: object, what: str) -> None:
        failures = self._failures.pop(call, 0)
        if failures > 1:
            self.log.info("database_back", what=what, failures=failures)
        if all(others == 1 for others in self._failures.values()):
            self.component.up()


async def watch(database: Database, patience: Patience) -> None:
    """Ask the database for a sign of life now and then, so that health is true also when nothing is committed."""
    with contextlib.suppress(StoppingError):
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            await patience.until_done("look", lambda: _look(database))


async def _look(database: Database) -> None:
    async with asyncio.timeout(WATCH_TIMEOUT_S):
        await database.look()
