"""One application on one port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from .breakage import Breakage
from .control import ControlEndpoint
from .rest import InfoEndpoint
from .websocket import WebSocketEndpoint

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from .server import Simulator


class Listener:
    """Serves a simulator over HTTP and WebSocket."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        app = web.Application(middlewares=[self._count_errors, Breakage(simulator).handle])
        info = InfoEndpoint(simulator)
        app.router.add_post("/info", info.handle)
        app.router.add_options("/info", info.preflight)
        app.router.add_get("/ws", WebSocketEndpoint(simulator).handle)
        ControlEndpoint(simulator).register(app.router)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Open the port; `port` then tells which."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, backlog=1024).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Cut every connection, close the port and the simulator's files."""
        if self._simulator.load is not None:
            self._simulator.load.stop()
        for connection in list(self._simulator.connections):
            connection.abort("shutdown")
        await self._runner.cleanup()
        self._simulator.close()

    @web.middleware
    async def _count_errors(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException:
            raise
        except ConnectionError:
            # The client has gone in the middle of its request: nobody's error, and nobody reads the answer.
            return web.Response()
        except Exception:
            self._simulator.stats.uncaught_errors += 1
            raise
