"""Whether a wallet's perp fills chain: each begins at the position where the one before ended (DESIGN G5).

A hole in the chain is a fill that we did not see. Fills of one block may come in any order and by two feeds, so a link
that fits nowhere gets time to settle. Balances of spot coins are no chain: fees and transfers change them too.
"""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from hlmonitor.domain.fills import Fill, signed_size

SETTLE_S = 2.0
"""How long a fill may wait for the one before it."""
MAX_LOOSE = 1_000
"""Loose links of one coin; more are a break at once, whatever the time."""


@dataclass(frozen=True, slots=True)
class Break:
    """A hole: after `from_ms` something was missed that led from one position to the other."""

    coin: str
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
    end: Decimal
    time_ms: int
    loose: list[_Link] = field(default_factory=list)
    loose_since_s: float = 0.0

    def advance(self) -> None:
        """Append every loose link that fits."""
        while (link := next((link for link in self.loose if link.before == self.end), None)) is not None:
            self.loose.remove(link)
            self.end, self.time_ms = link.after, max(self.time_ms, link.time_ms)

    def hole_ends_at(self) -> Decimal | None:
        """Where the loose links begin; None when they only lead in circles, back to a position that was passed.

        A position that returns to where it was makes the order of links ambiguous, but whatever order was taken, a walk
        without holes leaves nothing but circles over.
        """
        surplus: Counter[Decimal] = Counter()
        for link in self.loose:
            surplus[link.before] += 1
            surplus[link.after] -= 1
        starts = [link for link in self.loose if surplus[link.before] > 0]
        return min(starts, key=lambda link: link.time_ms).before if starts else None


@dataclass(slots=True)
class Continuity:
    """The chains of one wallet, by coin."""

    _chains: dict[str, _Chain] = field(default_factory=dict)
    _unsettled: set[str] = field(default_factory=set)

    def seed(self, coin: str, position: Decimal, time_ms: int) -> None:
        """The last position that is stored."""
        self._chains[coin] = _Chain(position, time_ms)

    def add(self, fill: Fill, now_s: float) -> None:
        """A new fill. What is older than the chain's end can only fill a hole that was told already."""
        chain = self._chains.get(fill.coin)
        after = fill.start_position + signed_size(fill)
        if chain is None:
            self._chains[fill.coin] = _Chain(after, fill.time_ms)
            return
        if fill.time_ms < chain.time_ms:
            return
        if not chain.loose:
            chain.loose_since_s = now_s
        chain.loose.append(_Link(fill.start_position, after, fill.time_ms))
        chain.advance()
        if chain.loose:
            self._unsettled.add(fill.coin)
        else:
            self._unsettled.discard(fill.coin)

    def breaks(self, now_s: float) -> list[Break]:
        """The holes that did not close in time; the chains go on behind them."""
        found = []
        for coin in list(self._unsettled):
            chain = self._chains[coin]
            if now_s - chain.loose_since_s >= SETTLE_S or len(chain.loose) > MAX_LOOSE:
                start = chain.hole_ends_at()
                if start is not None:
                    found.append(Break(coin, chain.time_ms, chain.end, start))
                    chain.end = start
                    chain.advance()
                else:
                    chain.loose.clear()
                chain.loose_since_s = now_s
            if not chain.loose:
                self._unsettled.discard(coin)
        return found
