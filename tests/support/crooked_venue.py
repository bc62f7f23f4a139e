"""A venue that lies: stands before the simulator and changes what passes, for what the simulator itself never says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

Rewrite = Callable[[bytes], bytes]


def unchanged(body: bytes) -> bytes:
    """Leave it."""
    return body


@dataclass
class CrookedVenue:
    """Passes REST and websocket on to the simulator at `url`, and back through what the test has set."""

    url: str
    rewrite_frame: Rewrite = unchanged
    """Applied to every frame that the venue sends."""
    rewrite_reply: Rewrite = unchanged
    """Applied to every REST reply."""
    port: int = 0
    _clients: set[web.WebSocketResponse] = field(default_factory=set)

    def stands_before(self, url: str) -> None:
        """From now on it passes on to the simulator there."""
        self.url = url

    async def inject(self, text: str) -> int:
        """Send a frame of the test's own to every client; returns how many there are."""
        for client in self._clients:
            await client.send_str(text)
        return len(self._clients)

    async def info(self, request: web.Request) -> web.Response:
        """POST /info."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{self.url}/info", data=await request.read(), headers={"Content-Type": request.content_type}
            ) as reply,
        ):
            body = self.rewrite_reply(await reply.read())
            return web.Response(body=body, status=reply.status, content_type=reply.content_type)

    async def websocket(self, request: web.Request) -> web.WebSocketResponse:
        """GET /ws."""
        client = web.WebSocketResponse()
        await client.prepare(request)
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{self.url}/ws") as venue:
            self._clients.add(client)
            try:
                await self._relay(client, venue)
            finally:
                self._clients.discard(client)
        return client

    async def _relay(self, client: web.WebSocketResponse, venue: aiohttp.ClientWebSocketResponse) -> None:
        down = asyncio.create_task(self._down(client, venue))
        async for message in client:
            await venue.send_str(message.data)
        down.cancel()
        await asyncio.gather(down, return_exceptions=True)

    async def _down(self, client: web.WebSocketResponse, venue: aiohttp.ClientWebSocketResponse) -> None:
        async for message in venue:
            await client.send_str(self.rewrite_frame(message.data.encode()).decode())
        await client.close()


@asynccontextmanager
async def crooked_venue(port: int) -> AsyncIterator[CrookedVenue]:
    """A venue that serves on a port of 127.0.0.1; it stands before nothing yet."""
    venue = CrookedVenue("")
    app = web.Application()
    app.router.add_post("/info", venue.info)
    app.router.add_get("/ws", venue.websocket)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    venue.port = port
    try:
        yield venue
    finally:
        with contextlib.suppress(TimeoutError):
            await runner.cleanup()
