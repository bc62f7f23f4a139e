"""The port of a replay: `/ws` and `/info` from a capture, and `/control/replay`."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec
from aiohttp import WSMsgType, web

from .answers import Answers, MissingAnswerError
from .capture import Line, look_through
from .feeds import Feed, Feeds
from .player import FASTEST, SLOWEST, Player, State

if TYPE_CHECKING:
    from pathlib import Path

    from .capture import Fields

_OUTBOX_FRAMES: Final = 10_000
_PATIENCE_S: Final = 10.0
_POLL_S: Final = 0.005
_UNREADABLE: Final = "Failed to deserialize the JSON body into the target type"
_NO_CLOSE_FRAME: Final = 1006
_OK: Final = 200


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /control/replay`; what is left out stays."""

    state: Literal["running", "paused"] | None = None
    speed: float | None = None


class End(NamedTuple):
    """How a connection ends after what is queued: with a close frame, or without one."""

    code: int = _NO_CLOSE_FRAME
    reason: str = ""


class Client:
    """One WebSocket connection; frames leave by a task of its own."""

    def __init__(self, request: web.Request) -> None:
        self.socket = web.WebSocketResponse(compress=False, max_msg_size=1 << 20)
        self.feeds: dict[Feed, None] = {}
        self.outbox: deque[str | End] = deque()
        self._request = request
        self._ready = asyncio.Event()

    def send(self, frame: str | End) -> None:
        """Queue a frame, or the end."""
        self.outbox.append(frame)
        self._ready.set()

    async def write(self) -> None:
        """Send what is queued, in order, until cancelled."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self.outbox:
                await self._write(self.outbox[0])
                self.outbox.popleft()

    async def _write(self, frame: str | End) -> None:
        if isinstance(frame, str):
            await self.socket.send_str(frame)
        elif frame.code != _NO_CLOSE_FRAME:
            await self.socket.close(code=frame.code, message=frame.reason.encode())
        else:
            transport = self._request.transport
            while transport is not None and transport.get_write_buffer_size():  # noqa: ASYNC110 nobody tells
                await asyncio.sleep(_POLL_S)
            self.abort()

    def abort(self) -> None:
        """Cut the connection without a close frame."""
        if self._request.transport is not None:
            self._request.transport.abort()


class Replay:
    """A capture, served: every client has the captured frames of its subscriptions, from where the replay stands."""

    def __init__(self, path: Path, *, speed: float = 1.0, start: State = State.WAITING, cuts: bool = True) -> None:
        self.contents = look_through(path)
        self.player = Player(path, speed, start)
        self._cuts = cuts
        self._feeds = Feeds(self.contents.feeds)
        self._answers = Answers(self.contents, self._feeds)
        self._clients: dict[Client, None] = {}
        self._counts: Counter[str] = Counter()
        app = web.Application()
        app.router.add_get("/ws", self._ws)
        app.router.add_post("/info", self._info)
        app.router.add_get("/control/replay", self._state)
        app.router.add_post("/control/replay", self._change)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        self.port = 0

    async def listen(self, host: str, port: int) -> None:
        """Open the port; `port` then tells which. Raises OSError."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, backlog=1024).start()
        self.port = self._runner.addresses[0][1]

    async def run(self) -> None:
        """Play the capture to its end; clients stay connected. Raises CaptureError."""
        await self.player.run(self._play, self._room)

    async def stop(self) -> None:
        """Cut every connection and close the port."""
        for client in list(self._clients):
            client.abort()
        await self._runner.cleanup()

    def _play(self, line: Line) -> None:
        match line:
            case Line(kind="run"):
                self._feeds.restart()
            case Line(kind="out", payload=str(text)):
                self._feeds.sent(line.connection, text)
            case Line(kind="in", payload=str(text)):
                self._pass_on(self._feeds.received(line.connection, text))
            case Line(kind="close"):
                self._close(self._feeds.ended(line.connection), line.payload)
            case Line(kind="info", payload={"request": dict(request), "status": int(status), "body": str(body)}):
                self._answers.take(request, {"status": status, "body": body})
            case Line(kind="lost", payload={"lines": int(lines)}):
                self._counts["lost_lines"] += lines
            case _:
                pass

    def _pass_on(self, delivery: tuple[Feed, str] | None) -> None:
        if delivery is None:
            return
        feed, text = delivery
        for client in self._clients:
            if feed in client.feeds:
                client.send(text)
                self._counts["frames"] += 1

    def _close(self, feeds: list[Feed], payload: object) -> None:
        """End the connections that listen to these feeds, as the captured one ended. Without a payload it did not."""
        if not self._cuts or payload is None:
            return
        match payload:
            case {"code": int(code), "reason": str(reason)}:
                end = End(code, reason)
            case _:
                end = End()
        for client in [client for client in self._clients if not client.feeds.keys().isdisjoint(feeds)]:
            self._counts["cut"] += 1
            del self._clients[client]
            client.send(end)

    async def _room(self) -> None:
        """Wait for clients that read slowly; one that does not read at all is cut."""
        deadline = asyncio.get_running_loop().time() + _PATIENCE_S
        while crowded := [client for client in self._clients if len(client.outbox) > _OUTBOX_FRAMES]:
            if asyncio.get_running_loop().time() > deadline:
                for client in crowded:
                    self._counts["slow_clients"] += 1
                    client.abort()
                    self._clients.pop(client, None)
            await asyncio.sleep(_POLL_S)

    async def _ws(self, request: web.Request) -> web.StreamResponse:
        client = Client(request)
        await client.socket.prepare(request)
        self._clients[client] = None
        writer = asyncio.create_task(client.write())
        try:
            async for message in client.socket:
                if message.type is WSMsgType.TEXT:
                    self._answer(client, message.data)
        finally:
            self._clients.pop(client, None)
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await writer
        return client.socket

    def _answer(self, client: Client, text: str) -> None:
        try:
            message = msgspec.json.decode(text)
        except msgspec.DecodeError:
            message = None
        match message:
            case {"method": "ping"}:
                client.send('{"channel":"pong"}')
            case {"method": "subscribe" | "unsubscribe" as method, "subscription": {"type": str()} as wanted}:
                self._subscription(client, method, wanted)
            case {"method": "post", "id": int(number), "request": {"type": "info", "payload": dict(request)}}:
                self._post(client, number, request)
            case _:
                self._complain(client, f"Error parsing JSON into valid websocket request: {text}")

    def _complain(self, client: Client, text: str) -> None:
        self._counts["refused"] += 1
        client.send(_text("error", text))

    def _subscription(self, client: Client, method: str, wanted: Fields) -> None:
        feed = self._feeds.find(wanted)
        if feed is None:
            asked = msgspec.json.encode(wanted).decode()
            self._complain(
                client, f"Invalid subscription {asked} (the capture lacks it; /control/replay lists what it has)"
            )
            return
        if (feed in client.feeds) == (method == "subscribe"):
            echo = msgspec.json.encode(feed.echo).decode()
            self._complain(client, f"Already {method}d: {echo}")
            return
        client.send(_text("subscriptionResponse", {"method": method, "subscription": feed.echo}))
        if method == "unsubscribe":
            del client.feeds[feed]
            return
        client.feeds[feed] = None
        first = feed.first()
        if first is not None:
            client.send(first)
        self.player.listened_to()

    def _post(self, client: Client, number: int, request: Fields) -> None:
        response: dict[str, object]
        try:
            status, body = self._answers.answer(request)
            payload = {"type": request.get("type"), "data": msgspec.Raw(body)}
            response = (
                {"type": "info", "payload": payload} if status == _OK else {"type": "error", "payload": f"{status}"}
            )
        except MissingAnswerError as error:
            self._counts["unanswered"] += 1
            response = {"type": "error", "payload": str(error)}
        client.send(_text("post", {"id": number, "response": response}))

    async def _info(self, http: web.Request) -> web.Response:
        try:
            request = msgspec.json.decode(await http.read(), type=dict[str, object])
            status, body = self._answers.answer(request)
        except msgspec.DecodeError:
            return web.Response(status=422, text=_UNREADABLE)
        except MissingAnswerError as error:
            self._counts["unanswered"] += 1
            return web.Response(status=422, text=str(error))
        return web.Response(status=status, body=body, content_type="application/json")

    async def _state(self, _http: web.Request) -> web.Response:
        contents, player = self.contents, self.player
        reply = {
            "state": player.state,
            "speed": player.speed,
            "position_ms": player.position_us // 1000,
            "length_ms": contents.length_us // 1000,
            "venue_time_ms": player.time_us // 1000,
            "lines": player.lines,
            "captured_frames": contents.frames,
            "runs": contents.runs,
            "behind_ms": int(player.behind_s * 1000),
            "most_behind_ms": int(player.most_behind_s * 1000),
            "clients": len(self._clients),
            "unattributed_frames": self._feeds.unattributed,
            "feeds": [feed.echo for feed in self._feeds],
            "info": [msgspec.Raw(request) for request in contents.answers],
        } | {
            name: self._counts[name]
            for name in ("frames", "cut", "refused", "unanswered", "slow_clients", "lost_lines")
        }
        return web.Response(body=msgspec.json.encode(reply), content_type="application/json")

    async def _change(self, http: web.Request) -> web.Response:
        try:
            change = msgspec.json.decode(await http.read() or b"{}", type=Change)
            check_speed(change.speed)
        except (msgspec.DecodeError, ValueError) as error:
            body = msgspec.json.encode({"error": str(error)})
            return web.Response(status=400, body=body, content_type="application/json")
        self.player.set(state=None if change.state is None else State(change.state), speed=change.speed)
        return await self._state(http)


def check_speed(speed: float | None) -> None:
    """Raise ValueError for a speed that a replay does not have."""
    if speed and not SLOWEST <= speed <= FASTEST:
        raise ValueError(
            f"speed: a capture is replayed at {SLOWEST} to {FASTEST:.0f}, or at 0, as fast as clients read"
        )


def _text(channel: str, data: object) -> str:
    return msgspec.json.encode({"channel": channel, "data": data}).decode()
