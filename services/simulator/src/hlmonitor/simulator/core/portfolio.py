"""What a wallet was worth and earned, told backwards from what it holds now.

PnL between two times = what fills and funding brought in between, plus what is held after at its price then, less
what was held before at its price then. The value of the past is today's less the PnL and the transfers since.
Prices of the past are closes of full hours.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING

from .accounts import ZERO, Account
from .flows import flow_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .events import Fill
    from .exchange import Exchange


@dataclass(frozen=True, slots=True)
class Point:
    """A wallet at a time. `pnl` is counted from the earliest point of its history."""

    time_ms: int
    value: Decimal
    pnl: Decimal


@dataclass(frozen=True, slots=True)
class _Change:
    """What happened at a time: cash and units of a coin that came in by trading, and cash that came from outside."""

    time_ms: int
    cash: Decimal = ZERO
    coin: str = ""
    units: Decimal = ZERO
    transfer: Decimal = ZERO


class Portfolio:
    """A wallet's past, of its perps alone or of its spot balances too."""

    def __init__(self, exchange: Exchange, address: str, *, with_spot: bool) -> None:
        self._exchange = exchange
        self._state = exchange.state
        self._records = exchange.state.ledger.of(address)
        self._account = exchange.state.accounts.get(address) or Account(address)
        self._with_spot = with_spot

    def volume(self, since_ms: int) -> Decimal:
        """Return what was traded since a time, of the fills that are kept."""
        recent = (fill for fill in self._fills() if fill.time >= since_ms)
        return sum((fill.px * fill.sz for fill in recent), ZERO)

    def points(self, times: Sequence[int]) -> list[Point]:
        """Return points at these times, which ascend and end with now."""
        held, changes = self._held_now(), self._changes()
        change, value = next(changes, None), self._value_now()
        cash, worth_now, gains = ZERO, self._worth(held, times[-1]), []
        moved = ZERO
        for time_ms in reversed(times):
            while change is not None and change.time_ms > time_ms:
                cash += change.cash
                moved += change.transfer
                held[change.coin] -= change.units
                change = next(changes, None)
            gain = cash + worth_now - self._worth(held, time_ms)
            gains.append((time_ms, gain, moved))
        total = gains[-1][1]
        return [Point(at, value - gain - transfers, total - gain) for at, gain, transfers in reversed(gains)]

    def began_ms(self) -> int:
        """Return when the wallet did its first thing that is kept; now, when it never did anything."""
        firsts = [fill.time for fill in islice(self._records.fills, 1)]
        firsts += [update.time_ms for update in islice(self._records.ledger_updates, 1)]
        return min(firsts, default=self._state.now_ms)

    def _fills(self) -> Iterator[Fill]:
        """Yield fills, newest first."""
        get = self._state.universe.get
        return (fill for fill in reversed(self._records.fills) if self._with_spot or not get(fill.coin).is_spot)

    def _changes(self) -> Iterator[_Change]:
        """Yield what happened, newest first."""
        kinds = (map(self._traded, self._fills()), self._paid(), self._moved())
        return merge(*kinds, key=lambda change: change.time_ms, reverse=True)

    def _traded(self, fill: Fill) -> _Change:
        instrument = self._state.universe.get(fill.coin)
        units = fill.sz * fill.side.sign
        cash = -units * fill.px
        if instrument.is_spot and fill.fee_token == self._state.universe.token_by_index[instrument.base].name:
            units -= fill.fee
        else:
            cash -= fill.fee
        return _Change(fill.time, cash, fill.coin, units)

    def _paid(self) -> Iterable[_Change]:
        return (_Change(payment.time, payment.usdc) for payment in reversed(self._records.fundings))

    def _moved(self) -> Iterator[_Change]:
        """Yield transfers. Tokens that move are held or not held by it, which is neither profit nor loss."""
        pairs = self._pairs()
        for update in reversed(self._records.ledger_updates):
            flow = flow_of(update, self._state)
            if not self._with_spot:
                yield _Change(update.time_ms, transfer=flow.perp)
                continue
            token = next((token.index for token in self._state.universe.tokens if token.name == flow.token), None)
            coin = pairs.get(token, "") if token is not None else ""
            # What came in as tokens is worth something from then on: not gained, hence taken off the cash.
            cash, units = (-flow.spot, flow.units) if coin else (ZERO, ZERO)
            yield _Change(update.time_ms, cash, coin, units, flow.total)

    def _held_now(self) -> defaultdict[str, Decimal]:
        """Return units by coin: positions, and balances under the coin of their pair."""
        held: defaultdict[str, Decimal] = defaultdict(Decimal)
        for margin in self._account.margin.values():
            held.update({coin: position.szi for coin, position in margin.positions.items()})
        if self._with_spot:
            pairs = self._pairs()
            for token, balance in self._account.spot.items():
                if token in pairs:
                    held[pairs[token]] = balance.total
        return held

    def _value_now(self) -> Decimal:
        value = sum((self._exchange.margin.value(self._account, dex) for dex in list(self._account.margin)), ZERO)
        if not self._with_spot:
            return value
        pairs = self._pairs()
        quotes = {pair.quote for pair in self._state.universe.spot}
        for token, balance in self._account.spot.items():
            if token in pairs:
                value += balance.total * self._state.mark(pairs[token])
            elif token in quotes:
                value += balance.total
        return value

    def _pairs(self) -> dict[int, str]:
        """Return by token the coin of its first pair, which prices it."""
        return {pair.base: pair.coin for pair in reversed(self._state.universe.spot)}

    def _worth(self, held: dict[str, Decimal], time_ms: int) -> Decimal:
        return sum((units * self._px(coin, time_ms) for coin, units in held.items() if units), ZERO)

    def _px(self, coin: str, time_ms: int) -> Decimal:
        if time_ms >= self._state.now_ms:
            return self._state.mark(coin)
        past = self._state.candles[coin].close_before(time_ms)
        return self._state.universe.get(coin).start_px if past is None else past
