"""The engine: how each database is opened, and the two kinds of transaction that there are."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import await_only

from hlmonitor.storage.errors import StorageError

_READ_ONLY = "hlmon_read_only"
_APPLICATION = "hl-monitor"
_END_STALLED = text("""
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND application_name = :application
AND state = 'active' AND wait_event = 'ClientRead'
AND state_change < clock_timestamp() - make_interval(secs => :after_s)
""")
_WAL_RETRY_S = 0.05
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "mysql": "mysql+asyncmy"}
_SAME = {"postgres": "postgresql", "mariadb": "mysql"}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a session may hold others up, in seconds: a stopped process must not stop the rest."""

    connect_s: float = 5.0
    lock_s: int = 2
    """Waiting for a row that another transaction holds."""
    idle_in_transaction_s: int = 2
    tcp_user_s: int = 3
    """Sent bytes without acknowledgement."""
    sqlite_busy_s: float = 5.0
    """Waiting for another process' write to end (SQLite)."""


class Database:
    """One database, opened lazily. Safe to share within one event loop."""

    def __init__(self, url: str, *, timeouts: Timeouts | None = None, pool_size: int = 4) -> None:
        self._timeouts = timeouts or Timeouts()
        self._engine = open_engine(url, self._timeouts, pool_size)
        self._writing = asyncio.Lock()

    @property
    def dialect(self) -> str:
        """sqlite, postgresql or mysql."""
        return self._engine.dialect.name

    @property
    def engine(self) -> AsyncEngine:
        """For migrations and tests; services use `write` and `read`."""
        return self._engine

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that commits at the end of the block; one at a time in this process.

        More would only wait for each other in SQLite, and could deadlock in the servers.
        """
        async with self._writing, self._engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A read-only transaction in which every statement sees the same state."""
        options: dict[str, Any] = {_READ_ONLY: True}
        if self.dialect != "sqlite":
            options["isolation_level"] = "REPEATABLE READ"
        async with self._engine.connect() as connection:
            await connection.execution_options(**options)
            async with connection.begin():
                yield connection

    async def look(self) -> None:
        """Ask for a sign of life, and end sessions of ours that stand still where the server does not end them itself.

        PostgreSQL's timeout for idle transactions does not run between the preparing of a statement and its execution:
        a process that is stopped there would keep its locks for as long as its connection lives.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is away.
        """
        async with self.read() as connection:
            if self.dialect == "postgresql":
                values = {"application": _APPLICATION, "after_s": self._timeouts.idle_in_transaction_s}
                await connection.execute(_END_STALLED, values)
            else:
                await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


def open_engine(url: str, timeouts: Timeouts, pool_size: int) -> AsyncEngine:
    """An engine for the URL, whose driver may be left out (`postgresql://…`, `mariadb://…`, `sqlite:///file`).

    Raises:
        StorageError: the URL is not one, or names a database that is not supported.
    """
    parsed = _with_driver(url)
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite(parsed, timeouts, pool_size)
        case "postgresql":
            return _postgresql(parsed, timeouts, pool_size)
        case _:
            return _mysql(parsed, timeouts, pool_size)


def checked_url(url: str) -> str:
    """The URL as it came, for settings that are to refuse a wrong one at the start.

    Raises:
        ValueError: it cannot be read, or names a database that is not supported.
    """
    try:
        _with_driver(url)
    except StorageError as error:
        raise ValueError(str(error)) from error
    return url


def _with_driver(url: str) -> URL:
    try:
        parsed = make_url(url)
    except Exception as error:
        raise StorageError(f"the database URL cannot be read: {error}") from error
    backend = parsed.drivername.partition("+")[0]
    backend = _SAME.get(backend, backend)
    if backend not in _DRIVERS:
        raise StorageError(f"{backend} is not supported: use sqlite, postgresql or mysql (MariaDB) in the database URL")
    return parsed.set(drivername=_DRIVERS[backend])


class _RolledBackWhenClosed(sqlite3.Connection):
    """A connection that holds no lock once it is closed.

    A task that is cancelled leaves its statement behind, in a cycle that only the garbage collector breaks. With it
    SQLite keeps a closed connection's transaction, and so its write lock, for everybody.
    """

    def close(self) -> None:
        """Roll back, then close; twice is as good as once."""
        with suppress(sqlite3.ProgrammingError):
            self.rollback()
        super().close()


def _sqlite(url: URL, timeouts: Timeouts, pool_size: int) -> AsyncEngine:
    if url.database not in (None, "", ":memory:"):
        Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(
        url, pool_size=pool_size, hide_parameters=True, connect_args={"factory": _RolledBackWhenClosed}
    )
    event.listen(engine.sync_engine, "begin", _begin_sqlite)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _entry: ConnectionPoolEntry) -> None:  # noqa: ANN401 the driver's connection
        # The driver would begin transactions by its own rules, deferred and not around every statement.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={int(timeouts.sqlite_busy_s * 1000)}")
        _write_ahead(cursor, timeouts.sqlite_busy_s)
        # FULL: a commit survives a power cut, not only the end of the process.
        for pragma in ("synchronous=FULL", "temp_store=MEMORY", "cache_size=-16000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def _write_ahead(cursor: Any, busy_s: float) -> None:  # noqa: ANN401 the driver's cursor
    # The busy timeout does not hold for this one: a process that opens a new file beside another is refused at once.
    deadline_s = time.monotonic() + busy_s
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() >= deadline_s:
                raise
            await_only(asyncio.sleep(_WAL_RETRY_S))
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that reads first and writes later can fail at once when another process wrote in between.
    read_only = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _postgresql(url: URL, timeouts: Timeouts, pool_size: int) -> AsyncEngine:
    settings = {
        "lock_timeout": str(timeouts.lock_s * 1000),
        "idle_in_transaction_session_timeout": str(timeouts.idle_in_transaction_s * 1000),
        "tcp_user_timeout": str(timeouts.tcp_user_s * 1000),
        "application_name": _APPLICATION,
    }
    arguments = {"timeout": timeouts.connect_s, "server_settings": settings}
    # JSON stays the text that it is.
    return create_async_engine(
        url,
        pool_size=pool_size,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args=arguments,
        json_deserializer=str,
    )


def _mysql(url: URL, timeouts: Timeouts, pool_size: int) -> AsyncEngine:
    arguments = {"connect_timeout": timeouts.connect_s, "charset": "utf8mb4"}
    engine = create_async_engine(
        url, pool_size=pool_size, pool_pre_ping=True, hide_parameters=True, connect_args=arguments
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _entry: ConnectionPoolEntry) -> None:  # noqa: ANN401 the driver's connection
        cursor = connection.cursor()
        cursor.execute("SELECT VERSION()")
        is_mariadb = "MariaDB" in cursor.fetchone()[0]
        # MySQL can only end sessions that are idle anywhere; pings before use replace those that it ended.
        idle = "idle_transaction_timeout" if is_mariadb else "wait_timeout"
        # The original's columns hold local time, some of them as TIMESTAMP, which the session's zone converts.
        offset = datetime.now().astimezone().strftime("%z")
        for setting in (
            "sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'",
            # Under repeatable read, look-ups lock gaps between rows, and inserts of two writers deadlock on them.
            "transaction_isolation='READ-COMMITTED'" if not is_mariadb else "tx_isolation='READ-COMMITTED'",
            f"innodb_lock_wait_timeout={timeouts.lock_s}",
            f"{idle}={timeouts.idle_in_transaction_s}",
            f"time_zone='{offset[:3]}:{offset[3:]}'",
        ):
            cursor.execute(f"SET SESSION {setting}")
        cursor.close()

    return engine
