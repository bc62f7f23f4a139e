from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from writer_client import writer_process
from writer_harness import Writer, running_writer

from hlmonitor.local.database_fixtures import backend, database_url, server
from hlmonitor.local.ports import free_port
from hlmonitor.local.services import ServiceProcess

__all__ = ["backend", "database_url", "listen", "process", "server", "writer"]


@pytest_asyncio.fixture
async def writer(database_url: str) -> AsyncIterator[Writer]:
    async with running_writer(database_url) as running:
        yield running


@pytest.fixture
def listen() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def process(database_url: str, listen: str, tmp_path: Path) -> Iterator[ServiceProcess]:
    made = writer_process(tmp_path, database_url, listen)
    yield made
    made.kill()
