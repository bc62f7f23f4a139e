"""One connection of one wallet, from its opening to its end."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hlmonitor.gateway.core.connection import Connection, subscriptions_of
from hlmonitor.gateway.core.rotation import Rotation
from hlmonitor.gateway.core.session import Session
from hlmonitor.gateway.io.access import VenueAccess
from hlmonitor.runtime.clock import wall_ms
from hlmonitor.venue.core import frames
from hlmonitor.venue.core.protocol import Acknowledged, ConnectionProtocol, Failed, Notice, UserLimitLearned
from hlmonitor.venue.io.websocket import Ended, run_connection


@dataclass(slots=True, eq=False)
class Line:
    """A connection that is being opened, or stands."""

    session: Session
    venue: VenueAccess
    rotation: Rotation
    report_news: Callable[[], None]
    refused: Callable[[str | None], None]
    """Told why the venue does not serve the wallet; None when it does."""
    connection: Connection = field(init=False)
    task: asyncio.Task[Ended] = field(init=False)
    is_open: bool = False

    def __post_init__(self) -> None:
        """Introduce the connection to the session before anything comes of it."""
        self.connection = self.session.connect()

    @property
    def was_acknowledged(self) -> bool:
        """The venue served every subscription."""
        return self.connection.acknowledged_at is not None

    async def run(self) -> Ended:
        """Open it, forward what it shows, and return why it ended."""
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
            self.is_open = False

    def _opened(self) -> None:
        self.is_open = True

    def _frame(self, frame: frames.Frame) -> None:
        self.venue.frames.count(frame)
        self.session.frame(self.connection, frame, time.monotonic(), wall_ms())
        self.report_news()

    def _notice(self, notice: Notice) -> None:
        match notice:
            case Acknowledged():
                self.refused(None)
                self.session.acknowledged(self.connection, time.monotonic(), wall_ms())
                self.report_news()
            case Failed(subscription, reason):
                self.refused(reason)
                self.venue.log.error("subscription_refused", type=subscription.type, reason=reason)
            case UserLimitLearned(users):
                self.venue.learned_users(users)
