"""The connections between the processes of a run, each through a proxy that can hurt it.

The proxies live in a process of their own (`python -m chaos.lines`): the one that breaks and judges is too busy at
times to carry everybody's bytes. It is told what to do by lines of JSON on its standard input and answers each with a
number.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import msgspec

from hlmonitor.local.ports import free_port
from hlmonitor.local.proxy import Fault, TcpProxy

_ANSWER_S = 20.0


class Line(msgspec.Struct, frozen=True):
    """A proxy that is to be."""

    name: str
    target_port: int
    port: int
    keep_client_address: bool


class Command(msgspec.Struct, frozen=True):
    """Hurt a line, calm it, or (with neither) count its connections that are not dead."""

    line: str
    fault: Fault | None = None
    calm: bool = False


@dataclass(slots=True)
class Lines:
    """The lines of a run, by name, `who>whom`."""

    lines: dict[str, Line] = field(default_factory=dict)
    _process: asyncio.subprocess.Process | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def route(self, client: str, server: str, address: str) -> str:
        """The way through a proxy of its own, for a stack's `route`."""
        name, port = f"{client}>{server}", free_port()
        # The venue counts its limits by the client's address.
        self.lines[name] = Line(name, int(address.rpartition(":")[2]), port, server == "simulator")
        return f"127.0.0.1:{port}"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Carry what passes while the context lasts."""
        pipe = asyncio.subprocess.PIPE
        # A test's path is not in the environment.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, stdin=pipe, stdout=pipe, env=environment
        )
        try:
            await self._ask(list(self.lines.values()))
            yield
        finally:
            self._process.kill()
            await self._process.wait()

    async def connections(self, line: str) -> int:
        """How many stand and are not dead."""
        return await self._ask(Command(line))

    async def hurt(self, line: str, fault: Fault) -> int:
        """Hurt every connection of a line; returns how many stood."""
        return await self._ask(Command(line, fault=fault))

    async def calm(self, line: str) -> None:
        """End a fault that lasts."""
        await self._ask(Command(line, calm=True))

    async def _ask(self, what: object) -> int:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._asking, asyncio.timeout(_ANSWER_S):
            self._process.stdin.write(msgspec.json.encode(what) + b"\n")
            return int(await self._process.stdout.readline())


async def serve() -> None:
    """Be the proxies until standard input ends, as it does with the process that started this one."""
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader(limit=1024 * 1024)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with AsyncExitStack() as stack:
        wanted = msgspec.json.decode(await reader.readline(), type=list[Line])
        proxies = {
            line.name: await stack.enter_async_context(
                TcpProxy(line.name, line.target_port, line.keep_client_address, line.port)
            )
            for line in wanted
        }
        print(len(proxies), flush=True)  # noqa: T201
        async for text in reader:
            print(_do(msgspec.json.decode(text, type=Command), proxies), flush=True)  # noqa: T201


def _do(command: Command, proxies: dict[str, TcpProxy]) -> int:
    proxy = proxies[command.line]
    if command.fault is not None:
        return proxy.hurt(command.fault)
    if command.calm:
        proxy.calm()
    return proxy.connections


if __name__ == "__main__":
    asyncio.run(serve())
