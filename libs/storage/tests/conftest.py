from collections.abc import AsyncIterator

import pytest_asyncio
from patient import patient_database

from hlmonitor.local.database_fixtures import backend, database_url, server
from hlmonitor.storage import Database
from hlmonitor.storage.migrate import migrate

__all__ = ["backend", "database_url", "server"]


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A migrated database, as a patient test has it."""
    await migrate(database_url)
    opened = patient_database(database_url)
    yield opened
    await opened.close()
