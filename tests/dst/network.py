"""gRPC between simulated processes: messages take time, and calls break in the middle.

Stubs and servicers are the generated ones. A call's messages arrive in order, or not at all once it is broken: each
side loses what was on its way to it. An end may learn late that the other is gone.
"""

import asyncio
import inspect
import itertools
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
from google.protobuf.message import Message

from dst.describe import describe
from dst.loop import NOWHERE, TICK_S, Scope, VirtualLoop

KEEPALIVE_S = 8.0
"""After so long without an answer a peer is taken for dead."""
END = object()


class Broken(Exception):  # noqa: N818 it is a message, not an error
    """Ends a pipe: what the other side was told."""

    def __init__(self, code: grpc.StatusCode, details: str, trailing: tuple[tuple[str, bytes], ...] = ()) -> None:
        super().__init__(details)
        self.code, self.details, self.trailing = code, details, trailing

    def error(self) -> grpc.aio.AioRpcError:
        """As a client sees it."""
        return grpc.aio.AioRpcError(
            self.code, grpc.aio.Metadata(), grpc.aio.Metadata(*self.trailing), details=self.details
        )


@dataclass(slots=True)
class Network:
    """All connections of a run."""

    loop: VirtualLoop
    chance: random.Random
    trace: Callable[[str, str], None] | None = None
    on_message: Callable[[Scope, Scope, Message], None] = lambda _sender, _receiver, _message: None
    servers: dict[str, "SimulatedServer"] = field(default_factory=dict)
    calls: dict[int, "Call"] = field(default_factory=dict)
    stalled_until: dict[frozenset[str], float] = field(default_factory=dict)
    """Pairs of processes between which nothing arrives for a while."""
    _ports: Iterator[int] = field(default_factory=lambda: itertools.count(20_000))
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def latency_s(self) -> float:
        """Mostly well below a millisecond; now and then much more."""
        roll = self.chance.random()
        return self.chance.uniform(0.0001, 0.002) if roll < 0.9 else self.chance.uniform(0.002, 0.3)

    def arrival(self, one: str, other: str) -> float:
        """When something sent now between two processes arrives."""
        begin_s = max(self.loop.now_s, self.stalled_until.get(frozenset((one, other)), 0.0))
        return begin_s + self.latency_s()

    def stall(self, one: str, other: str, seconds: float) -> None:
        """Hold up what is sent between two processes."""
        self.stalled_until[frozenset((one, other))] = self.loop.now_s + seconds

    def cut(self, one: str, other: str) -> int:
        """Break every call between two processes; what is on its way is lost. Returns how many there were."""
        torn = [call for call in self.calls.values() if {call.client.name, call.server.name} == {one, other}]
        for call in torn:
            call.tear("the connection was reset")
        return len(torn)

    def died(self, scope: Scope) -> None:
        """A process is gone: nothing reaches it and nothing that it sent later reaches anybody."""
        for address in [address for address, server in self.servers.items() if server.scope is scope]:
            del self.servers[address]
        for call in [call for call in self.calls.values() if scope in (call.client, call.server)]:
            call.tear("the peer is gone")

    def died_silently(self, scope: Scope) -> None:
        """A process does not answer: its peers end what they have with it, and it will find that out."""
        for call in [call for call in self.calls.values() if scope in (call.client, call.server)]:
            call.tear("keepalive timed out")

    def tell(self, call: "Call", message: Message, *, replies: bool) -> None:
        """Note that a message is sent."""
        sender, receiver = (call.server, call.client) if replies else (call.client, call.server)
        self.on_message(sender, receiver, message)
        if self.trace:
            self.trace(sender.name, f"to {receiver.name}: {describe(message)}")

    def next_port(self) -> int:
        """A port that nobody has."""
        return next(self._ports)

    def next_number(self) -> int:
        """A call's number."""
        return next(self._numbers)


@dataclass(slots=True)
class SimulatedServer:
    """Takes the place of grpc.aio.Server."""

    network: Network
    scope: Scope
    address: str
    handlers: dict[str, Any] = field(default_factory=dict)
    is_stopping: bool = False

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """The same methods come by `add_registered_method_handlers`."""

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        """A service's methods."""
        self.handlers |= {f"/{service}/{name}": handler for name, handler in handlers.items()}

    async def start(self) -> None:
        """Be reachable."""
        if self.scope.is_alive:
            self.network.servers[self.address] = self

    async def stop(self, grace_s: float) -> None:
        """Take no new calls; end those that go on after the grace."""
        self.is_stopping = True
        if self.network.servers.get(self.address) is self:
            del self.network.servers[self.address]
        deadline_s = self.network.loop.now_s + grace_s
        while self._open() and self.network.loop.now_s < deadline_s:
            await asyncio.sleep(0.05)
        for call in self._open():
            call.tear("the server stopped")

    def _open(self) -> list["Call"]:
        return [call for call in self.network.calls.values() if call.server is self.scope]


