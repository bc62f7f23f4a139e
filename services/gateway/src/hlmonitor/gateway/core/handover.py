"""Giving wallets to other gateways, and taking them, without a hole (DESIGN §8).

Who has a wallet that is another's now says `leaving` and goes on reading. The new one answers `caught_up` when it is
live, or `no_slot` when it had no room for a while. On either the old one lets go; without an answer it does so after
its linger. Words travel through a KV bucket, a key per wallet. Times are monotonic seconds.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from hlmonitor.domain.addresses import Address

REPEAT_S = 2.0
"""An unanswered `leaving` is said again after this: words may be lost with NATS."""
FRESH_S = 3 * REPEAT_S
"""Who has not said `leaving` for so long is not waiting for an answer any more."""


class Word(StrEnum):
    """What a gateway says of a wallet."""

    LEAVING = "leaving"
    CAUGHT_UP = "caught_up"
    NO_SLOT = "no_slot"


class Notice(msgspec.Struct, frozen=True):
    """A word and the gateway that said it."""

    gateway: str
    word: Word


@dataclass(slots=True)
class _Leaving:
    since: float
    said_at: float
    echoed: bool = False
    """Our own word came back: what comes after it is an answer, and not of another time."""
    answer: Word | None = None


@dataclass(slots=True)
class _Giver:
    gateway: str
    heard_at: float
    answered: bool = False


@dataclass(slots=True)
class Handover:
    """What one gateway gives and takes."""

    gateway: str
    linger_s: float
    slot_patience_s: float
    to_say: dict[Address, Notice] = field(default_factory=dict)
    """Words for the shell to send, the newest of each wallet."""
    _leaving: dict[Address, _Leaving] = field(default_factory=dict)
    _givers: dict[Address, _Giver] = field(default_factory=dict)
    _waiting: dict[Address, float] = field(default_factory=dict)
    """Wallets of ours without a slot, and since when."""

    def heard(self, address: Address, notice: Notice, now: float) -> bool:
        """Take note of a word; returns whether somebody else begins to give the wallet away."""
        leaving = self._leaving.get(address)
        if notice.gateway == self.gateway:
            if leaving and notice.word is Word.LEAVING:
                leaving.echoed = True
            return False
        if notice.word is not Word.LEAVING:
            if leaving and leaving.echoed:
                leaving.answer = notice.word
            return False
        begins = self.giver(address, now) != notice.gateway
        self._givers[address] = _Giver(notice.gateway, now)
        return begins

    def giver(self, address: Address, now: float) -> str | None:
        """The gateway that still reads the wallet and waits for whoever takes it."""
        giver = self._givers.get(address)
        return giver.gateway if giver and now - giver.heard_at < FRESH_S else None

    def keep(self, address: Address) -> None:
        """The wallet is ours, or nobody's: it is not given away (any more)."""
        self._leaving.pop(address, None)

    def leave(self, address: Address, now: float) -> str | None:
        """The wallet is another's: say so, and return why to let it go, or None to go on reading."""
        leaving = self._leaving.get(address)
        if leaving is None:
            leaving = self._leaving[address] = _Leaving(now, now)
            self._say(address, Word.LEAVING)
        if leaving.answer is not None:
            return leaving.answer.value
        if now - leaving.since >= self.linger_s:
            return "unanswered"
        if now - leaving.said_at >= REPEAT_S:
            leaving.said_at, leaving.echoed = now, False
            self._say(address, Word.LEAVING)
        return None

    def live(self, address: Address, now: float) -> None:
        """A wallet of ours is read without a gap: whoever gives it away may let go."""
        self._waiting.pop(address, None)
        self._answer(address, Word.CAUGHT_UP, now)

    def wait(self, address: Address, now: float) -> bool:
        """A wallet of ours has no slot; returns whether that has been so for too long to wait for others."""
        since = self._waiting.setdefault(address, now)
        if now - since < self.slot_patience_s:
            return False
        self._answer(address, Word.NO_SLOT, now)
        return True

    def started(self, address: Address) -> None:
        """A wallet of ours has its slot."""
        self._waiting.pop(address, None)

    def forget(self, owned: Collection[Address], running: Collection[Address], now: float) -> None:
        """Drop what concerns wallets that are neither ours nor read by us."""
        self._waiting = {address: since for address, since in self._waiting.items() if address in owned}
        self._leaving = {address: leaving for address, leaving in self._leaving.items() if address in running}
        self._givers = {address: giver for address, giver in self._givers.items() if now - giver.heard_at < FRESH_S}

    def _answer(self, address: Address, word: Word, now: float) -> None:
        giver = self._givers.get(address)
        if giver and not giver.answered and self.giver(address, now):
            giver.answered = True
            self._say(address, word)

    def _say(self, address: Address, word: Word) -> None:
        self.to_say[address] = Notice(self.gateway, word)
