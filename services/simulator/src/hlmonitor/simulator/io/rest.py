"""`POST /info`: the venue's read API, with its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from hlmonitor.simulator.wire.requests import UnreadableRequestError, read_request

if TYPE_CHECKING:
    from .server import Simulator


class InfoEndpoint:
    """Answers one request per call; the reply is the state of the last block."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def handle(self, http: web.Request) -> web.Response:
        """Read, charge, answer."""
        simulator, now_ms = self._simulator, self._simulator.clock_ms()
        simulator.stats.requests += 1
        try:
            request = read_request(await http.read())
        except UnreadableRequestError as error:
            return web.Response(status=422, text=str(error))
        budget = simulator.budget(http.remote or "")
        if not budget.spend(request.weight, now_ms):
            simulator.stats.violations["weight"] += 1
            return web.Response(status=429, text="429 Too Many Requests")
        reply = simulator.answerer.answer(request)
        budget.charge(simulator.answerer.extra_weight(request, reply), now_ms)
        return web.Response(body=msgspec.json.encode(reply), content_type="application/json")
