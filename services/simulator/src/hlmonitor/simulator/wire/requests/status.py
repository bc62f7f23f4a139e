"""Requests about the exchange as such: its clock and its auctions."""

from __future__ import annotations

from typing import ClassVar

from .base import LIGHT, ForUser, Info


class ExchangeStatus(Info, frozen=True):
    """The clock, and whether something special is on."""

    weight: ClassVar[int] = LIGHT


class PerpDeployAuctionStatus(Info, frozen=True):
    """The auction of the right to list a perp."""


class SpotDeployState(ForUser, frozen=True):
    """Which tokens an address is deploying, and the auction of the right to do so."""


StatusInfo = ExchangeStatus | PerpDeployAuctionStatus | SpotDeployState
