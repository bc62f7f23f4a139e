"""What a recorder says on one connection and how it takes the answers. Times are monotonic seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import msgspec

from hlmonitor.cli.core.wanted import Wanted
from hlmonitor.venue.core.subscriptions import (
    AlreadySubscribed,
    LimitReached,
    OtherComplaint,
    Rejected,
    UserLimitReached,
    parse_complaint,
)

PING = '{"method":"ping"}'
PING_EVERY_S = 25.0
PONG_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 20.0

# Only these are looked into; a recorder has no opinion about data.
_ANSWERS = ('"subscriptionResponse"', '"error"', '"pong"')
_HEAD = 48


class Answer(Enum):
    """What the venue made of a subscription."""

    NONE = "none"
    STANDS = "stands"
    REFUSED = "refused"


@dataclass(slots=True)
class Entry:
    """A subscription and what became of it."""

    wanted: Wanted
    sent_at: float | None = None
    answer: Answer = Answer.NONE
    reason: str = ""


class Conversation:
    """One connection from opening to end."""

    def __init__(self, subscriptions: Sequence[Wanted], now: float) -> None:
        self.entries = [Entry(wanted) for wanted in subscriptions]
        self._last_ping = now
        self._awaiting_pong = False

    @property
    def standing(self) -> int:
        """How many subscriptions stand."""
        return sum(entry.answer is Answer.STANDS for entry in self.entries)

    @property
    def oldest_unanswered(self) -> Entry | None:
        """The subscription that the venue owes an answer for the longest."""
        asked = (entry for entry in self.entries if entry.sent_at is not None)
        return next((entry for entry in asked if entry.answer is Answer.NONE), None)

    def next_text(self, now: float) -> str | None:
        """What to send now, if anything."""
        entry = next((entry for entry in self.entries if entry.sent_at is None), None)
        if entry is not None:
            entry.sent_at = now
            return msgspec.json.encode({"method": "subscribe", "subscription": entry.wanted}).decode()
        if now - self._last_ping >= PING_EVERY_S and not self._awaiting_pong:
            self._last_ping, self._awaiting_pong = now, True
            return PING
        return None

    def received(self, text: str) -> None:
        """Take note of a frame."""
        head = text[:_HEAD]
        if not any(answer in head for answer in _ANSWERS):
            return
        try:
            frame = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return
        match frame:
            case {"channel": "pong"}:
                self._awaiting_pong = False
            case {"channel": "subscriptionResponse", "data": {"method": "subscribe", "subscription": dict(echo)}}:
                self._stands(echo)
            case {"channel": "error", "data": str(complaint)}:
                self._complaint(complaint)
            case _:
                pass

    def defect(self, now: float) -> str | None:
        """Why the connection must be given up, or None while it is good."""
        if self._awaiting_pong and now - self._last_ping > PONG_TIMEOUT_S:
            return "no pong"
        entry = self.oldest_unanswered
        if entry is not None and entry.sent_at is not None and now - entry.sent_at > ANSWER_TIMEOUT_S:
            return "no answer to a subscription"
        return None

    def _complaint(self, text: str) -> None:
        match parse_complaint(text):
            case AlreadySubscribed(echo):
                self._stands(echo)
            case UserLimitReached() | LimitReached():
                # These carry no echo; the venue answers in the order in which it was asked.
                self._refused(self.oldest_unanswered, text)
            case Rejected(_, echo):
                self._refused(self._find(echo) if echo else self.oldest_unanswered, text)
            case OtherComplaint():
                pass

    def _stands(self, echo: Mapping[str, object]) -> None:
        entry = self._find(echo)
        if entry is not None:
            entry.answer = Answer.STANDS

    @staticmethod
    def _refused(entry: Entry | None, text: str) -> None:
        if entry is not None:
            entry.answer, entry.reason = Answer.REFUSED, text

    def _find(self, echo: Mapping[str, object]) -> Entry | None:
        # The venue adds defaults and drops what it does not know: whatever it echoes of ours must be ours.
        def fits(entry: Entry) -> bool:
            return all(echo[name] == value for name, value in entry.wanted.items() if name in echo)

        asked = [entry for entry in self.entries if entry.sent_at is not None and fits(entry)]
        return next((entry for entry in asked if entry.answer is Answer.NONE), None)
