"""The address-loader's process: wiring only."""

import asyncio

from nats.errors import Error as NatsError
from sqlalchemy.exc import SQLAlchemyError

from hlmonitor.address_loader.io.loader import Loader
from hlmonitor.address_loader.settings import AddressLoaderSettings
from hlmonitor.runtime.health import STARTING, Component
from hlmonitor.runtime.nats import connect_nats
from hlmonitor.runtime.service import Service, ServiceFailedError, run_service
from hlmonitor.storage import Database, StorageError

_FAILURES = (SQLAlchemyError, StorageError, NatsError, OSError, TimeoutError)


async def serve(service: Service[AddressLoaderSettings]) -> None:
    """Load once, tried until the timeout; or with `every` again and again until told to stop."""
    await service.until_stopping(_run(service) if service.settings.every else _run_once(service))


async def _run_once(service: Service[AddressLoaderSettings]) -> None:
    try:
        async with asyncio.timeout(service.settings.timeout):
            await _run(service)
    except TimeoutError:
        parts = service.health.components.values()
        reasons = [f"{part.name}: {part.reason}" for part in parts if part.reason not in (None, STARTING)]
        raise ServiceFailedError(
            f"the watch list was not loaded within {service.settings.timeout:g} s ({'; '.join(reasons)})"
        ) from None


async def _run(service: Service[AddressLoaderSettings]) -> None:
    settings = service.settings
    nats, rounds = service.health.component("nats"), service.health.component("load")
    name = f"address-loader {settings.instance}"
    database = Database(settings.database_url)
    try:
        async with connect_nats(
            settings.nats_url, name, component=nats, metrics=service.metrics, log=service.log
        ) as client:
            loader = Loader(client, database, settings, service.metrics, service.log)
            service.health.add_status("address_count", lambda: loader.wallets)
            while True:
                done = await _round(loader, rounds)
                if done and not settings.every:
                    return
                await asyncio.sleep(settings.every if done else settings.retry)
    finally:
        await database.close()


async def _round(loader: Loader, component: Component) -> bool:
    try:
        async with asyncio.timeout(loader.settings.round_timeout):
            await loader.round()
    except _FAILURES as error:
        reason = str(getattr(error, "orig", None) or error) or repr(error)
        if component.reason != reason:
            loader.log.warning("round_failed", reason=reason, retry_s=loader.settings.retry)
        component.down(reason)
        return False
    component.up()
    loader.log.info("round_done", wallets=loader.wallets)
    return True


def main() -> None:
    """Entry point of `hlmon-address-loader`."""
    run_service("address-loader", AddressLoaderSettings, serve)


if __name__ == "__main__":
    main()
