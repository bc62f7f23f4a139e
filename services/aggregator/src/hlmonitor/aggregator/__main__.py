"""Wiring of the aggregator."""

import asyncio
from dataclasses import dataclass

import grpc
import msgspec
from nats.aio.client import Client

from hlmonitor.aggregator.core.holding import attributes_of
from hlmonitor.aggregator.io.host import Shared
from hlmonitor.aggregator.io.ingest import IngestService
from hlmonitor.aggregator.io.jetstream import JetStream
from hlmonitor.aggregator.io.metadata import LoadedMarkets, MarketLoader
from hlmonitor.aggregator.io.owner import Owner
from hlmonitor.aggregator.io.publisher import Publisher
from hlmonitor.aggregator.io.query import QueryService, Totals
from hlmonitor.aggregator.io.sessions import Sessions
from hlmonitor.aggregator.io.status import StatusReporter
from hlmonitor.aggregator.io.storage import StorageClient
from hlmonitor.aggregator.settings import AggregatorSettings
from hlmonitor.runtime.core.membership import Member
from hlmonitor.runtime.grpc import open_channel, serve_grpc
from hlmonitor.runtime.membership import Presence, join, watch_members
from hlmonitor.runtime.nats import connect_nats
from hlmonitor.runtime.service import Service, run_service
from hlmonitor.runtime.watchlist import WatchList
from hlmonitor.v1 import ingest_pb2_grpc, query_pb2_grpc
from hlmonitor.venue.core.limits import RateLedger
from hlmonitor.venue.io.rest import InfoClient

SERVICES = ("hlmonitor.v1.Ingest", "hlmonitor.v1.Query")


@dataclass(slots=True)
class _Standing:
    """What this process says of itself, once it is a member."""

    presence: Presence | None = None

    def hold(self, partitions: frozenset[int]) -> None:
        if self.presence:
            held = attributes_of(partitions)
            self.presence.say(msgspec.structs.replace(self.presence.member, attributes=held))

    def drain(self) -> None:
        """The others take the partitions from now on, each when it is let go."""
        if self.presence:
            self.presence.say(msgspec.structs.replace(self.presence.member, draining=True))


@dataclass(slots=True)
class _Parts:
    """Everything that runs, wired together."""

    client: Client
    server: grpc.aio.Server
    address: str
    loader: MarketLoader
    publisher: Publisher
    storage: StorageClient
    owner: Owner
    standing: _Standing
    reporter: StatusReporter


async def serve(service: Service[AggregatorSettings]) -> None:
    """Run until told to stop, then let every partition go."""
    settings, log, metrics, health = service.settings, service.log, service.metrics, service.health
    ledger = RateLedger(settings.rest_weight_per_minute)
    async with (
        connect_nats(
            settings.nats_url,
            settings.instance,
            component=health.component("nats"),
            metrics=metrics,
            log=log,
            stopping=service.stopping,
        ) as client,
        # The loader tries again itself, and says so: more attempts inside of each would only hide what is down.
        InfoClient(settings.venue_rest_url, ledger=ledger, local_address=settings.local_address, attempts=1) as info,
        open_channel(settings.writer) as channel,
        serve_grpc(settings.listen, SERVICES, health=health) as (server, port),
        asyncio.TaskGroup() as tasks,
    ):
        storage = StorageClient(channel, health.component("writer"), log, settings.instance)
        markets = LoadedMarkets(metrics)
        stream = JetStream(client, settings.signal_retention, log)
        publisher = Publisher(stream, settings, metrics, log)
        shared = Shared(settings, storage, publisher, Sessions(), markets, metrics, log)
        standing = _Standing()
        owner = Owner(settings.instance, shared, standing.hold)
        totals = Totals()
        ingest_pb2_grpc.add_IngestServicer_to_server(IngestService(owner, metrics), server)
        query_pb2_grpc.add_QueryServicer_to_server(QueryService(owner, totals), server)
        health.add_status("partitions", lambda: {host.number: host.state for host in owner.hosts.values()})
        parts = _Parts(
            client,
            server,
            settings.advertise or f"{settings.listen.rpartition(':')[0]}:{port}",
            MarketLoader(info, markets, settings, health.component("metadata"), log),
            publisher,
            storage,
            owner,
            standing,
            StatusReporter(stream, owner, metrics, totals, settings.instance),
        )
        running = tasks.create_task(_run(service, parts))
        await service.stopping.wait()
        standing.drain()
        await owner.drain()
        parts.reporter.export()
        running.cancel()


async def _run(service: Service[AggregatorSettings], parts: _Parts) -> None:
    membership = service.health.component("membership")

    def on_view(members: dict[str, Member]) -> None:
        membership.up()
        parts.owner.on_view(members)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(parts.storage.run())
        tasks.create_task(parts.owner.run())
        await parts.loader.load()
        await parts.publisher.stream.ensure()
        await parts.server.start()
        tasks.create_task(parts.loader.run(parts.client))
        tasks.create_task(parts.reporter.run())
        tasks.create_task(parts.owner.shared.announcer.run())
        # A partition is decided about only by who knows its wallets: the list comes before the first view.
        listed = asyncio.Event()
        tasks.create_task(_follow_watch_list(parts, listed))
        await listed.wait()
        me = Member(kind="aggregator", name=service.settings.instance, address=parts.address)
        async with join(parts.client, me, log=service.log) as presence:
            parts.standing.presence = presence
            await watch_members(parts.client, "aggregator", on_view)


async def _follow_watch_list(parts: _Parts, listed: asyncio.Event) -> None:
    async for entries in WatchList(parts.client).follow(parts.owner.shared.watch_list):
        parts.owner.on_watch_list(entries)
        listed.set()


def main() -> None:
    """Entry point of `hlmon-aggregator`."""
    run_service("aggregator", AggregatorSettings, serve)


if __name__ == "__main__":
    main()
