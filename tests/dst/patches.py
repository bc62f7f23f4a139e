"""Puts the models in the places where the services reach outside."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from types import ModuleType
from typing import Any, Self
from unittest.mock import patch

import httpx

import hlmonitor.aggregator.__main__ as aggregator
import hlmonitor.gateway.__main__ as gateway
import hlmonitor.writer.__main__ as writer
from dst.channel import SimulatedChannel
from dst.database import SimulatedDatabase, SqlServer
from dst.loop import SCOPE
from dst.members import Members, OnView
from dst.nats_server import NatsClient, NatsServer, connected
from dst.network import Network, SimulatedServer, serving
from dst.signal_stream import SimulatedStream
from dst.venue import Venue
from hlmonitor.aggregator.io import ingest as aggregator_ingest
from hlmonitor.aggregator.io import owner
from hlmonitor.domain import partitions
from hlmonitor.gateway.core import routing
from hlmonitor.gateway.io import ingest as gateway_ingest
from hlmonitor.runtime.core.membership import Member
from hlmonitor.runtime.health import Component
from hlmonitor.runtime.membership import Presence
from hlmonitor.runtime.service import StoppedError
from hlmonitor.venue.core.limits import RateLedger
from hlmonitor.venue.io import websocket
from hlmonitor.venue.io.rest import InfoClient
from hlmonitor.writer.io import service as writer_service

PARTITIONS = 3
"""So few, so that a run has the time to move each of them often."""
_COUNTERS: tuple[ModuleType, ...] = (partitions, routing, owner, aggregator_ingest, writer_service)
REST_TIMEOUT_S = 10.0


@contextmanager
def models_in_place(  # noqa: C901 one small model after the other
    venue: Venue, network: Network, nats: NatsServer, sql: SqlServer, members: Members
) -> Iterator[None]:
    """While it lasts, every service that starts lives in the simulation."""

    @asynccontextmanager
    async def connect_nats(
        _url: str,
        _name: str,
        *,
        component: Component,
        on_connected: Callable[[], Awaitable[None]] | None = None,
        stopping: asyncio.Event | None = None,
        **_: object,
    ) -> AsyncIterator[NatsClient]:
        while nats.is_away:
            if stopping and stopping.is_set():
                raise StoppedError("told to stop before NATS was there")
            await asyncio.sleep(0.5)
        component.up()
        async with connected(nats, on_connected) as client:
            yield client

    def join(_client: object, member: Member, **_: object) -> AbstractAsyncContextManager[Presence]:
        return members.join(member)

    async def watch_members(_client: object, kind: str, on_view: OnView) -> None:
        await members.watch(kind, on_view)

    def serve_grpc(
        address: str, _services: object, **_: object
    ) -> AbstractAsyncContextManager[tuple[SimulatedServer, int]]:
        scope = SCOPE.get()
        assert scope is not None
        return serving(network, address, scope)

    def open_channel(address: str) -> SimulatedChannel:
        return SimulatedChannel(network, address)

    def info_client(_url: str, *, ledger: RateLedger, attempts: int = 5, **_: object) -> InfoClient:
        return _Info(venue, ledger, attempts)

    with ExitStack() as stack:

        def put(module: ModuleType, **models: Any) -> None:  # noqa: ANN401 whatever stands there
            for name, model in models.items():
                stack.enter_context(patch.object(module, name, model))

        outside: dict[str, Any] = {"connect_nats": connect_nats, "join": join, "watch_members": watch_members}
        put(gateway, **outside, InfoClient=info_client)
        put(aggregator, **outside, InfoClient=info_client, serve_grpc=serve_grpc, open_channel=open_channel)
        put(aggregator, JetStream=lambda client, *_: SimulatedStream(client))
        put(writer, serve_grpc=serve_grpc, Database=lambda _url: SimulatedDatabase(sql))
        put(gateway_ingest, open_channel=open_channel)
        put(websocket, connect=venue.connect)
        for module in _COUNTERS:
            put(module, PARTITIONS=PARTITIONS)
        yield


class _Info(InfoClient):
    """The REST client, whose requests go to the model."""

    def __init__(self, venue: Venue, ledger: RateLedger, attempts: int) -> None:
        self._venue, self._ledger, self._attempts = venue, ledger, attempts
        self._http: Any = _NoHttp()

    async def _send(self, body: bytes) -> httpx.Response:
        scope = SCOPE.get()
        try:
            async with asyncio.timeout(REST_TIMEOUT_S):
                response = await self._venue.answer(body)
        except TimeoutError as error:
            raise httpx.ReadTimeout("no answer") from error
        if scope is None or not scope.is_alive:
            raise httpx.ReadError("the process is gone")
        return response


class _NoHttp:
    base_url = "the venue"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None
