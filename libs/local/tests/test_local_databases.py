import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from hlmonitor.local.database_fixtures import backend
from hlmonitor.local.databases import DatabaseServer, PostgresServer, ServerError
from hlmonitor.storage import Database

__all__ = ["backend"]


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hlmonitor-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


async def ask(url: str, statement: str) -> object:
    database = Database(url)
    try:
        async with database.write() as connection:
            result = await connection.execute(text(statement))
            return result.scalar() if result.returns_rows else None
    finally:
        await database.close()


async def test_each_fresh_database_is_empty_and_its_own(backend: DatabaseServer | None) -> None:
    if backend is None:
        pytest.skip("SQLite has no server")
    first, second = backend.fresh_database(), backend.fresh_database()
    await ask(first, "CREATE TABLE only_here (id int)")
    await ask(second, "CREATE TABLE only_here (id int)")
    assert await ask(second, "SELECT count(*) FROM only_here") == 0
    backend.drop_database(first)
    backend.drop_database(second)


async def test_a_killed_server_comes_back_on_its_port_with_what_was_committed(
    backend: DatabaseServer | None, directory: Path
) -> None:
    if backend is None:
        pytest.skip("SQLite has no server")
    programs = type(backend).find()
    assert programs is not None
    with type(backend)(programs, directory / "server") as server:
        url, port = server.fresh_database(), server.port
        await ask(url, "CREATE TABLE kept (id int)")
        await ask(url, "INSERT INTO kept VALUES (7)")
        server.kill()
        assert server.pid is None
        server.start()
        assert server.port == port
        assert await ask(url, "SELECT id FROM kept") == 7
        pid = server.pid
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def test_a_server_that_cannot_start_says_why(directory: Path) -> None:
    with pytest.raises(ServerError, match="initdb failed"):
        PostgresServer(Path("/nowhere"), directory / "server").start()
