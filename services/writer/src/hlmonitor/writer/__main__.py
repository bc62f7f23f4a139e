"""The writer's process: wiring only."""

import asyncio

from hlmonitor.runtime.grpc import serve_grpc
from hlmonitor.runtime.service import Service, run_service
from hlmonitor.storage import Database
from hlmonitor.storage.dao import partitions
from hlmonitor.storage.migrate import migrate
from hlmonitor.v1 import storage_pb2_grpc
from hlmonitor.writer.core.groups import GroupPlanner
from hlmonitor.writer.io.committer import Committer
from hlmonitor.writer.io.retries import Patience, StoppingError, watch
from hlmonitor.writer.io.service import SERVICE_NAME, StorageService
from hlmonitor.writer.io.transaction import GroupCommit
from hlmonitor.writer.settings import WriterSettings

MIGRATION_TIMEOUT_S = 600.0
GRACE_S = 0.5


async def serve(service: Service[WriterSettings]) -> None:
    """Make the schema ready, then commit until told to stop; the transaction in flight is finished."""
    settings = service.settings
    database = Database(settings.database_url)
    component = service.health.component("database")
    service.health.component("grpc")
    patience = Patience(component, service.log, settings.transaction_timeout, service.stopping)
    try:
        if await _prepare(service, database):
            await _serve_storage(service, database, patience)
    finally:
        await database.close()


async def _prepare(service: Service[WriterSettings], database: Database) -> bool:
    """Wait for the database and its schema; False when the service was stopped meanwhile."""
    component = service.health.component("database")
    patience = Patience(component, service.log, MIGRATION_TIMEOUT_S, service.stopping)

    async def look() -> None:
        async with database.read() as connection:
            await partitions.current_epoch(connection, 0)

    async def prepare() -> None:
        if service.settings.migrate:
            await patience.until_done("migrate", lambda: migrate(service.settings.database_url))
            service.log.info("schema_is_newest")
        await patience.until_done("look at the schema", look)

    preparing = asyncio.ensure_future(prepare())
    stop = asyncio.ensure_future(service.stopping.wait())
    await asyncio.wait({preparing, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if service.stopping.is_set():
        preparing.cancel()
    try:
        await preparing
    except (asyncio.CancelledError, StoppingError):
        return False
    return True


async def _serve_storage(service: Service[WriterSettings], database: Database, patience: Patience) -> None:
    settings = service.settings
    committer = Committer(
        database=database,
        patience=patience,
        group_commit=GroupCommit(int(settings.signal_expiry * 1000)),
        planner=GroupPlanner(settings.group_rows),
        metrics=service.metrics,
        log=service.log,
        room=asyncio.Semaphore(settings.queue_batches),
    )
    storage = StorageService(
        database, committer, patience, settings, service.log, asyncio.Semaphore(settings.loads_at_once)
    )
    async with (
        serve_grpc(settings.listen, [SERVICE_NAME], grace_s=GRACE_S, health=service.health) as (server, port),
        asyncio.TaskGroup() as tasks,
    ):
        storage_pb2_grpc.add_StorageServicer_to_server(storage, server)
        await server.start()
        service.health.component("grpc").up()
        service.health.add_status("grpc_port", lambda: port)
        service.health.add_status("batches_waiting", lambda: len(committer.planner))
        service.log.info("writer_listening", address=f"{settings.listen.rpartition(':')[0]}:{port}")
        watching = tasks.create_task(watch(database, patience))
        committing = tasks.create_task(committer.run())
        await service.stopping.wait()
        watching.cancel()
        committer.stop()
        await committing


def main() -> None:
    """Entry point of `hlmon-writer`."""
    run_service("writer", WriterSettings, serve)


if __name__ == "__main__":
    main()
