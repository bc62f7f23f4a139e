"""Bring a database to the newest schema: `await migrate(url)`, or `python -m hlmonitor.storage.migrate --help`.

It works on an empty database and on one that the original made, in both of its forms. It adds and widens; it drops no
row, no column and no table, and it puts no unique key on the original's data.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hlmonitor.storage.database import Database, Timeouts, open_engine
from hlmonitor.storage.errors import StorageError

LOCK_WAIT_S = 120
VERSION_TABLE = "hl_schema_version"

_URL_VARIABLE = "HLMON_DATABASE_URL"
_LOCK_NAME = "hlmonitor_migrate"
_LOCK_NUMBER = 0x686C6D6F6E
# A migration may rewrite a table that other sessions use, and waits for them.
_TIMEOUTS = Timeouts(lock_s=LOCK_WAIT_S, idle_in_transaction_s=LOCK_WAIT_S, sqlite_busy_s=LOCK_WAIT_S)


async def migrate(url: str) -> None:
    """Bring the database to the newest schema. Safe to call from several processes at once: one works, others wait.

    Raises:
        StorageError: the URL cannot be used, or another migration did not end within two minutes.
        sqlalchemy.exc.SQLAlchemyError: the database is down or refuses.
    """
    engine = open_engine(url, _TIMEOUTS, pool_size=2)
    try:
        async with _one_at_a_time(engine) as connection:
            await connection.run_sync(_upgrade)
            await connection.commit()
    finally:
        await engine.dispose()


async def is_newest(database: Database) -> bool:
    """Whether there is nothing to migrate.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database is down or refuses.
    """
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    async with database.read() as connection:
        return await connection.run_sync(_revision) == newest


def _revision(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "hlmonitor.storage:migrations")
    config.set_main_option("path_separator", "os")
    return config


@asynccontextmanager
async def _one_at_a_time(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    match engine.dialect.name:
        case "sqlite":
            # The transaction is the lock. It begins now, immediate, or each revision would be one of its own.
            async with engine.connect() as connection:
                await connection.begin()
                yield connection
        case "postgresql":
            async with engine.connect() as connection:
                # Held by the transaction, so a killed migration holds nobody up.
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})"))
                yield connection
        case _:
            # MySQL commits at every DDL statement, so the lock is the session's; it too ends with the process.
            async with engine.connect() as holder, engine.connect() as connection:
                got = await holder.scalar(text(f"SELECT GET_LOCK('{_LOCK_NAME}', {LOCK_WAIT_S})"))
                if got != 1:
                    raise StorageError(f"another migration of this database did not end within {LOCK_WAIT_S} s")
                await holder.commit()
                yield connection
                await holder.execute(text(f"DO RELEASE_LOCK('{_LOCK_NAME}')"))


def main() -> None:
    """The command line: exit status 0 when the schema is the newest, 1 with a sentence when it could not be made so."""
    parser = argparse.ArgumentParser(
        prog="hlmonitor.storage.migrate", description="bring a database to the newest schema"
    )
    given = os.environ.get(_URL_VARIABLE)
    parser.add_argument(
        "--database-url",
        default=given,
        required=given is None,
        help=f"for example sqlite:///.run/hlmonitor.db; default: {_URL_VARIABLE}",
    )
    url: str = parser.parse_args().database_url
    try:
        asyncio.run(migrate(url))
    except (StorageError, SQLAlchemyError, OSError) as error:
        sys.exit(f"the database could not be migrated: {error}")


if __name__ == "__main__":
    main()
