"""SQL for the writer: a real SQLite in memory, driven without threads, whose answers take virtual time and fail.

The writer's statements, schema and transactions are the real ones. A process that dies takes its open transaction with
it; an error at COMMIT may come before or after the commit has happened.
"""

import asyncio
import random
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from dst.loop import SCOPE
from hlmonitor.storage.migrate import migrate

T = TypeVar("T")

STATEMENT_PAUSE_CHANCE = 0.03
"""How often a transaction is held up between two statements, for somebody to die there."""


@cache
def _engine() -> Engine:
    """One engine for all runs: it keeps the compiled statements."""
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False, "isolation_level": None}
    )
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


@cache
def _empty_schema() -> sqlite3.Connection:
    """The newest schema without rows, as the migrations make it."""
    memory = sqlite3.connect(":memory:", check_same_thread=False)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "empty.db"
        asyncio.run(migrate(f"sqlite:///{path}"))
        file = sqlite3.connect(path)
        file.backup(memory)
        file.close()
    return memory


def prepare_schema() -> None:
    """Migrate once, before a virtual clock runs."""
    _empty_schema()


@dataclass(slots=True)
class SqlServer:
    """The database of a run."""

    chance: random.Random
    is_away: bool = False
    slow_s: float = 0.0
    """How much longer a commit takes at most."""
    lost_commits: int = 0
    """So many of the next commits happen, and are answered with an error."""
    commits: int = 0
    on_begin: Callable[[], None] = lambda: None
    on_commit: Callable[[], None] = lambda: None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _raw: sqlite3.Connection = field(init=False)

    def __post_init__(self) -> None:
        with _engine().connect() as connection:
            raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.rollback()
        _empty_schema().backup(raw)
        self._raw = raw

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What is committed, for checks."""
        return self._raw.execute(query).fetchall()

    @asynccontextmanager
    async def transaction(self, *, writes: bool) -> AsyncIterator["SqlConnection"]:
        """One at a time, as in SQLite."""
        scope = SCOPE.get()
        async with self._turn:
            await self._delay(0.002)
            self._fail_if_away()
            with _engine().connect() as connection:
                connection.begin()
                self.on_begin()
                try:
                    yield SqlConnection(connection, self)
                    if writes:
                        await self._delay(0.004 + self.slow_s)
                        self._fail_if_away()
                    assert scope is None or scope.is_alive, "the dead commit nothing"
                    connection.commit()
                finally:
                    # What was committed stays; what was not, because somebody failed or died, is undone.
                    connection.rollback()
            if writes:
                self.commits += 1
                self.on_commit()
                await self._delay(0.002)
                if self.lost_commits:
                    self.lost_commits -= 1
                    raise _error("the connection was lost while COMMIT was answered")

    async def between_statements(self) -> None:
        """Now and then a statement takes its time."""
        if self.chance.random() < STATEMENT_PAUSE_CHANCE:
            await self._delay(0.5)
            self._fail_if_away()

    async def _delay(self, most_s: float) -> None:
        await asyncio.sleep(self.chance.uniform(0, most_s))

    def _fail_if_away(self) -> None:
        if self.is_away:
            raise _error("the server does not answer")


@dataclass(slots=True)
class SqlConnection:
    """The part of SQLAlchemy's AsyncConnection that the DAOs use, over a plain connection."""

    sync: Connection
    server: SqlServer

    @property
    def dialect(self) -> Any:  # noqa: ANN401 SQLAlchemy's
        """SQLite's."""
        return self.sync.dialect

    async def execute(self, statement: Any, parameters: Any = None) -> Any:  # noqa: ANN401 SQLAlchemy's
        """Run a statement."""
        await self.server.between_statements()
        return self.sync.execute(statement, parameters)

    async def scalar(self, statement: Any, parameters: Any = None) -> Any:  # noqa: ANN401 SQLAlchemy's
        """The first value of the first row."""
        return (await self.execute(statement, parameters)).scalar()

    async def scalars(self, statement: Any, parameters: Any = None) -> Any:  # noqa: ANN401 SQLAlchemy's
        """The first value of each row."""
        return (await self.execute(statement, parameters)).scalars()

    async def run_sync(self, work: Callable[[Connection], T]) -> T:
        """Do something that needs the plain connection."""
        return work(self.sync)

    @asynccontextmanager
    async def begin_nested(self) -> AsyncIterator[None]:
        """A savepoint."""
        with self.sync.begin_nested():
            yield


@dataclass(slots=True)
class SimulatedDatabase:
    """Stands in for `hlmonitor.storage.Database` in a writer."""

    server: SqlServer

    @asynccontextmanager
    async def write(self) -> AsyncIterator[SqlConnection]:
        """A transaction that commits."""
        async with self.server.transaction(writes=True) as connection:
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqlConnection]:
        """A snapshot."""
        async with self.server.transaction(writes=False) as connection:
            yield connection

    async def look(self) -> None:
        """A sign of life."""
        async with self.read() as connection:
            await connection.scalar(text("SELECT 1"))

    async def close(self) -> None:
        """Nothing is open between transactions."""


def _error(why: str) -> OperationalError:
    return OperationalError("", {}, sqlite3.OperationalError(why))
