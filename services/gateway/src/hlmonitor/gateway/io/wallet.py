"""One wallet's connection to the venue, kept up as long as the wallet is this gateway's."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hlmonitor.gateway.core.session import Session, subscriptions_of
from hlmonitor.gateway.io.backlog import Backlog
from hlmonitor.gateway.io.catchup import CatchupReader
from hlmonitor.gateway.io.frame_counter import FrameCounter
from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.venue.core import frames
from hlmonitor.venue.core.backoff import Backoff
from hlmonitor.venue.core.limits import RateLedger
from hlmonitor.venue.core.protocol import (
    Acknowledged,
    ConnectionProtocol,
    Failed,
    Notice,
    ProtocolTimes,
    UserLimitLearned,
)
from hlmonitor.venue.io.websocket import Ended, Endpoint, run_connection

_WAIT_SLICE_S = 0.25


@dataclass(slots=True)
class VenueAccess:
    """What the wallets of a gateway share: the venue, its budgets, and where news goes."""

    endpoint: Endpoint
    times: ProtocolTimes
    new_connections: RateLedger
    messages: RateLedger
    reader: CatchupReader
    frames: FrameCounter
    metrics: Metrics
    log: Log
    backoff_initial_s: float
    backoff_most_s: float
    added: Callable[[], None]
    """Events may have been added to the window."""
    learned_users: Callable[[int], None]
    """The venue named its limit of users."""


@dataclass(slots=True)
class Wallet:
    """Streams one wallet and does its REST work."""

    session: Session
    venue: VenueAccess
    connection: int
    """Its number in the pool."""
    is_connected: bool = False
    refusal: str | None = None
    """Why the venue does not serve the wallet, while it does not."""
    priority: int = 0
    """The watch list's: higher is served first."""
    backlog: Backlog = field(init=False)

    def __post_init__(self) -> None:
        """Give the REST work the same session."""
        self.backlog = Backlog(self.session, self.venue.reader, self.priority, self._report_news)

    async def run(self) -> None:
        """Keep the wallet streaming until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stream())
            tasks.create_task(self.backlog.run())

    def state(self) -> str:
        """One word for people."""
        if self.refusal:
            return "refused"
        if not self.is_connected:
            return "connecting"
        if not self.session.is_acknowledged:
            return "subscribing"
        if not self.session.is_keeping:
            return "window_full"
        return "live" if self.session.is_caught_up else "catching_up"

    async def _stream(self) -> None:
        backoff = Backoff(self.venue.backoff_initial_s, self.venue.backoff_most_s)
        while True:
            await self._await_budget()
            ended = await self._connect_once()
            if self.session.is_acknowledged:
                backoff.succeeded()
            self._note_end(ended)
            await asyncio.sleep(backoff.next_delay(random.random()))  # noqa: S311 jitter

    async def _await_budget(self) -> None:
        # In slices: the share of the budget changes with the members of the egress group.
        while (wait_s := self.venue.new_connections.take(1, time.monotonic())) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(wait_s, _WAIT_SLICE_S))

    async def _connect_once(self) -> Ended:
        self.session.opening()
        protocol = ConnectionProtocol(subscriptions_of(self.session.address), self.venue.times, time.monotonic())
        try:
            return await run_connection(
                self.venue.endpoint,
                protocol,
                self.venue.messages,
                on_open=self._opened,
                on_frame=self._frame,
                on_notice=self._notice,
            )
        except Exception as error:
            # A defect of ours that one frame lays bare must not stop the other wallets; the gap is told and filled.
            self.venue.log.exception("wallet_stream_failed", address=self.session.address)
            return Ended("internal_error", repr(error))
        finally:
            self.is_connected = False

    def _note_end(self, ended: Ended) -> None:
        address = self.session.address
        self.venue.log.warning("venue_connection_ended", address=address, cause=ended.cause, detail=ended.detail)
        self.venue.metrics.venue_reconnects_total.labels(ended.cause).inc()
        self.session.lost(ended.cause, _now_ms())
        self._report_news()

    def _opened(self) -> None:
        self.is_connected = True

    def _frame(self, frame: frames.Frame) -> None:
        self.venue.frames.count(frame)
        self.session.frame(frame, time.monotonic(), _now_ms())
        self._report_news()

    def _notice(self, notice: Notice) -> None:
        match notice:
            case Acknowledged():
                self.refusal = None
                self.session.acknowledged(time.monotonic(), _now_ms())
                self._report_news()
            case Failed(subscription, reason):
                self.refusal = reason
                self.venue.log.error("subscription_refused", type=subscription.type, reason=reason)
            case UserLimitLearned(users):
                self.venue.learned_users(users)

    def _report_news(self) -> None:
        session = self.session
        if session.rejected:
            self.venue.frames.rejected("bad_row", len(session.rejected), sample=session.rejected[0])
            session.rejected.clear()
        for reason in session.gaps_told:
            self.venue.metrics.venue_gaps_total.labels(reason).inc()
            if reason == "window_full":
                self.venue.metrics.message_queue_full_total.inc()
        session.gaps_told.clear()
        self.venue.added()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
