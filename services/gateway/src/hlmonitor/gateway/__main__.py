"""Wiring of the gateway."""

import asyncio

from nats.aio.client import Client

from hlmonitor.gateway.io.assembly import make_supervisor
from hlmonitor.gateway.io.handover import hear_notices, send_notices
from hlmonitor.gateway.io.notifier import Notifier
from hlmonitor.gateway.io.supervisor import Supervisor
from hlmonitor.gateway.settings import GatewaySettings
from hlmonitor.runtime.membership import join, watch_members
from hlmonitor.runtime.nats import connect_nats
from hlmonitor.runtime.service import Service, run_service
from hlmonitor.runtime.watchlist import WatchList
from hlmonitor.venue.core.limits import RateLedger
from hlmonitor.venue.io.rest import InfoClient


async def serve(service: Service[GatewaySettings]) -> None:
    """Stream wallets until told to stop, then flush what is not durable yet and leave."""
    settings = service.settings
    for name in ("nats", "venue", "aggregators"):
        service.health.component(name)
    rest = RateLedger(settings.rest_weight_per_minute)
    client = InfoClient(
        settings.venue_rest_url,
        ledger=rest,
        local_address=settings.local_address,
        timeout_s=settings.open_timeout_s,
    )
    room = Notifier()
    async with client, asyncio.TaskGroup() as tasks:
        supervisor = make_supervisor(service, tasks, client, rest, room)
        work = tasks.create_task(_work(service, supervisor))
        await service.stopping.wait()
        await supervisor.drain(room)
        work.cancel()
        supervisor.close()


async def _work(service: Service[GatewaySettings], supervisor: Supervisor) -> None:
    settings = service.settings
    component = service.health.component("nats")
    async with (
        connect_nats(
            settings.nats_url,
            f"gateway {settings.instance}",
            component=component,
            metrics=service.metrics,
            log=service.log,
        ) as nats,
        join(nats, supervisor.member, log=service.log) as presence,
        asyncio.TaskGroup() as tasks,
    ):
        supervisor.joined(presence)
        tasks.create_task(watch_members(nats, "aggregator", supervisor.on_aggregators))
        tasks.create_task(watch_members(nats, "gateway", supervisor.on_gateways))
        tasks.create_task(hear_notices(nats, supervisor.on_notice))
        tasks.create_task(send_notices(nats, supervisor.has_words, supervisor.take_words, service.log))
        tasks.create_task(_follow_watch_list(nats, supervisor))
        tasks.create_task(supervisor.tick_for_ever())


async def _follow_watch_list(nats: Client, supervisor: Supervisor) -> None:
    async for entries in WatchList(nats).follow():
        supervisor.on_watch_list(entries)


def main() -> None:
    """Run the service."""
    run_service("gateway", GatewaySettings, serve)


if __name__ == "__main__":
    main()
