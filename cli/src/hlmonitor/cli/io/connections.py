"""Connections that answer at once or end the command with a sentence."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from sqlalchemy.exc import SQLAlchemyError

from hlmonitor.cli.errors import CliError
from hlmonitor.cli.settings import CliSettings
from hlmonitor.runtime.health import Component
from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.runtime.nats import connect_nats
from hlmonitor.runtime.settings import without_credentials
from hlmonitor.storage import Database, StorageError


@asynccontextmanager
async def open_nats(settings: CliSettings) -> AsyncIterator[Client]:
    """A connection to NATS, which reconnects by itself once it stood.

    Raises:
        CliError: nobody answers.
    """
    async with AsyncExitStack() as stack:
        component = Component("nats")
        connecting = connect_nats(settings.nats_url, "hlmon", component=component, metrics=Metrics(), log=_silent_log())
        try:
            async with asyncio.timeout(settings.connect_timeout):
                client = await stack.enter_async_context(connecting)
        except (NatsError, OSError, TimeoutError, ValueError) as error:
            raise CliError(
                f"NATS at {without_credentials(settings.nats_url)} does not answer: is it running, and is "
                "--nats-url (HLMON_NATS_URL) right?"
            ) from error
        yield client


@asynccontextmanager
async def open_database(settings: CliSettings) -> AsyncIterator[Database]:
    """A database. Nothing is opened before it is used."""
    database = Database(settings.database_url)
    try:
        yield database
    finally:
        await database.close()


@contextmanager
def sql_errors(settings: CliSettings) -> Iterator[None]:
    """Turn what SQL raises in the block into a CliError."""
    try:
        yield
    except StorageError as error:
        raise CliError(f"{error} ({_migration_hint(settings)})") from error
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        reason = str(getattr(error, "orig", None) or error) or repr(error)
        raise CliError(
            f"the database {without_credentials(settings.database_url)} cannot be used: {reason}; is "
            "--database-url (HLMON_DATABASE_URL) right?"
        ) from error


@contextmanager
def nats_errors(settings: CliSettings) -> Iterator[None]:
    """Turn what NATS raises in the block into a CliError."""
    try:
        yield
    except (NatsError, OSError, TimeoutError) as error:
        raise CliError(
            f"NATS at {without_credentials(settings.nats_url)} failed: {error or repr(error)}; does it have "
            "JetStream (nats-server -js)?"
        ) from error


def _migration_hint(settings: CliSettings) -> str:
    url = without_credentials(settings.database_url)
    return f"a writer does it at its start; by hand: python -m hlmonitor.storage.migrate --database-url {url}"


def _silent_log() -> Log:
    def drop(_logger: object, _name: str, _event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        raise structlog.DropEvent

    log: Log = structlog.wrap_logger(None, processors=[drop], wrapper_class=structlog.stdlib.BoundLogger)
    return log
