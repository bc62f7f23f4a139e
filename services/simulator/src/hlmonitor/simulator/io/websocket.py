"""`/ws`: the venue's WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec
from aiohttp import WSMsgType, web

from hlmonitor.simulator.wire import frames
from hlmonitor.simulator.wire.info import FailedAnswerError
from hlmonitor.simulator.wire.messages import (
    Message,
    Ping,
    Post,
    RefusedMessageError,
    Subscribe,
    Unsubscribe,
    already,
    read_message,
    unparsable,
)
from hlmonitor.simulator.wire.requests import UnreadableRequestError, read_request

from .connection import Connection

if TYPE_CHECKING:
    from hlmonitor.simulator.wire.frames import Frame
    from hlmonitor.simulator.wire.requests import Info
    from hlmonitor.simulator.wire.subscriptions import Subscription

    from .server import Simulator

_OVER_BUDGET = "429 Too Many Requests"
_FAILED = "500 Internal Server Error"


class WebSocketEndpoint:
    """Accepts connections and answers their messages."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._universe = simulator.market.exchange.state.universe

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until it ends."""
        simulator, ip = self._simulator, request.remote or ""
        budget = simulator.budget(ip)
        refusal = budget.connect(simulator.clock_ms())
        if refusal is not None:
            simulator.stats.violate(ip, "connections")
            return web.Response(status=429, text=refusal)
        connection = Connection(request, ip, budget, simulator.stats, simulator.dice, simulator.config.outbox_frames)
        try:
            await connection.socket.prepare(request)
            await self._serve(connection)
        finally:
            self._forget(connection)
        return connection.socket

    async def _serve(self, connection: Connection) -> None:
        simulator = self._simulator
        simulator.stats.connections_opened += 1
        connection.opened_ms = connection.last_sent_ms = int(asyncio.get_running_loop().time() * 1000)
        simulator.connections[connection] = None
        if simulator.config.greeting:
            self._send(connection, frames.GREETING)
        writer = asyncio.create_task(connection.write())
        try:
            async for message in connection.socket:
                if message.type is WSMsgType.TEXT:
                    self._answer(connection, message.data)
            if connection.is_ending:
                await writer
        finally:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await writer

    def _forget(self, connection: Connection) -> None:
        self._simulator.connections.pop(connection, None)
        for subscription in connection.subscriptions:
            self._simulator.hub.remove(connection, subscription)
        count = len(connection.subscriptions)
        connection.budget.disconnect(connection.users(), count, self._simulator.clock_ms())

    def _send(self, connection: Connection, frame: Frame) -> None:
        connection.send(frame, self._simulator.faults, self._simulator.market.exchange.state.now_ms)

    def _refuse(self, connection: Connection, text: str, *, limit: str | None = None) -> None:
        stats = self._simulator.stats
        if limit is None:
            stats.refused[text.split(":", 1)[0].split(" {", 1)[0]] += 1
        else:
            stats.violate(connection.ip, limit)
        self._send(connection, frames.message("error", text))

    def _answer(self, connection: Connection, text: str) -> None:
        over = connection.budget.message(self._simulator.clock_ms())
        if over is not None:
            self._refuse(connection, over, limit="messages")
            return
        try:
            message = read_message(text, self._universe)
        except RefusedMessageError as error:
            if error.unknown_coin and self._simulator.config.unknown_coin_closes:
                connection.abort("unknown_coin")
                return
            self._refuse(connection, str(error))
            return
        self._act(connection, message, text)

    def _act(self, connection: Connection, message: Message, text: str) -> None:
        match message:
            case Ping():
                self._send(connection, frames.PONG)
            case Subscribe(subscription):
                self._subscribe(connection, subscription)
            case Unsubscribe(subscription):
                self._unsubscribe(connection, subscription)
            case Post():
                self._post(connection, message, text)

    def _acknowledge(self, connection: Connection, method: str, subscription: Subscription) -> None:
        reply = {"method": method, "subscription": subscription.echo()}
        self._send(connection, frames.message("subscriptionResponse", reply))

    def _subscribe(self, connection: Connection, subscription: Subscription) -> None:
        if subscription in connection.subscriptions:
            self._refuse(connection, already("subscribed", subscription))
            return
        over = connection.budget.subscribe(subscription.user, self._simulator.clock_ms())
        if over is not None:
            self._refuse(connection, over, limit="users" if "users" in over else "subscriptions")
            return
        connection.subscriptions[subscription] = None
        self._acknowledge(connection, "subscribe", subscription)
        self._simulator.hub.add(connection, subscription, self._simulator.faults)

    def _unsubscribe(self, connection: Connection, subscription: Subscription) -> None:
        if subscription not in connection.subscriptions:
            self._refuse(connection, already("unsubscribed", subscription))
            return
        del connection.subscriptions[subscription]
        connection.budget.unsubscribe(subscription.user)
        self._simulator.hub.remove(connection, subscription)
        self._acknowledge(connection, "unsubscribe", subscription)

    def _post(self, connection: Connection, post: Post, text: str) -> None:
        """Take a post; it stays in flight until the next block answers it."""
        try:
            request = read_request(post.payload)
        except UnreadableRequestError:
            self._refuse(connection, str(unparsable(text)))
            return
        over = connection.budget.post(post.id)
        if over is not None:
            self._refuse(connection, over, limit="posts")
            return

        def reply() -> None:
            connection.budget.posts -= 1
            kind = msgspec.json.decode(post.payload)["type"]
            response = self._info(connection, request, kind)
            self._send(connection, frames.message("post", {"id": post.id, "response": response}))

        self._simulator.at_block_end(reply)

    def _info(self, connection: Connection, request: Info, kind: str) -> dict[str, object]:
        """Answer a post out of the client's REST budget. How a failure reads here is an assumption."""
        simulator, now_ms = self._simulator, self._simulator.clock_ms()
        if not connection.budget.spend(request.weight, now_ms):
            simulator.stats.violate(connection.ip, "weight")
            return {"type": "error", "payload": _OVER_BUDGET}
        try:
            data = simulator.answerer.answer(request)
        except FailedAnswerError:
            return {"type": "error", "payload": _FAILED}
        connection.budget.charge(simulator.answerer.extra_weight(request, data), now_ms)
        return {"type": "info", "payload": {"type": kind, "data": data}}
