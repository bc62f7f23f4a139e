"""`POST /info`: the venue's read API, with its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from hlmonitor.simulator.wire.info import FailedAnswerError
from hlmonitor.simulator.wire.requests import UnreadableRequestError, read_request

if TYPE_CHECKING:
    from .server import Simulator

NO_JSON_TYPE: Final = "Expected request with `Content-Type: application/json`"

# Web pages of any origin may ask, as at the venue.
_OPEN_TO_PAGES: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "*",
    "Vary": "origin, access-control-request-method, access-control-request-headers",
}
_PREFLIGHT: Final = _OPEN_TO_PAGES | {"Access-Control-Allow-Methods": "*", "Access-Control-Allow-Headers": "*"}


def text(status: int, message: str) -> web.Response:
    """Return a refusal of the request as such, which is plain text."""
    return web.Response(status=status, text=message, headers=_OPEN_TO_PAGES)


def json(reply: object, status: int = 200) -> web.Response:
    """Return a reply. Beyond the budget (429) and after a failure (500) the venue sends `null`."""
    body = msgspec.json.encode(reply)
    return web.Response(status=status, body=body, content_type="application/json", headers=_OPEN_TO_PAGES)


class InfoEndpoint:
    """Answers one request per call; the reply is the state of the last block."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def preflight(self, _http: web.Request) -> web.Response:
        """Tell a browser that it may ask."""
        return web.Response(headers=_PREFLIGHT)

    async def handle(self, http: web.Request) -> web.Response:
        """Read, charge, answer."""
        simulator, now_ms = self._simulator, self._simulator.clock_ms()
        simulator.stats.requests += 1
        if http.content_type != "application/json":
            return text(415, NO_JSON_TYPE)
        try:
            request = read_request(await http.read())
        except UnreadableRequestError as error:
            return text(error.status, str(error))
        client = http.remote or ""
        budget = simulator.budget(client)
        if not budget.spend(request.weight, now_ms):
            simulator.stats.violate(client, "weight")
            return json(None, 429)
        try:
            reply = simulator.answerer.answer(request)
        except FailedAnswerError:
            return json(None, 500)
        budget.charge(simulator.answerer.extra_weight(request, reply), now_ms)
        return json(reply)
