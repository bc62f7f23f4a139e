"""A TCP proxy on this machine that can hurt what passes through it, as a bad network does."""

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Self

from hlmonitor.local.ports import free_port

LATENCY_S = 0.15
"""How late a slow line passes on what it was given; what comes meanwhile goes with the next."""
SLICED_BYTES = 200
"""So many bytes of what is read at once come singly: enough to tear every header, and bounded in CPU."""
GIVEN_UP_S = 20.0
"""So long after the other's end a side gives a dead connection up: TCP got no acknowledgement of what it sent."""
_CHUNK = 64 * 1024
_TURNS = 20
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time to linger: closing sends RST."""


class Fault(StrEnum):
    """What a network does to connections."""

    RESET = "reset"
    """Those that stand end with RST on both sides."""
    HALF_OPEN = "half_open"
    """Those that stand stay open and are dead: what is sent vanishes, and neither side learns that the other closed."""
    LATENCY = "latency"
    """All are late by LATENCY_S in each direction, until it is calm again."""
    SLICES = "slices"
    """All pass on single bytes (of each read the first SLICED_BYTES), until it is calm again."""
    STALL = "stall"
    """Nothing is read from anybody, so that senders' buffers fill, until it is calm again; nothing is lost."""


@dataclass(slots=True, eq=False)
class _Line:
    """One connection through the proxy. Buffers are those of two asyncio streams: 64 KiB each in each direction."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    is_dead: bool = False

    def end(self, *, with_reset: bool) -> None:
        for writer in (self.client, self.server):
            if with_reset:
                with suppress(OSError):
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()
            else:
                writer.close()


async def end_server(server: asyncio.Server | None, tasks: set[asyncio.Task[None]]) -> None:
    """Stop listening, and end the tasks that carry connections; each puts itself into the set, and out of it."""
    if server is not None:
        server.close()
    # Whoever was accepted already is handed over some turns of the loop later.
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(slots=True)
class TcpProxy:
    """An async context manager: inside it, what connects to `port` of 127.0.0.1 reaches `target_port`.

    While the target does not listen, connections are taken and ended with RST at once.
    """

    name: str
    target_port: int
    keep_client_address: bool = False
    """Reach the target from the client's own loopback address: it may count its clients by that."""
    port: int = field(default_factory=free_port)
    given_up_s: float = GIVEN_UP_S
    _lines: set[_Line] = field(default_factory=set, init=False)
    _passing: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _fault: Fault | None = field(default=None, init=False)
    _server: asyncio.Server | None = field(default=None, init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            OSError: the port was taken meanwhile.
        """
        self.calm()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and end every connection."""
        await end_server(self._server, self._tasks)

    @property
    def connections(self) -> int:
        """How many stand and are not dead."""
        return sum(not line.is_dead for line in self._lines)

    def hurt(self, fault: Fault) -> int:
        """Do this to every connection that stands; returns how many did. A lasting fault replaces the last one."""
        standing = [line for line in self._lines if not line.is_dead]
        match fault:
            case Fault.RESET:
                for line in standing:
                    line.end(with_reset=True)
            case Fault.HALF_OPEN:
                for line in standing:
                    line.is_dead = True
            case Fault.LATENCY | Fault.SLICES:
                self._fault = fault
            case Fault.STALL:
                self._fault = fault
                self._passing.clear()
        return len(standing)

    def calm(self) -> None:
        """End what lasts. Dead connections stay dead until one side gives up, and the other in GIVEN_UP_S."""
        self._fault = None
        self._passing.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        # A task that ends as cancelled makes asyncio's server log an error.
        with suppress(asyncio.CancelledError):
            await self._connect(reader, writer)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        source = (writer.get_extra_info("peername")[0], 0) if self.keep_client_address else None
        try:
            from_server, server = await asyncio.open_connection("127.0.0.1", self.target_port, local_addr=source)
        except OSError:
            _Line(writer, writer).end(with_reset=True)
            return
        except BaseException:
            writer.transport.abort()
            raise
        line = _Line(writer, server)
        self._lines.add(line)
        try:
            await self._carry(line, reader, from_server)
        finally:
            line.end(with_reset=True)
            self._lines.discard(line)

    async def _carry(self, line: _Line, from_client: asyncio.StreamReader, from_server: asyncio.StreamReader) -> None:
        directions = (
            asyncio.create_task(self._pump(line, from_client, line.server)),
            asyncio.create_task(self._pump(line, from_server, line.client)),
        )
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
            if line.is_dead:
                # The other side is not told.
                await asyncio.wait(directions, timeout=self.given_up_s)
            elif all(not task.done() or task.exception() is None for task in directions):
                line.end(with_reset=False)
                await self._flushed(line)
        finally:
            for task in directions:
                task.cancel()
            await asyncio.gather(*directions, return_exceptions=True)

    @staticmethod
    async def _flushed(line: _Line) -> None:
        for writer in (line.client, line.server):
            with suppress(OSError):
                await writer.wait_closed()

    async def _pump(self, line: _Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what one side sends until it closes. Raises OSError when a side is gone."""
        while True:
            await self._passing.wait()
            data = await reader.read(_CHUNK)
            if not data:
                return
            await self._passing.wait()
            if not line.is_dead:
                await self._pass_on(data, line, writer)

    async def _pass_on(self, data: bytes, line: _Line, writer: asyncio.StreamWriter) -> None:
        if self._fault is Fault.LATENCY:
            await asyncio.sleep(LATENCY_S)
        if self._fault is Fault.SLICES:
            for place in range(min(SLICED_BYTES, len(data))):
                writer.write(data[place : place + 1])
                await writer.drain()
                # The loop's turn: else the bytes would leave in one segment.
                await asyncio.sleep(0)
            data = data[SLICED_BYTES:]
        if data and not line.is_dead:
            writer.write(data)
            await writer.drain()
