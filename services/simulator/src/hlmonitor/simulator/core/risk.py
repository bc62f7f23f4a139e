"""Which accounts may have fallen below maintenance margin, without a look at all of them.

After each look an account gets, for every coin that it holds, the mark price at which it could be in danger
at the earliest: its spare margin over its notional is how far all its coins may move against it together.
Only when a mark price passes that point, or the account itself changes, is it looked at again. So a block
costs what happened in it, however many wallets hold positions.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from .accounts import ZERO
from .tiers import table_of

if TYPE_CHECKING:
    from decimal import Decimal

    from .margin import Margin, Pool
    from .state import ExchangeState

    Key = tuple[str, str]

_SPARE_ENTRIES: Final = 64
_SLACK: Final = 4


class _Alarms:
    """Mark prices of one coin at which accounts wake, kept as (px times sign, number, account)."""

    def __init__(self) -> None:
        self.rises: list[tuple[Decimal, int, Key]] = []
        self.falls: list[tuple[Decimal, int, Key]] = []


class RiskWatch:
    """`due` says whom to look at; `calm` must be told of each look's end."""

    def __init__(self, state: ExchangeState, margin: Margin) -> None:
        self._state = state
        self._margin = margin
        self._alarms: dict[str, _Alarms] = {}
        self._latest: dict[Key, int] = {}
        self._number = 0

    def due(self, marks: dict[str, Decimal]) -> list[Key]:
        """Return (address, dex) of whoever changed, then of those whom new mark prices wake."""
        state = self._state
        woken, state.unsettled = state.unsettled, {}
        for coin, mark in marks.items():
            alarms = self._alarms.get(coin)
            if alarms is not None:
                self._ring(alarms.rises, mark, woken)
                self._ring(alarms.falls, -mark, woken)
        return [key for key in woken if not state.accounts[key[0]].house]

    def _ring(self, heap: list[tuple[Decimal, int, Key]], level: Decimal, woken: dict[Key, None]) -> None:
        while heap and heap[0][0] <= level:
            _, number, key = heappop(heap)
            if self._latest.get(key) == number:
                woken[key] = None

    def calm(self, key: Key) -> None:
        """Set the alarms of an account anew."""
        address, dex = key
        pools = self._margin.pools(self._state.accounts[address], dex)
        if not pools:
            self._latest.pop(key, None)
            return
        self._number += 1
        self._latest[key] = self._number
        for pool in pools:
            self._arm(pool, key)

    def _arm(self, pool: Pool, key: Key) -> None:
        state, positions = self._state, pool.positions()
        steepness = ZERO
        for coin, position in positions.items():
            rate = table_of(state.universe.get(coin)).rates[-1]
            steepness += abs(position.szi) * state.mark(coin) * (1 + rate)
        spare = self._margin.pool_value(pool) - self._margin.pool_maintenance(pool)
        reach = max(spare, ZERO) / steepness
        for coin, position in positions.items():
            alarms = self._alarms.setdefault(coin, _Alarms())
            if position.szi > 0:
                self._push(coin, alarms.falls, (state.mark(coin) * (reach - 1), self._number, key))
            else:
                self._push(coin, alarms.rises, (state.mark(coin) * (1 + reach), self._number, key))

    def _push(self, coin: str, heap: list[tuple[Decimal, int, Key]], entry: tuple[Decimal, int, Key]) -> None:
        heappush(heap, entry)
        if len(heap) > _SPARE_ENTRIES + _SLACK * len(self._state.holders[coin]):
            heap[:] = [kept for kept in heap if self._latest.get(kept[2]) == kept[1]]
            heapify(heap)
