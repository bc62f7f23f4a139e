"""Whether a wallet's fills chain: each begins at the position, or balance, where the one before ended (DESIGN G5).

A hole in the chain of a perp's positions is a fill that we did not see. Fills of one block may come in any order and by
two feeds, so a link that fits nowhere gets time to settle. The chain of a token's balances breaks with every transfer
too: there a hole proves nothing, and is only a reason to look.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from hlmonitor.domain.decimals import plus
from hlmonitor.domain.fills import Fill, signed_size

SETTLE_S = 2.0
"""How long a fill may wait for the one before it."""
MAX_LOOSE = 1_000
"""Loose links of one coin; more are a break at once, whatever the time."""


@dataclass(frozen=True, slots=True)
class Break:
    """A hole: after `from_ms` (venue time) something was missed that led from one position (or balance) to another."""

    coin: str
    """A perp's coin, or for balances the token."""
    from_ms: int
    expected: Decimal
    found: Decimal

    @property
    def reason(self) -> str:
        """For people."""
        return f"{self.coin} fills do not chain: expected position {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True)
class _Link:
    before: Decimal
    after: Decimal
    time_ms: int


@dataclass(slots=True)
class _Chain:
    coin: str
    end: Decimal
    time_ms: int
    settled_ms: int
    """What is older can only fill a hole that was told long ago, or repeat what led here."""
    loose: list[_Link] = field(default_factory=list)
    loose_since_s: float = 0.0
    holes: list[_Link] = field(default_factory=list)
    """Breaks that were told: fills may still come that close them."""
    is_new: bool = False
    """Where it begins is not known yet: the first fills are still arriving."""
    _mark: tuple[float, int] = (float("-inf"), 0)

    def settle(self, now_s: float) -> None:
        """While nothing is loose, what was the end two seconds ago is settled."""
        marked_s, marked_ms = self._mark
        if now_s - marked_s >= SETTLE_S:
            self.settled_ms = max(self.settled_ms, marked_ms)
            self.holes = [hole for hole in self.holes if hole.time_ms >= self.settled_ms]
            self._mark = (now_s, self.time_ms)

    def advance(self) -> None:
        """Append every loose link that fits."""
        if self.is_new:
            return
        while (link := next((link for link in self.loose if link.before == self.end), None)) is not None:
            self.loose.remove(link)
            self.end, self.time_ms = link.after, max(self.time_ms, link.time_ms)

    def resume_behind_hole(self) -> Break | None:
        """Go on where the loose links begin; None when they only lead in circles, back to what was passed.

        A position that returns to where it was makes the order of links ambiguous, but whatever order was taken, a walk
        without holes leaves nothing but circles over. A told hole counts as walked.
        """
        surplus: Counter[Decimal] = Counter()
        for link in self.loose:
            surplus[link.before] += 1
            surplus[link.after] -= 1
        for hole in self.holes:
            surplus[hole.before] -= 1
            surplus[hole.after] += 1
        starts = [link for link in self.loose if surplus[link.before] > 0]
        if not starts and not self.is_new:
            self.loose.clear()
            return None
        start = min(starts or self.loose, key=lambda link: link.time_ms)
        if self.is_new:
            self.is_new, self.end, self.time_ms = False, start.before, start.time_ms
            self.advance()
            return None
        found = Break(self.coin, self.time_ms, self.end, start.before)
        self.holes.append(_Link(self.end, start.before, max(self.time_ms, start.time_ms)))
        self.end = start.before
        self.advance()
        return found


@dataclass(slots=True)
class Continuity:
    """The chains of one wallet: of positions by coin, or of balances by token."""

    _chains: dict[str, _Chain] = field(default_factory=dict)
    _unsettled: set[str] = field(default_factory=set)

    def seed(self, coin: str, position: Decimal, time_ms: int) -> None:
        """The last position that is stored."""
        self._chains[coin] = _Chain(coin, position, time_ms, time_ms)

    @property
    def coins(self) -> Iterable[str]:
        """The coins that have a chain."""
        return self._chains.keys()

    def is_settled(self, coin: str) -> bool:
        """No fill of it waits for the one before."""
        return coin not in self._unsettled

    def end_at(self, coin: str) -> tuple[Decimal, int] | None:
        """Where a chain has come to, and the venue time (ms) of the last fill in it; None while that is not known."""
        chain = self._chains.get(coin)
        return (chain.end, chain.time_ms) if chain and not chain.is_new else None

    def end_of(self, coin: str) -> Decimal | None:
        """Where a chain has come to, if there is one."""
        chain = self._chains.get(coin)
        return chain.end if chain else None

    def add_position(self, fill: Fill, now_s: float) -> None:
        """A new fill of a perp."""
        self._add(fill.coin, fill, plus(fill.start_position, signed_size(fill)), now_s)

    def add_balance(self, token: str, fill: Fill, now_s: float) -> None:
        """A new spot fill; `token` is what was bought or sold. A fee in it has left the balance too."""
        after = plus(fill.start_position, signed_size(fill))
        self._add(token, fill, plus(after, -fill.fee) if fill.fee_token == token else after, now_s)

    def _add(self, coin: str, fill: Fill, after: Decimal, now_s: float) -> None:
        chain = self._chains.get(coin)
        if chain is None:
            start = fill.start_position
            chain = self._chains[coin] = _Chain(coin, start, fill.time_ms, fill.time_ms, is_new=True)
        if not chain.loose:
            chain.loose_since_s = now_s
            chain.settle(now_s)
        if fill.time_ms < chain.settled_ms:
            return
        chain.loose.append(_Link(fill.start_position, after, fill.time_ms))
        chain.advance()
        if chain.loose:
            self._unsettled.add(coin)
        else:
            self._unsettled.discard(coin)

    def breaks(self, now_s: float) -> list[Break]:
        """The holes that did not close in time; the chains go on behind them."""
        found = []
        for coin in list(self._unsettled):
            chain = self._chains[coin]
            if now_s - chain.loose_since_s >= SETTLE_S or len(chain.loose) > MAX_LOOSE:
                if hole := chain.resume_behind_hole():
                    found.append(hole)
                chain.loose_since_s = now_s
            if not chain.loose:
                self._unsettled.discard(coin)
        return found
