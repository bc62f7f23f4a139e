from collections.abc import AsyncIterator

import pytest_asyncio
from writer_harness import Writer, running_writer

from hlmonitor.local.database_fixtures import backend, database_url, server

__all__ = ["backend", "database_url", "server", "writer"]


@pytest_asyncio.fixture
async def writer(database_url: str) -> AsyncIterator[Writer]:
    async with running_writer(database_url) as running:
        yield running
