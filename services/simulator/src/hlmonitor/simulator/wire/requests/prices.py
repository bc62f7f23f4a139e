"""Requests about prices and books."""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec import Struct

from hlmonitor.simulator.core.candles import Interval

from .base import LIGHT, ForDex, Info


class AllMids(ForDex, frozen=True):
    """Mid prices."""

    weight: ClassVar[int] = LIGHT


class L2Book(Info, tag="l2Book", frozen=True):
    """A coin's book, its levels joined to some significant figures (of five: to a multiple of the last one)."""

    weight: ClassVar[int] = LIGHT
    coin: str
    n_sig_figs: Literal[2, 3, 4, 5] | None = None
    mantissa: Literal[1, 2, 5] | None = None


class RecentTrades(Info, frozen=True):
    """A coin's latest trades."""

    items_per_weight: ClassVar[int] = 20
    coin: str


class CandleRange(Struct, rename="camel", frozen=True):
    """Which candles: those that begin within two times, both included."""

    coin: str
    interval: Interval
    start_time: int
    end_time: int | None = None


class CandleSnapshot(Info, frozen=True):
    """Candles of a coin."""

    items_per_weight: ClassVar[int] = 60
    req: CandleRange


PriceInfo = AllMids | L2Book | RecentTrades | CandleSnapshot
