"""The positions of a wallet whose fills do not say where they began: the `trades` feed has no start positions.

Frames of the venue's account state tell positions at a venue time, fills move them from there on. A fill is measured
from the newest frame that is older than it, so a frame that overtakes a fill does not count it twice.
"""

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal

from hlmonitor.aggregator.core.accounts import dex_of
from hlmonitor.domain.decimals import ZERO, parse_amount, plus, total
from hlmonitor.domain.fills import Fill, signed_size
from hlmonitor.v1.events_pb2 import DexState

FRAMES = 4
"""Frames kept per dex: they come every few seconds, and fills are hardly later than that."""
MAX_MOVES = 10_000
"""Fills kept per coin while no frame takes their place; the older half is then summed up."""


@dataclass(frozen=True, slots=True)
class _Frame:
    time_ms: int
    positions: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class _Move:
    time_ms: int
    size: Decimal


@dataclass(slots=True)
class Tracked:
    """Where the positions of one wallet are, as far as that is known."""

    _frames: dict[str, deque[_Frame]] = field(default_factory=dict)
    _ends: dict[str, _Frame] = field(default_factory=dict)
    """By coin: what the last stored fill left, or what was summed up. All until then is in it."""
    _moves: dict[str, list[_Move]] = field(default_factory=dict)

    def told(self, state: DexState) -> None:
        """The venue told all positions of a dex; a coin that is absent is flat."""
        if not state.time_ms:
            # Without its time, nobody can say which fills are in it.
            return
        frames = self._frames.setdefault(state.dex, deque(maxlen=FRAMES))
        if frames and state.time_ms <= frames[-1].time_ms:
            return
        frames.append(_Frame(state.time_ms, {row.coin: parse_amount(row.szi) for row in state.positions}))
        oldest_ms = frames[0].time_ms
        for coin, moves in self._moves.items():
            if dex_of(coin) == state.dex:
                moves[:] = [move for move in moves if move.time_ms > oldest_ms]

    def stored(self, coin: str, position: Decimal, time_ms: int) -> None:
        """The last position that SQL has."""
        self._ends[coin] = _Frame(time_ms, {coin: position})

    def ended(self, fill: Fill) -> None:
        """A fill came of which the venue told the start."""
        known = self._ends.get(fill.coin)
        if (
            known
            and (fill.time_ms, fill.start_position) != (known.time_ms, known.positions[fill.coin])
            and (fill.time_ms <= known.time_ms)
        ):
            # It is older than what is known, or stands elsewhere in the chain of its millisecond.
            return
        self.stored(fill.coin, plus(fill.start_position, signed_size(fill)), fill.time_ms)
        if moves := self._moves.get(fill.coin):
            moves[:] = [move for move in moves if move.time_ms > fill.time_ms]

    def moved(self, fill: Fill) -> None:
        """A new fill was taken in."""
        moves = self._moves.setdefault(fill.coin, [])
        moves.append(_Move(fill.time_ms, signed_size(fill)))
        if len(moves) > MAX_MOVES:
            self._sum_up(fill.coin, moves)

    def before(self, fill: Fill) -> Decimal | None:
        """The position that a new fill began with; None while nothing tells."""
        return self._at(fill.coin, fill.time_ms)

    def forget(self) -> None:
        """Fills may have been missed: nothing is known until the venue tells it again."""
        self._frames.clear()
        self._ends.clear()
        self._moves.clear()

    def _at(self, coin: str, time_ms: int) -> Decimal | None:
        frames = self._frames.get(dex_of(coin), ())
        frame = next((frame for frame in reversed(frames) if frame.time_ms < time_ms), None)
        end = self._ends.get(coin)
        # What was stored is exact to the fill, so fills of its own millisecond go on from it.
        if end and end.time_ms <= time_ms and (frame is None or end.time_ms > frame.time_ms):
            frame, is_after = end, end.time_ms
        elif frame:
            is_after = frame.time_ms + 1
        else:
            return None
        moves = (move.size for move in self._moves.get(coin, ()) if is_after <= move.time_ms <= time_ms)
        return plus(frame.positions.get(coin, ZERO), total(moves))

    def _sum_up(self, coin: str, moves: list[_Move]) -> None:
        moves.sort(key=lambda move: move.time_ms)
        through_ms = moves[len(moves) // 2].time_ms
        position = self._at(coin, through_ms)
        if position is not None:
            self._ends[coin] = _Frame(through_ms, {coin: position})
        moves[:] = [move for move in moves if move.time_ms > through_ms]
