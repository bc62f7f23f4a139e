from collections.abc import AsyncIterator

import pytest_asyncio
from patient import migrated

from hlmonitor.local.database_fixtures import backend, database_url, server
from hlmonitor.storage import Database

__all__ = ["backend", "database_url", "server"]


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with migrated(database_url) as opened:
        yield opened
