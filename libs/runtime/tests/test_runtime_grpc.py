"""The gRPC server's own health, as a probe or a client asks for it."""

import asyncio
import sys
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hlmonitor.local.processes import freeze
from hlmonitor.runtime.grpc import open_channel, serve_grpc
from hlmonitor.runtime.health import Health

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def test_the_grpc_health_of_every_service_follows_readiness() -> None:
    health = Health()
    component = health.component("database")
    async with (
        serve_grpc("127.0.0.1:0", ["some.Service"], health=health) as (server, port),
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        await server.start()
        await until_told(channel, "some.Service", NOT_SERVING)
        component.up()
        await until_told(channel, "some.Service", SERVING)
        await until_told(channel, "", SERVING)
        component.down("no connection")
        await until_told(channel, "", NOT_SERVING)
        component.up()
        await until_told(channel, "", SERVING)
        health.stopping = True
        await until_told(channel, "", NOT_SERVING)


async def test_a_grpc_server_that_is_told_of_no_readiness_serves_always() -> None:
    async with (
        serve_grpc("127.0.0.1:0", ["some.Service"]) as (server, port),
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        await server.start()
        await until_told(channel, "some.Service", SERVING)


_SERVER = """
import asyncio
from hlmonitor.runtime.grpc import serve_grpc

async def serve():
    async with serve_grpc("127.0.0.1:0", ["some.Service"]) as (server, port):
        await server.start()
        print(port, flush=True)
        await asyncio.Future()

asyncio.run(serve())
"""


async def test_a_call_to_a_peer_that_froze_ends() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _SERVER, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        port = int(await process.stdout.readline())
        async with open_channel(f"127.0.0.1:{port}") as channel:
            await until_told(channel, "some.Service", SERVING)
            stub: Any = health_pb2_grpc.HealthStub(channel)
            freeze(process.pid)
            # Far below the minute after which the core would find it by itself.
            async with asyncio.timeout(40):
                with pytest.raises(grpc.aio.AioRpcError) as ended:
                    await stub.Check(health_pb2.HealthCheckRequest(service="some.Service"))
            assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
    finally:
        process.kill()
        await process.wait()


async def until_told(channel: grpc.aio.Channel, service: str, status: int) -> None:
    # The published types of the stub know one of its two methods.
    stub: Any = health_pb2_grpc.HealthStub(channel)
    async with asyncio.timeout(30):
        async for answer in stub.Watch(health_pb2.HealthCheckRequest(service=service)):
            if answer.status == status:
                return
