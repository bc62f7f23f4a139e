"""The client's side of gRPC in the simulation: channels and calls, as the generated stubs use them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Self

import grpc

from dst.loop import NOWHERE, SCOPE
from dst.network import END, Broken, Call, Network, handle


@dataclass(slots=True)
class SimulatedChannel:
    """In the place of grpc.aio.Channel; also the context manager that `open_channel` returns."""

    network: Network
    address: str
    _calls: list["_ClientCall"] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End every call."""
        for call in self._calls:
            call.cancel()

    async def channel_ready(self) -> None:
        """Wait until the server is reachable."""
        while self.address not in self.network.servers:
            await asyncio.sleep(self.network.chance.uniform(0.05, 0.5))
        await asyncio.sleep(self.network.latency_s())

    def unary_unary(self, path: str, **kinds: Any) -> Callable[..., Coroutine[Any, Any, Any]]:  # noqa: ANN401 gRPC's
        """A method."""

        async def ask(request: Any, timeout: float | None = None) -> Any:  # noqa: ANN401, ASYNC109 gRPC's
            call = self._call(path, kinds)
            try:
                await call.write(request)
                async with asyncio.timeout(timeout):
                    return await call.read()
            except TimeoutError as error:
                raise Broken(grpc.StatusCode.DEADLINE_EXCEEDED, "no answer in time").error() from error
            finally:
                call.cancel()

        return ask

    def unary_stream(self, path: str, **kinds: Any) -> Callable[..., AsyncIterator[Any]]:  # noqa: ANN401 gRPC's
        """A method whose replies come one by one."""

        async def ask(request: Any, timeout: float | None = None) -> AsyncIterator[Any]:  # noqa: ANN401, ASYNC109 gRPC's
            call = self._call(path, kinds)
            try:
                await call.write(request)
                deadline_s = None if timeout is None else self.network.loop.now_s + timeout
                while True:
                    async with asyncio.timeout_at(deadline_s):
                        reply = await call.read()
                    if reply is grpc.aio.EOF:
                        return
                    yield reply
            except TimeoutError as error:
                raise Broken(grpc.StatusCode.DEADLINE_EXCEEDED, "no answer in time").error() from error
            finally:
                call.cancel()

        return ask

    def stream_stream(self, path: str, **kinds: Any) -> "Callable[[], _ClientCall]":  # noqa: ANN401 gRPC's
        """A method with messages in both directions."""
        return lambda: self._call(path, kinds)

    def _call(self, path: str, kinds: dict[str, Any]) -> "_ClientCall":
        self._calls = [call for call in self._calls if not call.is_done]
        call = _ClientCall(self.network, self.address, path, kinds)
        self._calls.append(call)
        return call


class _ClientCall:
    """In the place of grpc.aio's calls."""

    def __init__(self, network: Network, address: str, path: str, kinds: dict[str, Any]) -> None:
        scope = SCOPE.get()
        assert scope is not None
        self._kinds = kinds
        self.is_done = False
        server = network.servers.get(address)
        handler = server.handlers.get(path) if server and not server.is_stopping else None
        if server is None or handler is None or not scope.is_alive:
            self._call = Call(network, scope, scope, path)
            self._call.tear("nobody listens there")
            return
        self._call = call = Call(network, scope, server.scope, path)
        arrives_s = network.arrival(scope.name, server.scope.name)

        def begin() -> None:
            if not call.is_torn and server.scope.is_alive:
                handling = handle(call, handler, server.scope)
                call.handler = network.loop.create_task(handling, context=server.scope.new_context())

        network.loop.call_at(arrives_s, begin, context=NOWHERE)

    async def write(self, message: Any) -> None:  # noqa: ANN401 a message
        """Send one."""
        if self.is_done:
            raise asyncio.InvalidStateError("the call is done")
        self._call.network.tell(self._call, message, replies=False)
        self._call.requests.send(self._kinds["request_serializer"](message))

    async def read(self) -> Any:  # noqa: ANN401 a message or EOF
        """The next reply, or EOF."""
        while True:
            item = await self._call.replies.receive()
            if not self._call.began.done():
                self._call.began.set_result(None)
            if isinstance(item, Broken):
                self.is_done = True
                raise item.error()
            if item is END:
                self.is_done = True
                return grpc.aio.EOF
            if item is not None:
                return self._kinds["response_deserializer"](item)

    async def wait_for_connection(self) -> None:
        """Until the server has taken the call up."""
        if not self._call.began.done():
            item = await self._call.replies.receive()
            if isinstance(item, Broken):
                raise item.error()
            assert item is None, "initial metadata comes first"
            self._call.began.set_result(None)

    def cancel(self) -> None:
        """The client wants no more of it: the server hears that as an end."""
        self.is_done = True
        call = self._call
        if call.number in call.network.calls:
            call.is_torn = True
            call.network.calls.pop(call.number)
            after_s = call.network.latency_s()
            call.network.loop.call_later(after_s, call.server_hears, "canceled", context=NOWHERE)
