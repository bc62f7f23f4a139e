"""Funding: once an hour longs pay shorts, or shorts longs, what the premium of the book over the oracle says.

The venue's rule: the premium is sampled every 5 s as the distance of the impact prices from the oracle, over
the oracle; the 8-hour rate is the hour's average premium plus the interest rate of 0.01 % less that average,
cut to ±0.05 %; an hour is an eighth of it, at most 4 %. The payment is size times oracle price times rate.
A block that skips several hours pays for one (an assumption: the venue's blocks never do).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from .accounts import MICRO, ZERO, Account
from .durations import HOUR_MS
from .events import FundingPayment, FundingRate
from .orders import Side

if TYPE_CHECKING:
    from .instruments import Instrument
    from .state import ExchangeState

SAMPLE_MS: Final = 5_000
_HISTORY: Final = 24 * 365
_INTEREST: Final = Decimal("0.0001")
_CLAMP: Final = Decimal("0.0005")
_PERIODS: Final = 8
_MOST: Final = Decimal("0.04")
_UNIT: Final = Decimal("1e-10")
_LARGE_IMPACT: Final = Decimal(20_000)
_IMPACT: Final = Decimal(6_000)
_LARGE: Final = frozenset({"BTC", "ETH"})


@dataclass(slots=True)
class _Hour:
    """Premiums of the hour under way."""

    total: Decimal = ZERO
    samples: int = 0

    @property
    def average(self) -> Decimal:
        """The average so far, zero before the first sample."""
        return self.total / self.samples if self.samples else ZERO


class Funding:
    """Samples premiums and pays. `history` has the rates of each coin, oldest first."""

    def __init__(self, state: ExchangeState) -> None:
        self._state = state
        self._hours: dict[str, _Hour] = {}
        self._hour = state.now_ms // HOUR_MS
        self._sample = state.now_ms // SAMPLE_MS
        self.history: dict[str, deque[FundingRate]] = {}

    def run(self) -> None:
        """Do what this block's time asks for: pay the hour that ended, take a sample."""
        now_ms = self._state.now_ms
        if now_ms // HOUR_MS > self._hour:
            self._hour = now_ms // HOUR_MS
            for instrument in self._listed():
                self._pay(instrument)
            self._hours.clear()
        if now_ms // SAMPLE_MS > self._sample:
            self._sample = now_ms // SAMPLE_MS
            for instrument in self._listed():
                self._take_sample(instrument)

    def rate(self, coin: str) -> Decimal:
        """Return the hourly rate that the samples of this hour so far would give."""
        average = self._average(coin)
        rate = (average + max(-_CLAMP, min(_INTEREST - average, _CLAMP))) / _PERIODS
        return max(-_MOST, min(rate, _MOST)).quantize(_UNIT)

    def premium(self, coin: str) -> Decimal | None:
        """Return the premium of the book over the oracle now; None when a side cannot fill the impact size."""
        prices = self.impact_pxs(coin)
        if prices is None:
            return None
        oracle, (bid, ask) = self._state.oracle[coin], prices
        return ((max(bid - oracle, ZERO) - max(oracle - ask, ZERO)) / oracle).quantize(_UNIT)

    def impact_pxs(self, coin: str) -> tuple[Decimal, Decimal] | None:
        """Return the average prices of selling and buying the impact size; None when a side has not so much."""
        bid, ask = self._impact_px(coin, Side.BUY), self._impact_px(coin, Side.SELL)
        return None if bid is None or ask is None else (bid, ask)

    def _impact_px(self, coin: str, side: Side) -> Decimal | None:
        wanted = _LARGE_IMPACT if coin in _LARGE else _IMPACT
        left, size = wanted, ZERO
        for px, orders in self._state.books[coin].levels(side):
            there = px * sum((order.remaining for order in orders), ZERO)
            taken = min(left, there)
            size += taken / px
            left -= taken
            if not left:
                return (wanted / size).quantize(MICRO)
        return None

    def _average(self, coin: str) -> Decimal:
        hour = self._hours.get(coin)
        return ZERO if hour is None else hour.average

    def _listed(self) -> list[Instrument]:
        """Return the perps that trade, or in which somebody is left."""
        state = self._state
        return [i for i in state.universe.perps() if i.coin not in state.delisted and self._is_alive(i.coin)]

    def _is_alive(self, coin: str) -> bool:
        return bool(self._state.holders[coin]) or self._state.books[coin].best(Side.BUY) is not None

    def _take_sample(self, instrument: Instrument) -> None:
        hour = self._hours.setdefault(instrument.coin, _Hour())
        hour.total += self.premium(instrument.coin) or ZERO
        hour.samples += 1

    def _pay(self, instrument: Instrument) -> None:
        state, coin = self._state, instrument.coin
        rate = FundingRate(coin, state.now_ms, self.rate(coin), self._average(coin).quantize(_UNIT))
        self.history.setdefault(coin, deque(maxlen=_HISTORY)).append(rate)
        state.block.funding_rates.append(rate)
        left = ZERO
        for account in state.holders[coin].values():
            left -= self._settle(account, instrument, rate.rate)
        # What rounding leaves stays with the exchange.
        state.perp_fees[instrument.dex] = state.perp_fees.get(instrument.dex, ZERO) + left

    def _settle(self, account: Account, instrument: Instrument, rate: Decimal) -> Decimal:
        """Pay one position's funding; return what its owner got."""
        state, coin = self._state, instrument.coin
        margin = account.on(instrument.dex)
        position = margin.positions[coin]
        usdc = (-position.szi * state.oracle[coin] * rate).quantize(MICRO)
        if position.raw_usd is None:
            state.move_cash(account.address, instrument.dex, usdc)
        else:
            position.raw_usd += usdc
            state.unsettled[account.address, instrument.dex] = None
        position.funding_since_open -= usdc
        position.funding_since_change -= usdc
        margin.funding[coin] = margin.funding.get(coin, ZERO) - usdc
        payment = FundingPayment(account.address, coin, state.now_ms, usdc, position.szi, rate)
        state.block.fundings.append(payment)
        state.ledger.record_funding(payment)
        return usdc