@asynccontextmanager
async def serving(network: Network, address: str, scope: Scope) -> AsyncIterator[tuple[SimulatedServer, int]]:
    """In the place of `serve_grpc`; port 0 takes a free one."""
    host, _, wanted = address.rpartition(":")
    port = int(wanted) or network.next_port()
    server = SimulatedServer(network, scope, f"{host}:{port}")
    try:
        yield server, port
    finally:
        await server.stop(0.0 if not scope.is_alive else 1.0)


class _Pipe:
    """One direction of a call."""

    def __init__(self, call: "Call") -> None:
        self._call = call
        self._queue: asyncio.Queue[object] = asyncio.Queue()
        self._last_s = 0.0
        self._ended: object | None = None

    def send(self, item: object) -> None:
        """Put something on the way."""
        call = self._call
        self._last_s = max(self._last_s + TICK_S, call.network.arrival(call.client.name, call.server.name))
        call.network.loop.call_at(self._last_s, self._arrive, item, context=NOWHERE)

    def _arrive(self, item: object) -> None:
        if not self._call.is_torn:
            self._queue.put_nowait(item)

    def end(self, item: object) -> None:
        """The last thing that this end hears, at once."""
        self._queue.put_nowait(item)

    async def receive(self) -> Any:  # noqa: ANN401 bytes or an end
        """The next item; an end stays."""
        if self._ended is None:
            item = await self._queue.get()
            if item is not END and not isinstance(item, Broken):
                return item
            self._ended = item
        return self._ended


class Call:
    """One call, seen by both sides."""

    def __init__(self, network: Network, client: Scope, server: Scope, name: str) -> None:
        self.network, self.client, self.server, self.name = network, client, server, name
        self.requests, self.replies = _Pipe(self), _Pipe(self)
        self.began: asyncio.Future[None] = network.loop.create_future()
        self.is_torn = False
        self.handler: asyncio.Task[None] | None = None
        self.number = network.next_number()
        network.calls[self.number] = self

    def tear(self, why: str) -> None:
        """Nothing more arrives; each side learns it in its own time."""
        if self.is_torn:
            return
        self.is_torn = True
        self.network.calls.pop(self.number, None)
        loop, chance = self.network.loop, self.network.chance
        for hear in (self.client_hears, self.server_hears):
            after_s = chance.choice((0.0, 0.001, 0.01, KEEPALIVE_S))
            loop.call_later(after_s, hear, why, context=NOWHERE)

    def finish(self) -> None:
        """The handler is done."""
        self.network.calls.pop(self.number, None)

    def client_hears(self, why: str) -> None:
        """The client learns that the call is over."""
        self.replies.end(Broken(grpc.StatusCode.UNAVAILABLE, why))
        if not self.began.done():
            self.began.set_exception(Broken(grpc.StatusCode.UNAVAILABLE, why).error())
            self.began.exception()

    def server_hears(self, why: str) -> None:
        """The server learns that the call is over."""
        self.requests.end(Broken(grpc.StatusCode.UNAVAILABLE, why))
        if self.handler:
            self.handler.cancel(why)


class _Context:
    """In the place of grpc.aio.ServicerContext."""

    def __init__(self, call: Call, serializer: Callable[[Any], bytes]) -> None:
        self._call, self._serializer = call, serializer

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: tuple[tuple[str, bytes], ...] = ()
    ) -> NoReturn:
        """End the call with an error."""
        self._call.replies.send(Broken(code, details, tuple(trailing_metadata)))
        raise grpc.aio.AbortError

    async def send_initial_metadata(self, _metadata: object) -> None:
        """Tell the client that its call has begun."""
        self._call.replies.send(None)

    async def write(self, message: Any) -> None:  # noqa: ANN401 a message
        """One reply."""
        self._call.network.tell(self._call, message, replies=True)
        self._call.replies.send(self._serializer(message))


async def _requests(call: Call, handler: Any) -> AsyncIterator[Any]:  # noqa: ANN401 generated
    while True:
        item = await call.requests.receive()
        if item is END or isinstance(item, Broken):
            return
        yield handler.request_deserializer(item)


async def _behave(call: Call, handler: Any) -> None:  # noqa: ANN401 generated
    """Run a servicer's method, of whichever kind."""
    context = _Context(call, handler.response_serializer)
    behaviour = handler.unary_unary or handler.unary_stream or handler.stream_stream
    requests = _requests(call, handler)
    request = requests if handler.request_streaming else await anext(requests)
    if inspect.isasyncgenfunction(behaviour):
        async for reply in behaviour(request, context):
            await context.write(reply)
    else:
        reply = await behaviour(request, context)
        if not handler.response_streaming:
            await context.write(reply)


async def handle(call: Call, handler: Any, scope: Scope) -> None:  # noqa: ANN401 generated
    """Run a servicer's method, and end the call as it ended."""
    try:
        await _behave(call, handler)
    except grpc.aio.AbortError:
        pass
    except Exception as error:  # noqa: BLE001 whatever it is, the client hears of it
        call.replies.send(Broken(grpc.StatusCode.UNKNOWN, repr(error)))
    else:
        call.replies.send(END)
    finally:
        if scope.is_alive:
            call.finish()
