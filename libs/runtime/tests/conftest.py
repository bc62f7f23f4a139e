"""A real nats-server for the tests of this package."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog
from nats.aio.client import Client

from hlmonitor.local.nats import NatsServer
from hlmonitor.runtime.health import Component
from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.runtime.nats import connect_nats


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path) as running:
        yield running


@pytest.fixture
def log() -> Log:
    quiet: Log = structlog.stdlib.get_logger("test")
    return quiet


@asynccontextmanager
async def connected(server: NatsServer, log: Log) -> AsyncIterator[Client]:
    component = Component("nats")
    async with connect_nats(server.url, "test", component=component, metrics=Metrics(), log=log) as client:
        yield client


@pytest.fixture
async def client(server: NatsServer, log: Log) -> AsyncIterator[Client]:
    async with connected(server, log) as ready:
        yield ready
