"""What can be set about the server, and what it counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.faults import FaultConfig
from hlmonitor.simulator.core.limits import LimitConfig
from hlmonitor.simulator.wire.feeds import FeedConfig

from .clock import TimeConfig

if TYPE_CHECKING:
    from pathlib import Path

    from hlmonitor.simulator.core.load import LoadConfig

_CLIENTS: Final = 1_000


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """How it serves: limits, faults, time, the habits of feeds and connections, and what it writes."""

    limits: LimitConfig = field(default_factory=LimitConfig)
    faults: FaultConfig = field(default_factory=FaultConfig)
    time: TimeConfig = field(default_factory=TimeConfig)
    feeds: FeedConfig = field(default_factory=FeedConfig)
    load: LoadConfig | None = None
    """The load that can be sent beside the market, if any."""
    idle_ms: int = 60_000
    expire_ms: int = 10_800_000
    """Age at which a connection is closed with 1000 `Expired`; about 3 h on the venue (facts 1.4)."""
    unknown_coin_closes: bool = False
    """Whether asking for a coin that is not listed cuts the connection, as one source saw (facts 1.3)."""
    greeting: bool = False
    """Whether the first frame is the plain text that older servers sent (facts 1.2)."""
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
    violations_by_client: dict[str, Counter[str]] = field(default_factory=dict)
    """The same for each client address; past a bound only known addresses are counted on."""
    refused: Counter[str] = field(default_factory=Counter)
    """Messages answered on the error channel for other reasons, by kind."""
    faults: Counter[str] = field(default_factory=Counter)
    uncaught_errors: int = 0

    def violate(self, client: str, kind: str) -> None:
        """Count a limit that a client ran into."""
        self.violations[kind] += 1
        if client in self.violations_by_client or len(self.violations_by_client) < _CLIENTS:
            self.violations_by_client.setdefault(client, Counter())[kind] += 1
