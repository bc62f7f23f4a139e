"""The connection to NATS: tried until it stands, and honest while it does not."""

import asyncio
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ConnectionReconnectingError, OutboundBufferLimitError
from structlog.testing import capture_logs

from hlmonitor.local.nats import NatsServer
from hlmonitor.local.waiting import eventually
from hlmonitor.runtime.health import Component
from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.runtime.nats import connect_nats
from hlmonitor.runtime.service import StoppedError


async def test_a_server_that_is_down_at_the_start_is_waited_for_and_said_once(tmp_path: Path, log: Log) -> None:
    server = NatsServer(tmp_path)
    component, metrics = Component("nats"), Metrics()
    with capture_logs() as lines:
        connection = connect_nats(server.url, "test", component=component, metrics=metrics, log=log)
        connecting = asyncio.ensure_future(connection.__aenter__())
        await eventually(lambda: bool(lines), "something was logged")
        assert component.reason == f"no connection to {server.url}"
        with server:
            client = await asyncio.wait_for(connecting, 60)
            assert component.is_up
            assert client.is_connected
            await connection.__aexit__(None, None, None)
    warnings = [line for line in lines if line["log_level"] == "warning" and line["event"] == "nats_unreachable"]
    assert len(warnings) == 1
    assert warnings[0]["url"] == server.url


async def test_waiting_for_a_server_ends_when_the_service_is_told_to_stop(tmp_path: Path, log: Log) -> None:
    server, component, stopping = NatsServer(tmp_path), Component("nats"), asyncio.Event()
    waiting = connect_nats(server.url, "x", component=component, metrics=Metrics(), log=log, stopping=stopping)
    connecting = asyncio.ensure_future(waiting.__aenter__())
    with capture_logs() as lines:
        await eventually(lambda: bool(lines), "something was logged")
    stopping.set()
    with pytest.raises(StoppedError):
        await asyncio.wait_for(connecting, 30)


async def test_a_lost_connection_is_down_until_the_server_is_back(server: NatsServer, log: Log) -> None:
    component, metrics = Component("nats"), Metrics()
    again = asyncio.Event()

    async def on_connected() -> None:
        again.set()

    async with connect_nats(
        server.url, "test", component=component, metrics=metrics, log=log, on_connected=on_connected
    ):
        assert component.is_up
        server.kill()
        await eventually(lambda: not component.is_up, "the loss is noticed")
        assert metrics.registry.get_sample_value("hl_monitor_nats_connected") == 0
        server.start()
        await eventually(lambda: component.is_up, "the connection is back")
        assert metrics.registry.get_sample_value("hl_monitor_nats_connected") == 1
        async with asyncio.timeout(30):
            await again.wait()


async def test_what_is_published_while_nats_is_away_fails_at_once(server: NatsServer, log: Log) -> None:
    component = Component("nats")
    async with connect_nats(server.url, "test", component=component, metrics=Metrics(), log=log) as client:
        server.kill()
        await eventually(lambda: not component.is_up, "the loss is noticed")
        with pytest.raises(OutboundBufferLimitError):
            await client.publish("anything", b"")


async def test_a_password_in_the_url_is_not_shown(tmp_path: Path, log: Log) -> None:
    component = Component("nats")
    server = NatsServer(tmp_path)
    url = f"nats://me:secret@127.0.0.1:{server.port}"
    with capture_logs() as lines, server:
        async with connect_nats(url, "test", component=component, metrics=Metrics(), log=log):
            server.kill()
            await eventually(lambda: not component.is_up, "the loss is noticed")
            assert component.reason == f"no connection to nats://***@127.0.0.1:{server.port}"
    assert "secret" not in str(lines)


async def test_a_request_fails_as_soon_as_its_connection_is_lost(server: NatsServer, client: Client) -> None:
    async def never(_message: Msg) -> None:
        pass

    await client.subscribe("deaf", cb=never)
    asking = asyncio.ensure_future(client.request("deaf", b"", timeout=60))
    await client.flush()
    server.kill()
    with pytest.raises(ConnectionReconnectingError):
        await asyncio.wait_for(asking, 30)


async def test_a_cancellation_that_comes_with_the_answer_is_not_forgotten(client: Client) -> None:
    asked: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()

    async def hear(message: Msg) -> None:
        asked.set_result(message)

    await client.subscribe("echo", cb=hear)
    asking = asyncio.create_task(client.request("echo", b"", timeout=60))
    message = await asked
    # Both in one turn of the loop: the answer is there when the cancellation arrives.
    inbox = message.reply.rpartition(".")[2]
    client._resp_map[inbox].set_result(message)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
