"""A database for what a test itself reads and writes, on a machine that may stand still for seconds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry

from hlmonitor.storage import Database
from hlmonitor.storage.database import Timeouts
from hlmonitor.storage.migrate import migrate

PATIENCE_S = 60


def patient_database(url: str) -> Database:
    """Its sessions may idle in a transaction and wait for each other; what is tested has a database of its own."""
    timeouts = Timeouts(
        connect_s=PATIENCE_S, lock_s=PATIENCE_S, idle_in_transaction_s=PATIENCE_S, sqlite_busy_s=PATIENCE_S
    )
    database = Database(url, timeouts=timeouts)
    if database.dialect == "postgresql":
        event.listen(database.engine.sync_engine, "connect", _rename)
    return database


@asynccontextmanager
async def migrated(url: str) -> AsyncIterator[Database]:
    """A migrated database, as a patient test has it."""
    await migrate(url)
    database = patient_database(url)
    try:
        yield database
    finally:
        await database.close()


def _rename(connection: Any, _entry: ConnectionPoolEntry) -> None:  # noqa: ANN401 the driver's connection
    # A writer ends sessions of our services that stand still.
    cursor = connection.cursor()
    cursor.execute("SET application_name = 'hl-monitor test'")
    cursor.close()
    connection.commit()
