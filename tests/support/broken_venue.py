"""A client and commander of a simulator, for tests of what goes wrong on the way."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from commander import Commander
from websockets.asyncio.client import ClientConnection, connect

from hlmonitor.simulator.core.orders import Side, Tif
from hlmonitor.simulator.testing import Running, request, wallet

A, B = wallet(0xA), wallet(0xB)
PATIENCE_S = 10.0


@dataclass
class Client:
    """One socket."""

    socket: ClientConnection

    async def send(self, value: object) -> None:
        await self.socket.send(json.dumps(value))

    async def raw(self) -> str:
        frame = await asyncio.wait_for(self.socket.recv(), PATIENCE_S)
        assert isinstance(frame, str)
        return frame

    async def receive(self) -> dict[str, Any]:
        frame = json.loads(await self.raw())
        assert isinstance(frame, dict)
        return frame

    async def expect(self, channel: str) -> Any:  # noqa: ANN401 any JSON
        """Return the data of the next frame of a channel; skip others."""
        while True:
            frame = await self.receive()
            if frame["channel"] == channel:
                return frame.get("data")

    async def subscribe(self, kind: str, **fields: object) -> None:
        await self.send({"method": "subscribe", "subscription": {"type": kind, **fields}})
        await self.expect("subscriptionResponse")

    async def hears_nothing(self, for_s: float = 0.15) -> bool:
        try:
            await asyncio.wait_for(self.socket.recv(), for_s)
        except TimeoutError:
            return True
        return False


class Venue(Commander):
    """A running simulator, its commands and its REST."""

    def __init__(self, running: Running, http: httpx.AsyncClient) -> None:
        super().__init__(http)
        self.running = running

    async def info(self, kind: str, **fields: object) -> httpx.Response:
        return await self.http.post("/info", json={"type": kind, **fields})

    async def stats(self) -> Any:  # noqa: ANN401 any JSON
        return (await self.http.get("/control/stats")).json()

    async def fund(self) -> None:
        for address in (A, B):
            await self.do("deposit", address=address, amount="1000000")

    async def trade(self, sz: str = "1") -> None:
        """Let A buy from B, in one block."""
        await self.running.simulator.command(
            lambda exchange: (
                exchange.place(B, request(Side.SELL, sz, "66650")),
                exchange.place(A, request(Side.BUY, sz, "66650", tif=Tif.IOC)),
            )
        )

    @asynccontextmanager
    async def client(self, ip: str = "127.0.0.1") -> AsyncIterator[Client]:
        async with connect(
            self.running.ws_url, local_addr=(ip, 0), ping_interval=None, close_timeout=0.2, open_timeout=5
        ) as socket:
            yield Client(socket)


@asynccontextmanager
async def venue_of(running: Running) -> AsyncIterator[Venue]:
    """Drive a running simulator, whose wallets A and B have money."""
    async with httpx.AsyncClient(base_url=running.url, timeout=PATIENCE_S) as http:
        venue = Venue(running, http)
        await venue.fund()
        yield venue
