"""What can be set about the server, and what it counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hlmonitor.simulator.core.faults import FaultConfig
from hlmonitor.simulator.core.limits import LimitConfig

from .clock import TimeConfig

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Limits, faults and feed habits."""

    limits: LimitConfig = field(default_factory=LimitConfig)
    faults: FaultConfig = field(default_factory=FaultConfig)
    time: TimeConfig = field(default_factory=TimeConfig)
    idle_ms: int = 60_000
    snapshot_rows: int = 50
    state_every_ms: int = 4_500
    outbox_frames: int = 20_000
    node_dir: Path | None = None
    """Where a node's files are written, if anywhere."""
    node_buffer_bytes: int = 0


@dataclass(slots=True)
class Stats:
    """Counters of the whole server."""

    frames: int = 0
    rows: int = 0
    blocks: int = 0
    late_blocks: int = 0
    requests: int = 0
    connections_opened: int = 0
    closed: Counter[str] = field(default_factory=Counter)
    """Connections that the server cut, by reason."""
    violations: Counter[str] = field(default_factory=Counter)
    """Limits that clients ran into, by kind."""
    refused: Counter[str] = field(default_factory=Counter)
    """Messages answered on the error channel for other reasons, by kind."""
    faults: Counter[str] = field(default_factory=Counter)
    uncaught_errors: int = 0
