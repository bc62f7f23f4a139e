"""What the wallets of a gateway share to reach the venue."""

from collections.abc import Callable
from dataclasses import dataclass

from hlmonitor.gateway.core.pool import Pool
from hlmonitor.gateway.io.catchup import CatchupReader
from hlmonitor.gateway.io.frame_counter import FrameCounter
from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.venue.core.limits import RateLedger
from hlmonitor.venue.core.protocol import ProtocolTimes
from hlmonitor.venue.io.websocket import Endpoint


@dataclass(slots=True)
class VenueAccess:
    """The venue, its limits and budgets, and where news goes."""

    endpoint: Endpoint
    times: ProtocolTimes
    pool: Pool
    new_connections: RateLedger
    messages: RateLedger
    reader: CatchupReader
    frames: FrameCounter
    metrics: Metrics
    log: Log
    backoff_initial_s: float
    backoff_most_s: float
    rotate_after_s: float
    """A connection is replaced before it is so old."""
    added: Callable[[], None]
    """Events may have been added to the window."""
    learned_users: Callable[[int], None]
    """The venue named its limit of users."""
