"""gRPC servers with health and reflection, and channels that notice a dead peer."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from hlmonitor.runtime.health import Health
from hlmonitor.runtime.service import ServiceFailedError

MAX_MESSAGE_BYTES = 32 * 1024 * 1024
"""A partition's commit or a batch of 500 events is far below; what is larger is a defect."""
_READINESS_POLL_S = 0.2

_KEEPALIVE = [
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # The core goes by this one, a minute by default, and never starts the one above.
    ("grpc.http2.ping_timeout_ms", 3_000),
    ("grpc.http2.max_pings_without_data", 0),
]
_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
]


@asynccontextmanager
async def serve_grpc(
    address: str, services: Sequence[str], *, grace_s: float = 2.0, health: Health | None = None
) -> AsyncIterator[tuple[grpc.aio.Server, int]]:
    """A server with `grpc.health.v1` and reflection for these services (full names); yields it unstarted, and its port.

    The caller registers its servicers and starts the server. Its health is whether `health` is ready; without one it is
    always serving.

    Raises:
        ServiceFailedError: the address cannot be bound.
    """
    options = [
        *_OPTIONS,
        *_KEEPALIVE,
        ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
        ("grpc.so_reuseport", 0),
    ]
    server = grpc.aio.server(options=options)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise ServiceFailedError(f"{address} cannot be listened on: it is taken, or not an address of ours") from error
    servicer = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    reflection.enable_server_reflection((*services, "grpc.health.v1.Health", reflection.SERVICE_NAME), server)
    telling = asyncio.create_task(_tell(servicer, ("", *services), health or Health()))
    try:
        yield server, port
    finally:
        telling.cancel()
        await server.stop(grace_s)


async def _tell(servicer: HealthServicer, names: Sequence[str], health: Health) -> None:
    told = None
    while True:
        if (ready := health.ready) is not told:
            told = ready
            answer = health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
            for name in names:
                await servicer.set(name, answer)
        await asyncio.sleep(_READINESS_POLL_S)


def open_channel(address: str) -> grpc.aio.Channel:
    """A channel that reconnects quickly and finds a silent peer dead within 8 s."""
    options = [
        *_OPTIONS,
        *_KEEPALIVE,
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        ("grpc.lb_policy_name", "round_robin"),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    return grpc.aio.insecure_channel(address, options=options)
