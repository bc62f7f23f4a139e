"""The life of one connection to the venue, as a machine without I/O.

The shell tells it what arrived and what the clock says; it says what to send next, what became of the subscriptions,
and when the connection must be given up. Times are monotonic seconds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from hlmonitor.venue.core.frames import (
    AccountMode,
    Acknowledgement,
    ErrorFrame,
    Frame,
    PerpStates,
    Pong,
    Rows,
    SpotState,
)
from hlmonitor.venue.core.subscriptions import (
    AlreadySubscribed,
    LimitReached,
    OtherComplaint,
    Rejected,
    Subscription,
    UserLimitReached,
    parse_complaint,
)

PING = '{"method":"ping"}'


@dataclass(frozen=True, slots=True)
class ProtocolTimes:
    """How patient the machine is, in seconds. Defaults: facts 1.4 and DESIGN §7."""

    ping_interval_s: float = 25.0
    pong_timeout_s: float = 10.0
    ack_timeout_s: float = 10.0
    stale_s: Mapping[str, float] = field(default_factory=lambda: {"allDexsClearinghouseState": 20.0})
    """Feeds that the venue pushes even when nothing happens, and how long they may be silent."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Every subscription of the connection stands."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A subscription will not come; the connection cannot do its work."""

    subscription: Subscription
    reason: str


@dataclass(frozen=True, slots=True)
class UserLimitLearned:
    """The venue tracks no more than so many users for this egress IP."""

    users: int


Notice = Acknowledged | Failed | UserLimitLearned


class _State(Enum):
    WANTED = "wanted"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    FAILED = "failed"


@dataclass(slots=True)
class _Entry:
    subscription: Subscription
    state: _State = _State.WANTED
    since: float = 0.0


class ConnectionProtocol:
    """One connection from its opening to its end; a new one is made for each attempt, so that it starts clean."""

    def __init__(self, subscriptions: Iterable[Subscription], times: ProtocolTimes, now: float) -> None:
        self._entries = [_Entry(subscription) for subscription in subscriptions]
        self._times = times
        self._last_ping = now
        self._awaiting_pong: float | None = None
        self._last_heard: dict[str, float] = {}

    @property
    def all_acknowledged(self) -> bool:
        """Every subscription stands."""
        return all(entry.state is _State.ACKNOWLEDGED for entry in self._entries)

    def has_frame(self, now: float) -> bool:
        """Whether there is something to send, so that the caller should take budget for it."""
        return self._is_ping_due(now) or any(entry.state is _State.WANTED for entry in self._entries)

    def next_frame(self, now: float) -> str | None:
        """The next text to send now, or None. The caller has the budget to send one."""
        for entry in self._entries:
            if entry.state is _State.WANTED:
                entry.state, entry.since = _State.SENT, now
                return entry.subscription.frame()
        if self._is_ping_due(now):
            self._last_ping = self._awaiting_pong = now
            return PING
        return None

    def received(self, frame: Frame, now: float) -> list[Notice]:
        """Take note of a frame; the caller uses its data itself."""
        match frame:
            case Pong():
                self._awaiting_pong = None
            case Acknowledgement(method="subscribe"):
                return self._acknowledge(frame.subscription, now)
            case ErrorFrame():
                return self._complaint(frame.text, now)
            case Rows():
                self._last_heard[frame.channel] = now
            case PerpStates():
                self._last_heard["allDexsClearinghouseState"] = now
            case SpotState():
                self._last_heard["spotState"] = now
            case AccountMode():
                self._last_heard["webData3"] = now
            case _:
                pass
        return []

    def defect(self, now: float) -> str | None:
        """Why the connection must be given up now, or None while it is good."""
        if self._awaiting_pong is not None and now - self._awaiting_pong > self._times.pong_timeout_s:
            return "no_pong"
        for entry in self._entries:
            if entry.state is _State.FAILED:
                return "subscription_refused"
            if entry.state is _State.SENT and now - entry.since > self._times.ack_timeout_s:
                return "no_acknowledgement"
            if entry.state is _State.ACKNOWLEDGED and self._is_stale(entry, now):
                return "stale_feed"
        return None

    def _is_ping_due(self, now: float) -> bool:
        return now - self._last_ping >= self._times.ping_interval_s and self._awaiting_pong is None

    def _is_stale(self, entry: _Entry, now: float) -> bool:
        limit = self._times.stale_s.get(entry.subscription.type)
        heard = max(self._last_heard.get(entry.subscription.type, 0.0), entry.since)
        return limit is not None and now - heard > limit

    def _acknowledge(self, echo: Mapping[str, object], now: float) -> list[Notice]:
        entry = self._find(echo)
        if entry is None or entry.state is _State.ACKNOWLEDGED:
            return []
        # An answer that comes after all, even to one that was thought refused, is the venue's last word.
        entry.state, entry.since = _State.ACKNOWLEDGED, now
        return [Acknowledged()] if self.all_acknowledged else []

    def _complaint(self, text: str, now: float) -> list[Notice]:
        match parse_complaint(text):
            case UserLimitReached(users):
                return [UserLimitLearned(users), *self._fail(self._oldest_unanswered(), text)]
            case LimitReached():
                return self._fail(self._oldest_unanswered(), text)
            case AlreadySubscribed(echo):
                return self._acknowledge(echo, now)
            case Rejected(_, echo):
                return self._fail(self._find(echo) if echo else self._oldest_unanswered(), text)
            case OtherComplaint():
                return []

    def _fail(self, entry: _Entry | None, reason: str) -> list[Notice]:
        if entry is None:
            return []
        entry.state = _State.FAILED
        return [Failed(entry.subscription, reason)]

    def _oldest_unanswered(self) -> _Entry | None:
        # Limit errors carry no echo; the venue answers in the order in which it was asked.
        return next((entry for entry in self._entries if entry.state is _State.SENT), None)

    def _find(self, echo: Mapping[str, object]) -> _Entry | None:
        return next((entry for entry in self._entries if entry.subscription.is_acknowledged_by(echo)), None)
