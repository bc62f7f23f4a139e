"""Market feeds of one coin: trades, books, candles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from hlmonitor.simulator.core.candles import Interval
from hlmonitor.simulator.wire import frames
from hlmonitor.simulator.wire.books import LEVELS, Rounding, bbo, l2_book
from hlmonitor.simulator.wire.rows import candle_row, trade_row

from .source import listened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hlmonitor.simulator.core.events import Block
    from hlmonitor.simulator.wire.frames import Frame
    from hlmonitor.simulator.wire.subscriptions import Subscription

    from .source import Delivery, Heard, View

_FAST_LEVELS: Final = 5


class Trades:
    """`trades`: an unflagged backfill of the latest, then each block's (facts 1.5)."""

    kinds = ("trades",)

    def __init__(self, view: View) -> None:
        self._view = view

    def first(self, wanted: Subscription) -> Frame | None:
        """Return the latest trades, oldest first, not marked as such; nothing if there were none."""
        trades = self._view.exchange.state.recent_trades[wanted.key]
        return frames.bare_rows("trades", map(trade_row, trades), live=False) if trades else None

    def live(self, block: Block, heard: Heard) -> Iterator[Delivery]:
        """Yield the block's trades by coin."""
        for wanted, trades in listened(block.trades, lambda trade: trade.coin, "trades", heard):
            yield wanted, frames.bare_rows("trades", map(trade_row, trades))


class L2Book:
    """`l2Book`: 20 levels a side about every 5 s, or with `fast` 5 levels about every 0.5 s."""

    def __init__(self, view: View) -> None:
        self._view = view

    def every_ms(self, wanted: Subscription) -> int:
        """Return the beat of the ordinary or of the fast book."""
        config = self._view.config
        return config.fast_book_every_ms if wanted.option("fast") else config.book_every_ms

    def frame(self, wanted: Subscription) -> Frame:
        """Return the book, as coarse as was asked for."""
        figures, mantissa = (cast("int | None", wanted.option(name)) for name in ("nSigFigs", "mantissa"))
        depth = _FAST_LEVELS if wanted.option("fast") else LEVELS
        book = l2_book(self._view.exchange, wanted.key, Rounding.of(figures, mantissa), depth)
        return frames.message("l2Book", book)


class BestBidOffer:
    """`bbo`: the best levels at once, then in every block in which they changed."""

    kinds = ("bbo",)

    def __init__(self, view: View) -> None:
        self._view = view
        self._last: dict[Subscription, object] = {}

    def first(self, wanted: Subscription) -> Frame | None:
        """Return the best levels."""
        book = bbo(self._view.exchange, wanted.key)
        self._last[wanted] = book["bbo"]
        return frames.message("bbo", book)

    def live(self, _block: Block, heard: Heard) -> Iterator[Delivery]:
        """Yield the best levels of the coins where they changed."""
        for wanted in list(self._last):
            if wanted not in heard:
                del self._last[wanted]
                continue
            book = bbo(self._view.exchange, wanted.key)
            if book["bbo"] != self._last[wanted]:
                self._last[wanted] = book["bbo"]
                yield wanted, frames.message("bbo", book)


class Candles:
    """`candle`: the running candle at once, and again in every block that traded the coin."""

    kinds = ("candle",)

    def __init__(self, view: View) -> None:
        self._view = view

    def first(self, wanted: Subscription) -> Frame | None:
        """Return the candle of the latest trade; nothing before the first one."""
        interval = Interval(str(wanted.option("interval")))
        candle = self._view.exchange.state.candles[wanted.key].current(interval)
        return None if candle is None else frames.message("candle", candle_row(wanted.key, interval, candle))

    def live(self, block: Block, heard: Heard) -> Iterator[Delivery]:
        """Yield the candles of the coins that were traded."""
        for wanted, _ in listened(block.trades, lambda trade: trade.coin, "candle", heard):
            frame = self.first(wanted)
            if frame is not None:
                yield wanted, frame
