"""`/control`: look behind the curtain, break things, drive exact situations."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from hlmonitor.simulator.core.errors import RefusedError
from hlmonitor.simulator.oracle.expected import Expectation, expect
from hlmonitor.simulator.wire.addresses import Address

from . import commands
from .dump import ledger_lines
from .scenario import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .server import Simulator

_QUIET_BLOCKS = 50

M = TypeVar("M", bound=commands.MarketCommand)
S = TypeVar("S", bound=commands.ServerCommand)


class ExpectedBody(commands.Strict, frozen=True):
    """Which wallets are watched, from which venue times on."""

    watch_from: dict[Address, int]
    order_timeout_ms: Annotated[int, Meta(ge=1)] = 300_000


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


class ControlEndpoint:
    """Wrong input is answered with 400 and a text that names the field."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def register(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_get("/control/stats", self._stats)
        router.add_get("/control/wallets", self._wallets)
        router.add_get("/control/ledger", self._ledger)
        router.add_get("/control/faults", self._rules)
        router.add_get("/control/load", self._load)
        router.add_get("/control/scenario", self._told)
        posts = {name: self._command(kind) for name, kind in commands.COMMANDS.items()}
        for name, action in (posts | self._more()).items():
            router.add_post(f"/control/{name}", self._handler(action))

    def _more(self) -> dict[str, Callable[[bytes], Awaitable[object]]]:
        return {"expected": self._expected, "quiesce": self._quiesce, "scenario": self._play}

    def _command(
        self, kind: type[commands.MarketCommand | commands.ServerCommand]
    ) -> Callable[[bytes], Awaitable[object]]:
        if issubclass(kind, commands.MarketCommand):
            return lambda body: self._run(body, kind)
        return lambda body: self._apply(body, kind)

    @staticmethod
    def _handler(
        action: Callable[[bytes], Awaitable[object]],
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            try:
                return _json(await action(await request.read()))
            except (commands.BadInputError, RefusedError) as error:
                return _json({"error": str(error)}, status=400)

        return handle

    async def _stats(self, _request: web.Request) -> web.Response:
        simulator = self._simulator
        ledger = simulator.market.ledger
        own = {
            "connections": dict(Counter(connection.ip for connection in simulator.connections)),
            "half_open": sum(connection.is_mute for connection in simulator.connections),
            "subscriptions": simulator.hub.listeners(),
            "orders": ledger.orders_total,
            "fills": ledger.fills_total,
            "ledger_dropped": ledger.dropped,
            "block": simulator.market.exchange.state.block.number,
            "time": simulator.market.exchange.state.now_ms,
            "trading": simulator.market.is_trading,
            "speed": simulator.clock.speed,
        }
        return _json(msgspec.to_builtins(simulator.stats) | own)

    async def _wallets(self, _request: web.Request) -> web.Response:
        return _json([{"name": name, **wallet} for name, wallet in self._simulator.wallets().items()])

    async def _told(self, _request: web.Request) -> web.Response:
        player = self._simulator.player
        return _json({} if player is None else player.told())

    async def _play(self, body: bytes) -> object:
        """Play the scenario that is the body, which is plain text; an empty one ends what is played."""
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise commands.BadInputError("the scenario is no UTF-8 text") from error
        if not text.strip():
            self._simulator.player = None
            return {}
        try:
            return self._simulator.play(text).told()
        except ScenarioError as error:
            raise commands.BadInputError(str(error)) from error

    async def _load(self, _request: web.Request) -> web.Response:
        load = self._simulator.load
        if load is None:
            return _json({"error": "load: there is none; start the simulator with --load-rate"}, status=400)
        return _json(load.report())

    async def _rules(self, _request: web.Request) -> web.Response:
        faults = self._simulator.faults
        rules = [{"id": rule.id, "until": rule.until_ms, **rule.said} for rule in faults.rules]
        return _json({"standing": faults.standing, "rules": rules})

    async def _ledger(self, request: web.Request) -> web.StreamResponse:
        try:
            since = int(request.query.get("since", "0"))
        except ValueError:
            return _json({"error": "since: must be milliseconds"}, status=400)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        ledger = self._simulator.market.ledger
        for chunk in ledger_lines(ledger, since, everybody=request.query.get("all") == "true"):
            await response.write(chunk)
        await response.write_eof()
        return response

    async def _expected(self, body: bytes) -> object:
        wanted = commands.read(body, ExpectedBody)
        ledger = self._simulator.market.ledger
        if self._simulator.load is None:
            return expect(ledger, wanted.watch_from, wanted.order_timeout_ms)
        # What a load did is more than can be judged without a pause in which feeds and clients have their turn.
        result = Expectation()
        for address, since in wanted.watch_from.items():
            result.add(expect(ledger, {address: since}, wanted.order_timeout_ms))
            await asyncio.sleep(0)
        return result

    async def _quiesce(self, _body: bytes) -> object:
        simulator = self._simulator
        await simulator.command(simulator.market.quiesce)
        # A liquidation may set off another in the next block: wait for one in which nothing happened.
        for _ in range(_QUIET_BLOCKS):
            before = simulator.market.ledger.fills_total
            time_ms = await simulator.command(lambda exchange: exchange.state.now_ms)
            if simulator.market.ledger.fills_total == before:
                break
        return {"time": time_ms, "drained": await simulator.drain()}

    async def _run(self, body: bytes, kind: type[M]) -> object:
        """Run one command, or a list of them in one block."""
        given: M | list[M] = commands.read(body, kind | list[kind])  # type: ignore[valid-type, arg-type]
        wanted = given if isinstance(given, list) else [given]
        for command in wanted:
            command.check(self._simulator.market.exchange)
        results = await self._simulator.command(lambda exchange: [command.run(exchange) for command in wanted])
        replies = [commands.reply(result) for result in results]
        return replies if isinstance(given, list) else replies[0]

    async def _apply(self, body: bytes, kind: type[S]) -> object:
        return commands.read(body, kind).apply(self._simulator)
