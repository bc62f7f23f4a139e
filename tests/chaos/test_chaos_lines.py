"""The lines of a run: proxies in a process of their own that do what they are told."""

import asyncio
from contextlib import suppress

import pytest

from chaos.lines import Lines
from hlmonitor.local.ports import free_port
from hlmonitor.local.proxy import Fault

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionResetError):
        while data := await reader.read(100):
            writer.write(data)
    writer.close()


async def test_each_line_carries_what_passes_and_is_hurt_alone() -> None:
    port = free_port()
    lines = Lines()
    ways = {name: lines.route(name, "server", f"127.0.0.1:{port}") for name in ("one", "two")}
    async with await asyncio.start_server(echo, "127.0.0.1", port), lines.open():
        ends = {}
        for name, way in ways.items():
            ends[name] = await asyncio.open_connection("127.0.0.1", int(way.rpartition(":")[2]))
            ends[name][1].write(b"x")
            assert await ends[name][0].readexactly(1) == b"x"
        assert await lines.connections("one>server") == 1
        assert await lines.hurt("one>server", Fault.RESET) == 1
        with pytest.raises(ConnectionResetError):
            await ends["one"][0].read(1)
        assert await lines.hurt("two>server", Fault.STALL) == 1
        ends["two"][1].write(b"y")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ends["two"][0].readexactly(1), 0.3)
        await lines.calm("two>server")
        assert await ends["two"][0].readexactly(1) == b"y"
        for _, writer in ends.values():
            writer.close()
