"""One websocket connection to the venue: frames to a callback, the protocol machine's wishes to the wire."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from hlmonitor.venue.core.frames import Frame, decode_frame
from hlmonitor.venue.core.limits import RateLedger
from hlmonitor.venue.core.protocol import ConnectionProtocol, Notice

_MAX_FRAME_BYTES = 32 * 1024 * 1024
_TICK_S = 0.25
_WAIT_SLICE_S = 0.25


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the venue is and how to get there."""

    url: str
    local_address: str = ""
    """Source address, which decides the egress IP; empty: the system's choice."""
    open_timeout_s: float = 10.0
    write_timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a connection ended: a word of a small set, and the particulars."""

    cause: str
    detail: str = ""


async def run_connection(
    endpoint: Endpoint,
    protocol: ConnectionProtocol,
    messages: RateLedger,
    *,
    on_open: Callable[[], None],
    on_frame: Callable[[Frame], None],
    on_notice: Callable[[Notice], None],
) -> Ended:
    """Run one connection from opening to end and return why it ended; only cancellation raises.

    Causes: cannot_open, closed (whatever the code: the venue ends connections with 1000 too), write_timeout, and
    what the protocol calls a defect.
    """
    try:
        async with asyncio.timeout(endpoint.open_timeout_s):
            socket = await connect(
                endpoint.url,
                local_addr=(endpoint.local_address, 0) if endpoint.local_address else None,
                open_timeout=endpoint.open_timeout_s,
                close_timeout=1.0,
                ping_interval=None,
                max_size=_MAX_FRAME_BYTES,
                compression=None,
                proxy=None,
            )
    except (OSError, TimeoutError, WebSocketException) as error:
        return Ended("cannot_open", repr(error))
    on_open()
    try:
        return await _converse(socket, endpoint, protocol, messages, on_frame, on_notice)
    finally:
        await socket.close()


async def _converse(
    socket: ClientConnection,
    endpoint: Endpoint,
    protocol: ConnectionProtocol,
    messages: RateLedger,
    on_frame: Callable[[Frame], None],
    on_notice: Callable[[Notice], None],
) -> Ended:
    reader = asyncio.create_task(_read(socket, protocol, on_frame, on_notice))
    writer = asyncio.create_task(_write(socket, endpoint, protocol, messages))
    try:
        done, _ = await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in (reader, writer):
            task.cancel()
        await asyncio.gather(reader, writer, return_exceptions=True)


async def _read(
    socket: ClientConnection,
    protocol: ConnectionProtocol,
    on_frame: Callable[[Frame], None],
    on_notice: Callable[[Notice], None],
) -> Ended:
    while True:
        try:
            raw = await socket.recv()
        except ConnectionClosed as closed:
            return Ended("closed", str(closed))
        frame = decode_frame(raw)
        notices = protocol.received(frame, time.monotonic())
        on_frame(frame)
        for notice in notices:
            on_notice(notice)


async def _write(
    socket: ClientConnection, endpoint: Endpoint, protocol: ConnectionProtocol, messages: RateLedger
) -> Ended:
    while True:
        if reason := protocol.defect(time.monotonic()):
            return Ended(reason)
        if not protocol.has_frame(time.monotonic()):
            await asyncio.sleep(_TICK_S)
            continue
        wait_s = messages.take(1, time.monotonic())
        text = None if wait_s > 0 else protocol.next_frame(time.monotonic())
        if text is None:
            await asyncio.sleep(min(wait_s, _WAIT_SLICE_S))
            continue
        try:
            async with asyncio.timeout(endpoint.write_timeout_s):
                await socket.send(text)
        except ConnectionClosed as closed:
            return Ended("closed", str(closed))
        except TimeoutError:
            return Ended("write_timeout")
