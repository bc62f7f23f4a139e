"""Where the market drifts: a mean-reverting walk per coin, with a shock now and then.

A shock likes to hit a coin in which a leveraged wallet is long or short: that is where liquidations come
from, in this market as in real ones.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.precision import round_px

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hlmonitor.simulator.core.dice import Dice
    from hlmonitor.simulator.core.exchange import Exchange
    from hlmonitor.simulator.core.instruments import Instrument

_STAGGER: Final = 5
_STEP_PPM: Final = 250
_PULL: Final = Decimal("0.01")
_MILLION: Final = 1_000_000
_BEYOND_PPM: Final = 9_000


class PriceFeed:
    """Moves the oracle of every coin."""

    def __init__(self, dice: Dice, hunted: Sequence[str], shock_every_blocks: int = 45) -> None:
        self._dice = dice
        self._hunted = hunted
        self._shock_every = shock_every_blocks
        self._fair: dict[str, Decimal] = {}

    def step(self, exchange: Exchange) -> set[str]:
        """Move some coins; return those that were shocked."""
        number = exchange.state.block.number
        for place, instrument in enumerate(exchange.state.universe.quoted()):
            if (number + place) % _STAGGER == 0:
                self._walk(exchange, instrument)
        if self._dice.randrange(self._shock_every) == 0:
            return {self._shock(exchange)}
        return set()

    def _walk(self, exchange: Exchange, instrument: Instrument) -> None:
        noise = Decimal(int(self._dice.gauss(0, _STEP_PPM))) / _MILLION
        fair = self._fair.get(instrument.coin, instrument.start_px)
        self._set(exchange, instrument, fair * (1 + noise) + (instrument.start_px - fair) * _PULL)

    def _set(self, exchange: Exchange, instrument: Instrument, fair: Decimal) -> None:
        self._fair[instrument.coin] = fair
        exchange.set_oracle(instrument.coin, round_px(instrument, fair))

    def _shock(self, exchange: Exchange) -> str:
        exposed = [
            (coin, position.szi)
            for address in self._hunted
            for coin, position in exchange.state.account(address).on("").positions.items()
        ]
        if exposed:
            coin, szi = self._dice.choice(exposed)
            instrument = exchange.state.universe.get(coin)
            size = _MILLION // (2 * instrument.max_leverage) + _BEYOND_PPM
            ppm = -size if szi > 0 else size
        else:
            instrument = self._dice.choice(list(exchange.state.universe.quoted()))
            ppm = self._dice.choice((-1, 1)) * _BEYOND_PPM
        fair = self._fair.get(instrument.coin, instrument.start_px)
        self._set(exchange, instrument, fair * (_MILLION + ppm) / _MILLION)
        return instrument.coin
