import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from patient import patient_database
from sqlalchemy import text

from hlmonitor.local.database_fixtures import backend, server, servers_only
from hlmonitor.local.databases import DatabaseServer, Missing, PostgresServer, ServerError
from hlmonitor.local.processes import is_alive

__all__ = ["backend", "server"]


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hlmonitor-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


async def ask(url: str, statement: str) -> object:
    database = patient_database(url)
    try:
        async with database.write() as connection:
            result = await connection.execute(text(statement))
            return result.scalar() if result.returns_rows else None
    finally:
        await database.close()


@servers_only
async def test_each_fresh_database_is_empty_and_its_own(server: DatabaseServer) -> None:
    first, second = server.fresh_database(), server.fresh_database()
    await ask(first, "CREATE TABLE only_here (id int)")
    await ask(second, "CREATE TABLE only_here (id int)")
    assert await ask(second, "SELECT count(*) FROM only_here") == 0
    server.drop_database(first)
    server.drop_database(second)


@servers_only
async def test_a_killed_server_comes_back_on_its_port_with_what_was_committed(
    server: DatabaseServer, directory: Path
) -> None:
    programs = type(server).find()
    assert programs is not None
    with type(server)(programs, directory / "server") as own:
        url, port = own.fresh_database(), own.port
        await ask(url, "CREATE TABLE kept (id int)")
        await ask(url, "INSERT INTO kept VALUES (7)")
        own_processes = [child.pid for child in psutil.Process(own.pid).children()]
        own.kill()
        assert own.pid is None
        assert not any(map(is_alive, own_processes))
        own.start()
        assert own.port == port
        assert await ask(url, "SELECT id FROM kept") == 7
        pid = own.pid
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


@servers_only
async def test_a_frozen_server_keeps_its_connections_and_answers_when_it_goes_on(
    server: DatabaseServer, directory: Path
) -> None:
    programs = type(server).find()
    assert programs is not None
    with type(server)(programs, directory / "server") as own:
        database = patient_database(own.fresh_database())
        async with database.read() as connection:
            await connection.execute(text("SELECT 1"))
            own.pause()
            try:
                asking = asyncio.create_task(connection.execute(text("SELECT 7")))
                done, _ = await asyncio.wait({asking}, timeout=0.5)
            finally:
                own.resume()
            assert not done
            assert (await asking).scalar() == 7
        await database.close()


def test_a_server_that_cannot_start_says_why(directory: Path) -> None:
    with pytest.raises(ServerError, match="initdb failed"):
        PostgresServer(Path("/nowhere"), directory / "server").start()


class NotInstalled(PostgresServer):
    package = "no-such-package"

    @classmethod
    def find(cls) -> Path | None:
        return None


def test_a_server_that_can_neither_be_found_nor_installed_says_which_and_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = NotInstalled.find_or_install()
    assert isinstance(missing, Missing)
    assert missing.reason.startswith("PostgreSQL is not installed, and ")


UNPACKING = """#!/bin/sh
[ "$1" = install ] || exit 0
echo installed >> {directory}/installs
touch {directory}/postgres
sleep 0.5
touch {directory}/made
"""


def test_two_programs_that_miss_a_server_install_it_once_and_take_it_when_it_is_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Unpacked(PostgresServer):
        @classmethod
        def find(cls) -> Path | None:
            return tmp_path if (tmp_path / "postgres").exists() else None

    def look(_: int) -> tuple[Path | Missing, bool]:
        return Unpacked.find_or_install(), (tmp_path / "made").exists()

    apt = tmp_path / "apt-get"
    apt.write_text(UNPACKING.format(directory=tmp_path))
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with ThreadPoolExecutor(2) as programs:
        assert list(programs.map(look, range(2))) == [(tmp_path, True)] * 2
    assert (tmp_path / "installs").read_text() == "installed\n"
