"""One WebSocket connection: its subscriptions, its outbox, and the faults on its line."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from aiohttp import WSCloseCode, WSMsgType, web

from hlmonitor.simulator.core.faults import FaultBoard, FaultyLine

if TYPE_CHECKING:
    from hlmonitor.simulator.core.dice import Dice
    from hlmonitor.simulator.core.limits import IpBudget
    from hlmonitor.simulator.wire.frames import Frame
    from hlmonitor.simulator.wire.subscriptions import Subscription

    from .config import Stats

_CLOSE_TIMEOUT_S: Final = 2.0
_MOST_READY_BYTES: Final = 8 << 20
"""Frames of a load that one client may leave unread; past it it is cut."""


class Connection:
    """Frames go into the outbox at once and leave by one writer task.

    A client that reads too slowly for `outbox_frames` is cut, as any feed server would.
    """

    def __init__(
        self, request: web.Request, ip: str, budget: IpBudget, stats: Stats, dice: Dice, outbox_frames: int
    ) -> None:
        self.ip = ip
        self.budget = budget
        self.subscriptions: dict[Subscription, None] = {}
        self.socket = web.WebSocketResponse(
            autoclose=True, compress=False, max_msg_size=1 << 20, timeout=_CLOSE_TIMEOUT_S
        )
        self.last_sent_ms = 0
        self.opened_ms = 0
        self.closed_by: str | None = None
        self._request = request
        self._stats = stats
        self._line: FaultyLine[Frame] = FaultyLine(dice, stats.faults, ip, stats.connections_opened + 1)
        self._outbox: deque[bytes] = deque()
        self._outbox_frames = outbox_frames
        self._ready = asyncio.Event()
        self._ending: tuple[int, bytes] | None = None
        self.is_mute = False
        """Whether it is half-open: the client's end lives, nothing passes either way, and no close comes."""
        self._mute_until_ms: int | None = None

    def users(self) -> list[str]:
        """Return the users of its subscriptions, one entry for each subscription."""
        return [s.user for s in self.subscriptions if s.user is not None]

    def send(self, frame: Frame, faults: FaultBoard, now_ms: int, about: Subscription | None = None) -> None:
        """Queue a frame (`about` is the subscription that it belongs to), or what the faults make of it."""
        for out in self._line.push(frame, faults, now_ms, about):
            self._queue(out)

    def release(self, now_ms: int) -> None:
        """Queue held frames whose time has come; cut a half-open connection whose time is over."""
        for frame in self._line.release(now_ms):
            self._queue(frame)
        if self.is_mute and self._mute_until_ms is not None and now_ms >= self._mute_until_ms:
            self.abort("half_open")

    def flush(self) -> None:
        """Queue every held frame."""
        for frame in self._line.flush():
            self._queue(frame)

    def _queue(self, frame: Frame) -> None:
        if self.closed_by is not None or self.is_mute:
            return
        if len(self._outbox) >= self._outbox_frames:
            self.abort("slow_client")
            return
        self._outbox.append(frame.data)
        self._stats.frames += 1
        self._stats.rows += len(frame.entries) or 1
        self._ready.set()

    @property
    def waiting(self) -> int:
        """How many frames wait for the client to read."""
        return 0 if self.closed_by is not None else len(self._outbox)

    def write_ready(self, data: bytes, loop_ms: int) -> None:
        """Write frames that are ready for the socket, past outbox and faults; `loop_ms` is the loop's clock."""
        transport = self._request.transport
        if transport is None or self.closed_by is not None or self.is_mute:
            return
        if transport.get_write_buffer_size() > _MOST_READY_BYTES:
            self.abort("slow_client")
            return
        transport.write(data)
        self.last_sent_ms = loop_ms

    @property
    def is_drained(self) -> bool:
        """Tell whether everything queued has left for the kernel."""
        transport = self._request.transport
        return not self._outbox and (transport is None or not transport.get_write_buffer_size())

    async def write(self) -> None:
        """Send the outbox, in order, until cancelled or expired."""
        loop = asyncio.get_running_loop()
        while self._ending is None:
            await self._ready.wait()
            self._ready.clear()
            while self._outbox:
                await self.socket.send_frame(self._outbox.popleft(), WSMsgType.TEXT)
                self.last_sent_ms = int(loop.time() * 1000)
        code, reason = self._ending
        await self.socket.close(code=code, message=reason)

    def expire(self) -> None:
        """End the connection by age: a close frame with 1000 `Expired` after what is queued."""
        self.end(WSCloseCode.OK, "Expired", "expired")

    def end(self, code: int, reason: str, by: str) -> None:
        """End the connection with a close frame after what is queued. `by` is what it is counted as."""
        if self.closed_by is None:
            self.closed_by = by
            self._stats.closed[by] += 1
            self._ending = (code, reason.encode())
            self._ready.set()

    @property
    def is_ending(self) -> bool:
        """Tell whether its writer is about to send the close frame, or has done so."""
        return self._ending is not None

    def mute(self, until_ms: int | None) -> None:
        """Make it half-open: from now on nothing is sent or read, until it is cut at a venue time or by hand.

        What the client sends stays in its kernel and ours; not even its close is seen. The connection keeps
        its place in the client's limits, as it does on a server that does not know.
        """
        self.is_mute, self._mute_until_ms = True, until_ms
        self._outbox.clear()
        if self._request.transport is not None:
            self._request.transport.pause_reading()

    def abort(self, reason: str) -> None:
        """Cut the connection without a close frame: the client sees 1006."""
        if self.closed_by is None:
            self.closed_by = reason
            self._stats.closed[reason] += 1
            self._outbox.clear()
        if self._request.transport is not None:
            self._request.transport.abort()
