"""A TCP proxy that lets a request through and keeps the reply: the moment in which a crash is hardest to tell of."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from hlmonitor.local.ports import free_port
from hlmonitor.local.proxy import end_server

_CHUNK = 64 * 1024


@dataclass(slots=True)
class ReplyThief:
    """An async context manager: inside it, what connects to `port` of 127.0.0.1 reaches `target_port`.

    Once armed, the first connection on which the client sends the markers, one after the other, loses what the server
    says from then on: nothing more of it arrives, and the connection stays open until `cut`.
    """

    target_port: int
    port: int = field(default_factory=free_port)
    kept: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    """The server has answered, and its answer was kept."""
    _markers: tuple[bytes, ...] = field(default=(), init=False)
    _sent: dict[asyncio.StreamWriter, int] = field(default_factory=dict, init=False)
    """How many of the markers each client has sent."""
    _robbed: asyncio.StreamWriter | None = field(default=None, init=False)
    _server: asyncio.Server | None = field(default=None, init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and end every connection."""
        await end_server(self._server, self._tasks)

    def arm(self, *markers: bytes) -> None:
        """Keep the answer to the first request in which the last of these is, after requests with those before it."""
        self.kept.clear()
        self._sent.clear()
        self._markers, self._robbed = markers, None

    def cut(self) -> None:
        """End the robbed connection towards its client with RST."""
        if self._robbed is not None:
            self._robbed.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            # A task that ends cancelled would be reported as an error by the server that made it.
            with suppress(OSError, asyncio.CancelledError):
                await self._carry(reader, writer)
        finally:
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        from_server, server = await asyncio.open_connection("127.0.0.1", self.target_port)
        directions = [
            asyncio.create_task(self._to_server(reader, server, client)),
            asyncio.create_task(self._to_client(from_server, client)),
        ]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            server.transport.abort()
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)

    async def _to_server(
        self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, client: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self._is_the_last_marker(data, client):
                    self._markers, self._robbed = (), client
                server.write(data)
                await server.drain()

    def _is_the_last_marker(self, data: bytes, client: asyncio.StreamWriter) -> bool:
        sent = self._sent.get(client, 0)
        while sent < len(self._markers) and self._markers[sent] in data:
            sent += 1
        self._sent[client] = sent
        return 0 < sent == len(self._markers)

    async def _to_client(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                if client is self._robbed:
                    self.kept.set()
                    continue
                client.write(data)
                await client.drain()
