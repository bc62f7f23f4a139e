"""Where the market drifts: a mean-reverting walk per coin, with a shock now and then.

A shock likes to hit a coin in which a leveraged wallet is long or short: that is where liquidations come
from, in this market as in real ones.
"""

from __future__ import annotations

from decimal import Decimal
from math import sqrt
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.precision import round_px

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hlmonitor.simulator.core.dice import Dice
    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.instruments import Instrument

STEP_MS: Final = 500
_STEP_PPM: Final = 250
_PULL: Final = Decimal("0.01")
_MILLION: Final = 1_000_000
_BEYOND_PPM: Final = 9_000
_ASKED: Final = 100


class PriceFeed:
    """Moves the oracle of every coin."""

    def __init__(self, dice: Dice, hunted: Sequence[str]) -> None:
        self._dice = dice
        self._hunted = hunted
        self._fair: dict[str, Decimal] = {}

    def walk(self, exchange: Exchange, instrument: Instrument, elapsed_ms: int) -> None:
        """Move one coin by as much as it wanders in this time, and pull it towards where it began."""
        steps = elapsed_ms / STEP_MS
        noise = Decimal(int(self._dice.gauss(0, _STEP_PPM * sqrt(steps)))) / _MILLION
        pull = min(_PULL * elapsed_ms / STEP_MS, Decimal(1))
        fair = self._fair.get(instrument.coin, instrument.start_px)
        self._set(exchange, instrument, fair * (1 + noise) + (instrument.start_px - fair) * pull)

    def _set(self, exchange: Exchange, instrument: Instrument, fair: Decimal) -> None:
        self._fair[instrument.coin] = fair
        exchange.set_oracle(instrument.coin, round_px(instrument, fair))

    def shock(self, exchange: Exchange, instruments: Sequence[Instrument]) -> str:
        """Hit a coin, if possible one on which a leveraged wallet bets; return which."""
        exposed = self._exposed(exchange)
        if exposed:
            coin, szi = self._dice.choice(exposed)
            instrument = exchange.state.universe.get(coin)
            size = _MILLION // (2 * instrument.max_leverage) + _BEYOND_PPM
            ppm = -size if szi > 0 else size
        else:
            instrument = self._dice.choice(instruments)
            ppm = self._dice.choice((-1, 1)) * _BEYOND_PPM
        fair = self._fair.get(instrument.coin, instrument.start_px)
        self._set(exchange, instrument, fair * (_MILLION + ppm) / _MILLION)
        return instrument.coin

    def _exposed(self, exchange: Exchange) -> list[tuple[str, Decimal]]:
        """Return the positions of leveraged wallets, of some of them if there are many."""
        asked: Iterable[str] = self._hunted
        if len(self._hunted) > _ASKED:
            asked = dict.fromkeys(self._dice.choice(self._hunted) for _ in range(_ASKED))
        found = (exchange.state.accounts.get(address) for address in asked)
        return [
            (coin, position.szi)
            for account in found
            if account is not None
            for coin, position in account.on("").positions.items()
        ]
