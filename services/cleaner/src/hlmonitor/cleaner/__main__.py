"""The cleaner's process: wiring only."""

import asyncio
import contextlib

from sqlalchemy.exc import SQLAlchemyError

from hlmonitor.cleaner.cleaning import Cleaner
from hlmonitor.cleaner.settings import CleanerSettings
from hlmonitor.runtime.clock import wall_ms
from hlmonitor.runtime.health import Component
from hlmonitor.runtime.service import Service, ServiceFailedError, run_service
from hlmonitor.storage import Database


async def serve(service: Service[CleanerSettings]) -> None:
    """Clean once; or with `every` again and again, where a round that fails is tried again soon."""
    settings = service.settings
    database = Database(settings.database_url)
    cleaner = Cleaner(database, settings, service.metrics, service.log, service.stopping)
    component = service.health.component("database")
    try:
        while not service.stopping.is_set():
            done = await _round(cleaner, component, service)
            if not settings.every:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(service.stopping.wait(), settings.every if done else settings.retry)
    finally:
        await database.close()


async def _round(cleaner: Cleaner, component: Component, service: Service[CleanerSettings]) -> bool:
    try:
        deleted = await cleaner.round(wall_ms())
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        reason = str(getattr(error, "orig", None) or error) or repr(error)
        if not service.settings.every:
            raise ServiceFailedError(f"the database was not cleaned: {reason}") from error
        if component.reason != reason:
            service.log.warning("round_failed", reason=reason, retry_s=service.settings.retry)
        component.down(reason)
        return False
    component.up()
    service.log.info("round_done", **deleted)
    return True


def main() -> None:
    """Entry point of `hlmon-cleaner`."""
    run_service("cleaner", CleanerSettings, serve)


if __name__ == "__main__":
    main()
