"""Positions that the venue tells every few seconds, held against where our fills led (DESIGN G5).

A frame may be older than the newest fills, or newer than fills that are still on their way: only one that no fill is
newer than says something, and only what a second frame says too is a difference. That all is equal proves nothing.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from hlmonitor.aggregator.core.accounts import dex_of
from hlmonitor.aggregator.core.continuity import Break, Continuity
from hlmonitor.domain.decimals import ZERO, parse_amount
from hlmonitor.v1.events_pb2 import DexState

SETTLE_S = 3.0
"""How long a position may differ: as long as a fill may be late."""
FRAMES = 2
"""How many frames must tell it."""
MARGIN_MS = 5_000
"""A frame's own time may be so much later than the last fill that is in it."""


class Difference(Break):
    """A hole that the venue's positions show; `from_ms` is 0 while no frame showed anything."""

    __slots__ = ()

    @property
    def reason(self) -> str:
        """For people and for who searches the table of gaps."""
        return f"positions_differ: {self.coin} is {self.found}, our fills led to {self.expected}"


@dataclass(frozen=True, slots=True)
class _Stand:
    position: Decimal
    time_ms: int


@dataclass(slots=True)
class _Doubt:
    expected: _Stand
    told: _Stand
    since_s: float
    frames: int = 1


@dataclass(slots=True)
class Standings:
    """The perp positions of one wallet as the venue told them."""

    _agreed: dict[str, _Stand] = field(default_factory=dict)
    """By coin, where it is not flat: what the last frame that raised no doubt told, or what was taken over."""
    _told_ms: dict[str, int] = field(default_factory=dict)
    """By dex: the time of the last frame."""
    _good_ms: dict[str, int] = field(default_factory=dict)
    """By coin, where the last frame did not agree: the time of the last one that did, 0 for none."""
    _doubts: dict[str, _Doubt] = field(default_factory=dict)

    def told(self, state: DexState, chains: Continuity, since_ms: int, now_s: float) -> None:
        """A frame told all positions of a dex; fills before `since_ms` are not ours to know."""
        before_ms = self._told_ms.get(state.dex)
        if not state.time_ms or state.time_ms <= (before_ms or 0):
            # Without a time, or older than another, it says nothing.
            return
        positions = {row.coin: parse_amount(row.szi) for row in state.positions}
        coins = {coin for coin in (*chains.coins, *self._agreed) if dex_of(coin) == state.dex} | positions.keys()
        if not all(map(chains.is_settled, coins)):
            # A fill waits for the one before it: what the position was until then is about to be known.
            return
        for coin in coins:
            told = _Stand(positions.get(coin, ZERO), state.time_ms)
            self._hold(coin, told, self._expected(coin, chains, since_ms, before_ms), now_s)
        self._told_ms[state.dex] = state.time_ms

    def stand_at(self, coin: str) -> tuple[Decimal, int] | None:
        """The last position that is not in doubt, and when it was (venue time, ms); None while nothing was told."""
        if doubt := self._doubts.get(coin):
            return doubt.expected.position, doubt.expected.time_ms
        agreed, told_ms = self._agreed.get(coin), self._told_ms.get(dex_of(coin))
        if agreed:
            return agreed.position, agreed.time_ms
        return None if told_ms is None else (ZERO, told_ms)

    def good_ms(self, coin: str) -> int:
        """Until when nothing of a coin was missed as far as positions show (venue time); 0 while they show nothing."""
        agreed = self._agreed.get(coin)
        last_ms = agreed.time_ms if agreed else self._told_ms.get(dex_of(coin), 0)
        return max(self._good_ms.get(coin, last_ms) - MARGIN_MS, 0)

    def differing(self, chains: Continuity, now_s: float) -> list[Difference]:
        """The differences that no fill has explained in time; what the venue told is then taken over."""
        found = []
        for coin, doubt in list(self._doubts.items()):
            end = chains.end_at(coin) or (doubt.expected.position, 0)
            if end[1] >= doubt.told.time_ms:
                # Fills came that are newer: they chain, or they do not.
                del self._doubts[coin]
            elif end[1] >= doubt.expected.time_ms and end[0] == doubt.told.position:
                self._agree(coin, doubt.told)
            elif doubt.frames >= FRAMES and now_s - doubt.since_s >= SETTLE_S and chains.is_settled(coin):
                found.append(Difference(coin, self.good_ms(coin), doubt.expected.position, doubt.told.position))
                self._agree(coin, doubt.told)
        return found

    def forget_doubts(self) -> None:
        """Fills are being read again: nothing differs until they are there."""
        self._doubts.clear()

    def _expected(self, coin: str, chains: Continuity, since_ms: int, before_ms: int | None) -> _Stand | None:
        doubt = self._doubts.get(coin)
        known = doubt.expected if doubt else self._agreed.get(coin)
        if known is None and before_ms is not None:
            known = _Stand(ZERO, before_ms)
        end = chains.end_at(coin)
        if end and end[1] >= since_ms and (known is None or end[1] >= known.time_ms):
            return _Stand(end[0], end[1])
        return known

    def _hold(self, coin: str, told: _Stand, expected: _Stand | None, now_s: float) -> None:
        doubt = self._doubts.get(coin)
        if expected is None or expected.position == told.position:
            self._agree(coin, told)
            return
        agreed = self._agreed.get(coin)
        self._good_ms.setdefault(coin, agreed.time_ms if agreed else self._told_ms.get(dex_of(coin), 0))
        if expected.time_ms >= told.time_ms:
            self._doubts.pop(coin, None)
        elif doubt is None or doubt.expected != expected:
            # With every new fill there is another position that frames may be ahead of.
            self._doubts[coin] = _Doubt(expected, told, now_s)
        else:
            doubt.told, doubt.frames = told, doubt.frames + 1

    def _agree(self, coin: str, told: _Stand) -> None:
        self._doubts.pop(coin, None)
        self._good_ms.pop(coin, None)
        if told.position:
            self._agreed[coin] = told
        else:
            # Flat is what a coin is taken for that the last frame lacked.
            self._agreed.pop(coin, None)
