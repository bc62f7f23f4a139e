"""Pytest fixtures: one test over every database. A conftest imports `backend` and `database_url` from here.

A server that is missing skips its tests with a reason that names it; where `CI` is set it fails them, because there
none may be missing.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hlmonitor.local.databases import DatabaseServer, MariaDbServer, Missing, PostgresServer

SQLITE = "sqlite"
_SERVERS: dict[str, type[DatabaseServer]] = {"postgresql": PostgresServer, "mariadb": MariaDbServer}
BACKENDS = (SQLITE, *_SERVERS)
SERVERS = tuple(_SERVERS)
servers_only = pytest.mark.parametrize("backend", SERVERS, indirect=True, scope="session")
"""For tests of what only a server can do: be stopped, killed, end a session."""


def quickly_on(*names: str, of: tuple[str, ...] = BACKENDS) -> pytest.MarkDecorator:
    """For long tests: over every database, those that are not named only where there is time for what is slow."""
    backends = [name if name in names else pytest.param(name, marks=pytest.mark.slow) for name in of]
    return pytest.mark.parametrize("backend", backends, indirect=True, scope="session")


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[DatabaseServer | None]:
    """A running server, or None for SQLite, which has none."""
    if request.param == SQLITE:
        yield None
        return
    kind = _SERVERS[request.param]
    programs = kind.find_or_install()
    if isinstance(programs, Missing):
        reason = f"{kind.name} is missing: {programs.reason}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    # Not below pytest's own directory: that one is closed to the user whom the server runs as.
    with tempfile.TemporaryDirectory(prefix="hlmonitor-") as directory:
        Path(directory).chmod(0o755)
        with kind(programs, Path(directory) / kind.user) as server:
            yield server


@pytest.fixture
def server(backend: DatabaseServer | None) -> DatabaseServer:
    """The running server, in tests that are marked `servers_only`."""
    assert backend is not None, "mark the test servers_only"  # noqa: S101 a test's own mistake
    return backend


@pytest.fixture
def database_url(backend: DatabaseServer | None, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database that nobody else uses."""
    if backend is None:
        yield f"sqlite+aiosqlite:///{tmp_path / 'test.db'}"
        return
    url = backend.fresh_database()
    yield url
    backend.drop_database(url)
