"""The cleaner's process: wiring only."""

import asyncio
import contextlib
import time

from sqlalchemy.exc import SQLAlchemyError

from hlmonitor.cleaner.cleaning import Cleaner
from hlmonitor.cleaner.settings import CleanerSettings
from hlmonitor.runtime.service import Service, run_service
from hlmonitor.storage import Database


async def serve(service: Service[CleanerSettings]) -> None:
    """Clean once; or again and again with `every`, where a round that fails is tried again at the next."""
    settings = service.settings
    component = service.health.component("database")
    database = Database(settings.database_url)
    cleaner = Cleaner(database, settings, service.metrics, service.log, service.stopping)
    try:
        while not service.stopping.is_set():
            try:
                deleted = await cleaner.round(time.time_ns() // 1_000_000)
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                component.down(str(error))
                if not settings.every:
                    raise
                service.log.warning("round_failed", reason=str(getattr(error, "orig", None) or error))
            else:
                component.up()
                service.log.info("round_done", **deleted)
            if not settings.every:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(service.stopping.wait(), settings.every)
    finally:
        await database.close()


def main() -> None:
    """Entry point of `hlmon-cleaner`."""
    run_service("cleaner", CleanerSettings, serve)


if __name__ == "__main__":
    main()
