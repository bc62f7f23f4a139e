"""Books as levels: 20 a side, or joined to coarser prices."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.orders import Side

from .rows import amount

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange

LEVELS: Final = 20


@dataclass(frozen=True, slots=True)
class Rounding:
    """To how many significant figures prices are joined, and to which multiple of the last one.

    Bids are rounded down and asks up, so that no level looks better than it is. `figures` None: not joined.
    """

    figures: int | None = None
    mantissa: int = 1

    @staticmethod
    def of(figures: int | None, mantissa: int | None) -> Rounding:
        """Read what a client asks for; the mantissa counts only with five figures, as on the venue."""
        return Rounding(figures, mantissa if mantissa is not None and figures == _MANTISSA_FIGURES else 1)

    def __call__(self, px: Decimal, side: Side) -> Decimal:
        """Return the level's price that an order's price belongs to."""
        if self.figures is None:
            return px
        step = Decimal(self.mantissa).scaleb(px.adjusted() - self.figures + 1)
        mode = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
        return (px / step).to_integral_value(mode) * step


_MANTISSA_FIGURES: Final = 5
EXACT: Final = Rounding()


def l2_book(exchange: Exchange, coin: str, rounding: Rounding = EXACT, depth: int = LEVELS) -> dict[str, object]:
    """Write the best levels of both sides; with rounding also how far the sides are apart."""
    sides = [_levels(exchange, coin, side, rounding, depth) for side in (Side.BUY, Side.SELL)]
    book: dict[str, object] = {"coin": coin, "time": exchange.state.now_ms, "levels": sides}
    bid, ask = (exchange.state.books[coin].best_px(side) for side in (Side.BUY, Side.SELL))
    if rounding.figures is not None and bid is not None and ask is not None:
        book["spread"] = amount(ask - bid)
    return book


def bbo(exchange: Exchange, coin: str) -> dict[str, object]:
    """Write the best level of each side; null for an empty one."""
    best = [next(iter(_levels(exchange, coin, side, EXACT, 1)), None) for side in (Side.BUY, Side.SELL)]
    return {"coin": coin, "time": exchange.state.now_ms, "bbo": best}


def _levels(exchange: Exchange, coin: str, side: Side, rounding: Rounding, depth: int) -> list[dict[str, object]]:
    joined: dict[Decimal, tuple[Decimal, int]] = {}
    for px, orders in exchange.state.books[coin].levels(side):
        level = rounding(px, side)
        sz, count = joined.get(level, (Decimal(0), 0))
        if not count and len(joined) == depth:
            break
        joined[level] = (sum((order.remaining for order in orders), sz), count + len(orders))
    return [{"px": amount(px), "sz": amount(sz), "n": count} for px, (sz, count) in joined.items()]
