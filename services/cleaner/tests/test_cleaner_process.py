"""The cleaner as a real process."""

import asyncio
from pathlib import Path

from hlmonitor.local.services import ServiceProcess
from hlmonitor.storage.migrate import migrate

PROGRAM = ["-W", "error", "-m", "hlmonitor.cleaner"]


async def test_it_cleans_once_and_ends(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    await migrate(url)
    process = ServiceProcess("cleaner", PROGRAM, tmp_path, {"database_url": url})
    process.start()
    assert await process.wait() == 0
    assert "round_done" in process.log_tail()


async def test_it_goes_on_cleaning_until_told_to_stop(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    await migrate(url)
    process = ServiceProcess("cleaner", PROGRAM, tmp_path, {"database_url": url, "every": "100ms"})
    process.start()
    async with asyncio.timeout(20):
        while process.log_tail().count("round_done") < 2:
            await asyncio.sleep(0.05)
    assert await process.terminate() == 0


async def test_once_without_a_schema_is_a_failure_that_says_so(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    process = ServiceProcess("cleaner", PROGRAM, tmp_path, {"database_url": url})
    process.start()
    assert await process.wait() == 1
    assert "no such table" in process.log_tail()


async def test_a_wrong_setting_is_refused_with_a_sentence(tmp_path: Path) -> None:
    process = ServiceProcess("cleaner", PROGRAM, tmp_path, {"rest_after": "1h"})
    process.start()
    assert await process.wait() == 2
    assert "rest_after (--rest-after, HLMON_REST_AFTER)" in process.log_tail()


async def test_forgetting_fills_within_the_dedup_horizon_is_refused(tmp_path: Path) -> None:
    process = ServiceProcess("cleaner", PROGRAM, tmp_path, {"dedup_horizon": "9d"})
    process.start()
    assert await process.wait() == 2
    assert "must be longer than dedup_horizon, which is 777600 s" in process.log_tail()
