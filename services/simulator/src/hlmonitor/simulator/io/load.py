"""Sending a load: open loop, each block at its time, whatever the clients do; and what came of it."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.load import LoadAccounts, LoadTruth
from hlmonitor.simulator.wire.load import LoadFrames, stamp

from .connection import Connection

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.load import LoadConfig, LoadPlan, Stretch

    from .server import Simulator

_LEAD_S: Final = 0.2
_KEPT: Final = 100_000
_MS: Final = 1_000


class LoadRefusedError(ValueError):
    """A load that cannot run as things are; the text says why."""


@dataclass(slots=True)
class _Counts:
    """What one run did."""

    blocks: int = 0
    fills: int = 0
    frames: int = 0
    rows: int = 0
    bytes: int = 0


class Load:
    """One plan, sent on command. Clients may come and go meanwhile; nobody is waited for."""

    def __init__(self, simulator: Simulator, plan: LoadPlan, config: LoadConfig) -> None:
        self._simulator = simulator
        self._config = config
        self.plan = plan
        self._frames = LoadFrames(plan, simulator.market.exchange)
        self._truth = LoadTruth(plan)
        self._accounts = LoadAccounts(plan, simulator.market.exchange)
        simulator.market.ledger.lend(self._truth)
        self._task: asyncio.Task[None] | None = None
        self._counts = _Counts()
        self._late_s: deque[float] = deque(maxlen=_KEPT)
        self._rate = config.rate
        self._began_s = self._ended_s = 0.0

    def enter(self, _exchange: Exchange) -> None:
        """Let the wallets come in. A command for a block."""
        self._accounts.enter()

    @property
    def is_running(self) -> bool:
        """Tell whether blocks are being sent."""
        return self._task is not None and not self._task.done()

    def start(self, rate: int | None, seconds: float | None) -> None:
        """Begin to send at a rate of fills per second, until stopped or for some time; raise LoadRefusedError."""
        if self.is_running:
            raise LoadRefusedError("load: one is running; stop it first")
        if self._simulator.clock.is_virtual:
            raise LoadRefusedError("load: it is sent in real time; run without speed and genesis")
        self._rate = rate or self._config.rate
        interval_s = self.plan.fills / len(self.plan.blocks) / self._rate
        blocks = None if seconds is None else max(1, round(seconds / interval_s))
        # What is listened to by now is encoded before the first block is due.
        for wanted in self._simulator.hub.heard:
            self._frames.of(wanted)
        self._counts, self._late_s = _Counts(), deque(maxlen=_KEPT)
        self._task = asyncio.create_task(self._send_all(interval_s, blocks))

    def stop(self) -> None:
        """End the run after the last block that was due; no harm if none runs."""
        if self._task is not None:
            self._task.cancel()

    async def _send_all(self, interval_s: float, blocks: int | None) -> None:
        loop = asyncio.get_running_loop()
        first_s = self._began_s = loop.time() + _LEAD_S
        stretch = self._truth.begin(self._simulator.clock_ms() + int(_LEAD_S * _MS), interval_s * _MS)
        try:
            while blocks is None or stretch.sent < blocks:
                due_s = first_s + stretch.sent * interval_s
                await asyncio.sleep(max(0.0, due_s - loop.time()))
                self._send(stretch, int(loop.time() * _MS))
                self._late_s.append(loop.time() - due_s)
        finally:
            self._ended_s = loop.time()

    def _send(self, stretch: Stretch, loop_ms: int) -> None:
        """Send one block to whoever listens, and bring the accounts there."""
        number = stretch.first + stretch.sent
        place, cycle, time_ms = number % len(self.plan.blocks), self._truth.cycle(number), stretch.time_ms(number)
        load = self.plan.blocks[place]
        chunks: dict[Connection, list[bytes]] = {}
        for wanted in self._simulator.hub.heard:
            encoded = self._frames.of(wanted).get(place)
            if encoded is None:
                continue
            for listener in self._simulator.hub.heard.to(wanted):
                if isinstance(listener, Connection):
                    chunks.setdefault(listener, []).append(encoded.data)
                    self._counts.frames += encoded.frames
                    self._counts.rows += encoded.rows
        for connection, parts in chunks.items():
            data = stamp(b"".join(parts), cycle, time_ms)
            connection.write_ready(data, loop_ms)
            self._counts.bytes += len(data)
        self._accounts.apply(load)
        stretch.sent += 1
        self._counts.blocks += 1
        self._counts.fills += len(load.block.fills)

    def report(self) -> dict[str, object]:
        """Return what was intended and what was done. Late is how long after its time a block had been written."""
        loop_s = asyncio.get_running_loop().time()
        until_s = loop_s if self.is_running else self._ended_s
        lasted_s = max(until_s - self._began_s, 0.0) if self._counts.blocks else 0.0
        late = sorted(self._late_s)
        return {
            "state": "running" if self.is_running else "ready",
            "wallets": len(self.plan.addresses),
            "plan": {"blocks": len(self.plan.blocks), "fills": self.plan.fills},
            "intended_rate": self._rate,
            "rate": round(self._counts.fills / lasted_s) if lasted_s else 0,
            "seconds": round(lasted_s, 3),
            "blocks": self._counts.blocks,
            "fills": self._counts.fills,
            "frames": self._counts.frames,
            "rows": self._counts.rows,
            "bytes": self._counts.bytes,
            "late_ms": {
                name: round(late[min(int(len(late) * part), len(late) - 1)] * _MS, 3) if late else 0.0
                for name, part in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
            },
        }
