"""`/control`: look behind the curtain, break things, drive exact situations."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING, Protocol

import msgspec
from aiohttp import web

from hlmonitor.simulator.oracle.expected import expect

from . import scenario
from .dump import ledger_lines

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hlmonitor.simulator.core.exchange import Exchange

    from .connection import Connection
    from .server import Simulator

_QUIET_BLOCKS = 50


class _Command(Protocol):
    def check(self, exchange: Exchange) -> None: ...
    def run(self, exchange: Exchange) -> dict[str, object]: ...


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
        posts: dict[str, Callable[[bytes], Awaitable[object]]] = {
            "expected": self._expected,
            "disconnect": self._disconnect,
            "faults": self._faults,
            "quiesce": self._quiesce,
            "speed": self._speed,
            "order": self._order,
            "cancel": self._cancel,
            "twap": lambda body: self._run(scenario.read(body, scenario.TwapBody)),
            "deposit": lambda body: self._run(scenario.read(body, scenario.DepositBody)),
            "leverage": lambda body: self._run(scenario.read(body, scenario.LeverageBody)),
            "oracle": lambda body: self._run(scenario.read(body, scenario.OracleBody)),
        }
        for name, action in posts.items():
            router.add_post(f"/control/{name}", self._handler(action))

    @staticmethod
    def _handler(
        action: Callable[[bytes], Awaitable[object]],
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            try:
                return _json(await action(await request.read()))
            except scenario.BadInputError as error:
                return _json({"error": str(error)}, status=400)

        return handle

    async def _stats(self, _request: web.Request) -> web.Response:
        simulator = self._simulator
        ledger = simulator.market.ledger
        own = {
            "connections": dict(Counter(connection.ip for connection in simulator.connections)),
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
        population = self._simulator.market.population
        whales = () if population is None else population.whales
        return _json(
            [
                {"name": f"{whale.style}-{number}", "address": whale.address, "style": whale.style}
                for number, whale in enumerate(whales)
            ]
        )

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
        wanted = scenario.read(body, scenario.ExpectedBody)
        return expect(self._simulator.market.ledger, wanted.watch_from, wanted.order_timeout_ms)

    async def _disconnect(self, body: bytes) -> object:
        wanted = scenario.read(body, scenario.DisconnectBody)
        if not (wanted.user or wanted.client or wanted.all):
            raise scenario.BadInputError("user, client or all: one of them must say what to disconnect")
        hit = [c for c in self._simulator.connections if self._is_meant(c, wanted)]
        for connection in hit:
            connection.abort("control")
        return {"disconnected": len(hit)}

    @staticmethod
    def _is_meant(connection: Connection, wanted: scenario.DisconnectBody) -> bool:
        watched = wanted.user is not None and wanted.user.lower() in connection.users()
        return wanted.all or connection.ip == wanted.client or watched

    async def _faults(self, body: bytes) -> object:
        wanted = scenario.read(body, scenario.FaultsBody)
        given = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not None}
        self._simulator.faults = dataclasses.replace(self._simulator.faults, **given)
        return self._simulator.faults

    async def _speed(self, body: bytes) -> object:
        clock = self._simulator.clock
        clock.set_speed(scenario.read(body, scenario.SpeedBody).speed)
        return {"speed": clock.speed, "time": self._simulator.market.exchange.state.now_ms}

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

    async def _order(self, body: bytes) -> object:
        """Place one order, or a list of orders in one block."""
        given = scenario.read(body, scenario.OrderBody | list[scenario.OrderBody])  # type: ignore[arg-type]
        orders = given if isinstance(given, list) else [given]
        for order in orders:
            order.check(self._simulator.market.exchange)
        placed = await self._simulator.command(lambda exchange: [order.run(exchange) for order in orders])
        replies = [scenario.order_reply(order) for order in placed]
        return replies if isinstance(given, list) else replies[0]

    async def _cancel(self, body: bytes) -> object:
        return await self._simulator.command(scenario.read(body, scenario.CancelBody).run)

    async def _run(self, command: _Command) -> object:
        command.check(self._simulator.market.exchange)
        return await self._simulator.command(command.run)
