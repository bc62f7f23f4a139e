"""The proxy that hurts connections: each fault does what it says, and what is calm is untouched."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from hlmonitor.local.ports import free_port
from hlmonitor.local.proxy import GIVEN_UP_S, SLICED_BYTES, Fault, TcpProxy
from hlmonitor.local.waiting import eventually


@dataclass
class Echo:
    """A server that answers every read with the same bytes and notes what it saw."""

    reads: list[bytes] = field(default_factory=list)
    clients: list[str] = field(default_factory=list)
    ended: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.clients.append(writer.get_extra_info("peername")[0])
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                self.reads.append(data)
                writer.write(data)
                await writer.drain()
        self.ended += 1
        writer.close()


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, data: bytes) -> bytes:
        self.writer.write(data)
        await self.writer.drain()
        async with asyncio.timeout(60):
            return await self.reader.readexactly(len(data))


@asynccontextmanager
async def proxied(
    *, keep_client_address: bool = False, given_up_s: float = GIVEN_UP_S
) -> AsyncIterator[tuple[TcpProxy, Echo]]:
    echo, port = Echo(), free_port()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", port)
    try:
        async with TcpProxy("test", port, keep_client_address, given_up_s=given_up_s) as proxy:
            yield proxy, echo
    finally:
        server.close()


@asynccontextmanager
async def connected(proxy: TcpProxy, source: str = "127.0.0.1") -> AsyncIterator[Client]:
    client = Client(*await asyncio.open_connection("127.0.0.1", proxy.port, local_addr=(source, 0)))
    try:
        yield client
    finally:
        client.writer.close()


async def test_what_passes_in_calm_is_whole_in_both_directions() -> None:
    async with proxied() as (proxy, _), connected(proxy) as client:
        data = bytes(range(256)) * 4096
        asking = asyncio.create_task(client.ask(data))
        assert await asking == data
        assert proxy.connections == 1


async def test_the_server_sees_the_proxy_or_the_clients_own_address() -> None:
    for keep, seen in ((True, "127.0.0.7"), (False, "127.0.0.1")):
        async with proxied(keep_client_address=keep) as (proxy, echo), connected(proxy, "127.0.0.7") as client:
            await client.ask(b"x")
            assert echo.clients == [seen]


async def test_an_end_of_either_side_is_passed_on_in_calm() -> None:
    async with proxied() as (proxy, echo):
        async with connected(proxy) as client:
            await client.ask(b"x")
        await eventually(lambda: echo.ended == 1, "the server saw the end")
        await eventually(lambda: proxy.connections == 0, "the connection is gone")


async def test_a_reset_ends_every_connection_on_both_sides_and_the_next_one_is_well() -> None:
    async with proxied() as (proxy, echo), connected(proxy) as first, connected(proxy) as second:
        await first.ask(b"x")
        await second.ask(b"y")
        assert proxy.hurt(Fault.RESET) == 2
        for client in (first, second):
            with pytest.raises(ConnectionResetError):
                await client.reader.read(1)
        await eventually(lambda: echo.ended == 2, "the server saw both end")
        async with connected(proxy) as third:
            assert await third.ask(b"z") == b"z"


async def test_a_half_open_connection_swallows_and_tells_neither_side_of_the_others_end() -> None:
    async with proxied() as (proxy, echo):
        async with connected(proxy) as client:
            await client.ask(b"x")
            assert proxy.hurt(Fault.HALF_OPEN) == 1
            assert proxy.connections == 0
            client.writer.write(b"lost")
            await client.writer.drain()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.reader.read(1), 0.3)
        await asyncio.sleep(0.2)
        assert (echo.reads, echo.ended) == ([b"x"], 0)
        async with connected(proxy) as other:
            assert await other.ask(b"y") == b"y"
            assert proxy.hurt(Fault.HALF_OPEN) == 1


async def test_the_far_side_of_a_half_open_connection_gives_it_up_in_the_end() -> None:
    async with proxied(given_up_s=0.3) as (proxy, echo):
        async with connected(proxy) as client:
            await client.ask(b"x")
            proxy.hurt(Fault.HALF_OPEN)
        while not echo.ended:
            await asyncio.sleep(0.05)


async def test_slices_come_as_single_bytes_and_whole() -> None:
    async with proxied() as (proxy, echo), connected(proxy) as client:
        await client.ask(b"x")
        assert proxy.hurt(Fault.SLICES) == 1
        data = bytes(range(SLICED_BYTES))
        assert await client.ask(data) == data
        # The kernel may join some of them.
        assert len(echo.reads) > SLICED_BYTES / 4


async def test_latency_delays_each_direction_until_it_is_calm() -> None:
    loop = asyncio.get_running_loop()
    async with proxied() as (proxy, _), connected(proxy) as client:
        proxy.hurt(Fault.LATENCY)
        began = loop.time()
        await client.ask(b"x")
        assert loop.time() - began >= 0.3
        proxy.calm()
        assert await client.ask(b"y") == b"y"


async def test_a_stalled_line_takes_nothing_more_and_loses_nothing() -> None:
    async with proxied() as (proxy, echo), connected(proxy) as client:
        await client.ask(b"x")
        proxy.hurt(Fault.STALL)
        client.writer.transport.set_write_buffer_limits(high=1)
        data = bytes(16 * 1024 * 1024)
        client.writer.write(data)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.writer.drain(), 0.3)
        assert echo.reads == [b"x"]
        proxy.calm()
        reading = asyncio.create_task(client.reader.readexactly(len(data)))
        await client.writer.drain()
        assert await reading == data


async def test_without_a_server_a_connection_is_reset_at_once() -> None:
    async with TcpProxy("test", free_port()) as proxy, connected(proxy) as client:
        with pytest.raises(ConnectionResetError):
            await client.reader.read(1)


async def test_closing_the_proxy_ends_what_is_stalled_or_dead() -> None:
    async with proxied() as (proxy, _), connected(proxy) as client:
        await client.ask(b"x")
        proxy.hurt(Fault.HALF_OPEN)
        async with connected(proxy) as other:
            await other.ask(b"y")
            proxy.hurt(Fault.STALL)
            await proxy.__aexit__(None, None, None)
            assert proxy.connections == 0
