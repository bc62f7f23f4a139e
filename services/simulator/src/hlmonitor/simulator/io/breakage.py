"""Faults that happen to HTTP: requests that fail, answers that break off, connections that are not taken."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from hlmonitor.simulator.core.faults import Edit, ReplyFault

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from hlmonitor.simulator.core.faults import Refusal, Rule

    from .server import Simulator

_MILLION: Final = 1_000_000
_OWN: Final = {429, 500}
"""What the venue itself answers, with `null`; anything else comes from the gateway before it."""


class Breakage:
    """A middleware around everything that clients of the venue use; `/control` never breaks."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    @web.middleware
    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request pass, or do to it what the faults say."""
        if request.path == "/ws":
            refusal = self._refusal(request.remote or "")
            if refusal is not None:
                return _cut(request) if refusal.status is None else failure(refusal.status)
        if request.path == "/info" and request.method == "POST":
            rules = self._rules(request, await request.read())
            if rules:
                return await self._break(request, handler, rules)
        return await handler(request)

    def _happens(self, kind: str, chance: float) -> bool:
        happens = self._simulator.dice.randrange(_MILLION) < chance * _MILLION
        self._simulator.stats.faults[kind] += happens
        return happens

    def _refusal(self, client: str) -> Refusal | None:
        refusals = self._simulator.faults.refusals(client)
        return next((refusal for refusal in refusals if self._happens("refuse", refusal.chance)), None)

    def _rules(self, request: web.Request, body: bytes) -> list[Rule]:
        """Return the rules that meet a request. What is no JSON is met by those that name nothing."""
        try:
            asked = msgspec.json.decode(body, type=dict[str, object])
        except msgspec.DecodeError:
            asked = {}
        kind, user, coin = (asked.get(name) for name in ("type", "user", "coin"))
        user = user.lower() if isinstance(user, str) else None
        coin = coin if isinstance(coin, str) else None
        return self._simulator.faults.request_faults(str(kind), user, coin, request.remote or "")

    async def _break(self, request: web.Request, handler: Handler, rules: list[Rule]) -> web.StreamResponse:
        met = [
            (rule, rule.effect)
            for rule in rules
            if isinstance(rule.effect, ReplyFault) and self._happens(rule.effect.kind, rule.effect.chance)
        ]
        for rule, fault in met:
            await self._simulator.until(self._simulator.now_ms + fault.delay_ms)
            if fault.hang:
                await self._hang(request, rule)
            if fault.hang or (fault.reset and not fault.truncate):
                return _cut(request)
            if fault.status is not None:
                return failure(fault.status, fault.text)
        response = await handler(request)
        if not isinstance(response, web.Response) or not isinstance(response.body, bytes):
            return response
        whole = self._edited(response.body, [rule.effect for rule in rules if isinstance(rule.effect, Edit)])
        cut = [fault for _, fault in met if fault.truncate]
        if not cut:
            response.body = whole
        elif any(fault.reset for fault in cut):
            return await self._break_off(request, response, whole)
        else:
            response.body = whole[: self._place(whole)]
        return response

    async def _hang(self, request: web.Request, rule: Rule) -> None:
        """Wait until the client gives up, or the rule ends."""
        while self._simulator.faults.is_in_force(rule) and request.transport is not None:
            await self._simulator.until(self._simulator.now_ms + 1)

    def _edited(self, body: bytes, edits: list[Edit]) -> bytes:
        for edit in edits:
            before, body = body, edit.apply(body)
            self._simulator.stats.faults[edit.name] += body is not before
        return body

    def _place(self, body: bytes) -> int:
        return 1 + self._simulator.dice.randrange(max(len(body) - 1, 1))

    async def _break_off(self, request: web.Request, response: web.Response, body: bytes) -> web.StreamResponse:
        """Promise the whole body, send a part of it, and cut the connection."""
        broken = web.StreamResponse(status=response.status, headers={"Content-Type": response.content_type})
        broken.content_length = len(body)
        await broken.prepare(request)
        await broken.write(body[: min(self._place(body), len(body) - 1)])
        _cut(request)
        return broken


def failure(status: int, text: str | None = None) -> web.Response:
    """Return an answer with an error's status: the venue's own `null`, or a page of the gateway before it."""
    if text is not None:
        return web.Response(status=status, text=text)
    if status in _OWN:
        return web.Response(status=status, body=b"null", content_type="application/json")
    known = [entry.phrase for entry in HTTPStatus if entry.value == status]
    title = " ".join([str(status), *known])
    head = f"<html>\r\n<head><title>{title}</title></head>\r\n"
    page = f"{head}<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    return web.Response(status=status, text=page, content_type="text/html")


def _cut(request: web.Request) -> web.Response:
    """Cut the connection under a request; what is returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
