"""A WebSocket client that does exactly what a test tells it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect


class Client:
    """Sends JSON and reads frames, one after the other."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, value: object) -> None:
        await self.socket.send(json.dumps(value))

    async def receive(self) -> dict[str, object]:
        frame = json.loads(await asyncio.wait_for(self.socket.recv(), 5))
        assert isinstance(frame, dict)
        return frame

    async def expect(self, channel: str) -> object:
        """Return the data of the next frame of a channel; skip others."""
        while True:
            frame = await self.receive()
            if frame["channel"] == channel:
                return frame.get("data")

    async def subscribe(self, kind: str, **fields: object) -> dict[str, object]:
        """Subscribe; return the next frame."""
        await self.send({"method": "subscribe", "subscription": {"type": kind, **fields}})
        return await self.receive()

    async def error(self) -> object:
        """Return the text of the next frame, which is an error."""
        frame = await self.receive()
        assert frame["channel"] == "error", frame
        return frame["data"]

    async def next_error(self) -> object:
        """Return the text of the next error; skip others."""
        return await self.expect("error")


@asynccontextmanager
async def client(ws_url: str, ip: str = "127.0.0.1") -> AsyncIterator[Client]:
    """Connect from a loopback address, which is what limits are counted by."""
    async with connect(ws_url, local_addr=(ip, 0), ping_interval=None, max_queue=None) as socket:
        yield Client(socket)
