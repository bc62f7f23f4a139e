"""Requests about prices and books."""

from __future__ import annotations

from typing import ClassVar

from .base import LIGHT, ForDex, Info


class AllMids(ForDex, frozen=True):
    """Mid prices."""

    weight: ClassVar[int] = LIGHT


class L2Book(Info, tag="l2Book", frozen=True):
    """A coin's book."""

    weight: ClassVar[int] = LIGHT
    coin: str


PriceInfo = AllMids | L2Book
