"""An event loop whose time is virtual: when nothing is left to do, the clock jumps to the next timer.

Everything that a run does is decided by its seed: tasks and futures hash by their number, so that no set of them is
ordered by memory addresses, and what belongs to a paused process waits until it is resumed.
"""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Coroutine, Generator
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from typing import Any

START_S = 1_000.0
"""Monotonic time at the beginning of a run."""
TICK_S = 1e-6
"""What comes one after the other is so far apart at least: timers of one moment have no order."""


@dataclass(slots=True, eq=False)
class Scope:
    """What the loop knows of a simulated process: whether it runs, and everything that runs in it."""

    name: str
    is_alive: bool = True
    is_paused: bool = False
    held: list[asyncio.Handle] = field(default_factory=list)
    """Due while the process was paused."""
    tasks: list["asyncio.Task[Any]"] = field(default_factory=list)

    def new_context(self) -> Context:
        """A context in which callbacks and tasks are the process'."""
        context = Context()
        context.run(SCOPE.set, self)
        return context


SCOPE: ContextVar[Scope | None] = ContextVar("scope", default=None)
NOWHERE = Context()
"""The context of what belongs to no process, such as the network."""


def scope_of(context: dict[str, Any]) -> Scope | None:
    """Whose the failure is that a loop's exception handler is told of."""
    handle, task = context.get("handle"), context.get("task") or context.get("future")
    if handle is not None:
        found: Scope | None = handle._context.get(SCOPE)
        return found
    return task.scope if isinstance(task, _Task) else None


class DeadlockError(Exception):
    """Nothing is due and nothing will ever be."""


class _Task(asyncio.Task[Any]):
    def __init__(self, coro: Coroutine[Any, Any, Any], number: int, **options: Any) -> None:  # noqa: ANN401 asyncio's
        self._number = number
        self.scope: Scope | None = None
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._number


class _Future(asyncio.Future[Any]):
    def __init__(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self._number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks in the order of their times, those that are due together in the order in which they became so."""

    # What the base class has and typeshed does not tell of.
    _ready: deque[asyncio.Handle]
    _scheduled: list[Any]
    _stopping: bool
    _timer_cancelled_count: int

    def __init__(self) -> None:
        super().__init__()
        self.now_s = START_S
        self.steps = 0
        self._clock_resolution = 1e-9
        self._numbers = itertools.count(1)
        self.set_task_factory(_make_task)

    def time(self) -> float:
        """Virtual monotonic seconds."""
        return self.now_s

    def create_future(self) -> asyncio.Future[Any]:
        """A future with a number."""
        return _Future(next(self._numbers), self)

    def next_number(self) -> int:
        """A number that no task or future of this loop has."""
        return next(self._numbers)

    def resume(self, scope: Scope) -> None:
        """Let a paused process go on with what has become due meanwhile."""
        scope.is_paused = False
        self._ready.extend(scope.held)
        scope.held.clear()

    def _write_to_self(self) -> None:
        """Nobody sleeps in a system call that would have to be woken."""

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no sockets."""

    def _run_once(self) -> None:
        timers = self._scheduled
        while timers and timers[0]._cancelled:
            self._timer_cancelled_count -= 1
            heapq.heappop(timers)._scheduled = False
        if not self._ready and not self._stopping:
            if not timers:
                raise DeadlockError(f"nothing is due at {self.now_s:.3f} s, nor ever will be")
            self.now_s = max(self.now_s, timers[0]._when)
        while timers and timers[0]._when <= self.now_s:
            timer = heapq.heappop(timers)
            timer._scheduled = False
            self._ready.append(timer)
        for _ in range(len(self._ready)):
            handle = self._ready.popleft()
            if handle._cancelled:
                continue
            scope = handle._context.get(SCOPE)  # type: ignore[attr-defined]
            if scope is not None and scope.is_paused:
                scope.held.append(handle)
                continue
            self.steps += 1
            handle._run()


def _make_task(
    loop: asyncio.AbstractEventLoop,
    coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    **options: Any,  # noqa: ANN401 asyncio's
) -> asyncio.Task[Any]:
    assert isinstance(loop, VirtualLoop)
    task = _Task(coro, loop.next_number(), loop=loop, **options)  # type: ignore[arg-type]
    context = options.get("context")
    scope = SCOPE.get() if context is None else context.get(SCOPE)
    task.scope = scope
    if scope is not None:
        if len(scope.tasks) > 200:
            scope.tasks = [one for one in scope.tasks if not one.done()]
        scope.tasks.append(task)
    return task
