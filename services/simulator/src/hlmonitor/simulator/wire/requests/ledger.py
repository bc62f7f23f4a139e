"""Requests about money that moved without a trade."""

from __future__ import annotations

from typing import ClassVar

from .base import Info, UserRows


class UserFunding(UserRows, frozen=True):
    """Funding that an address paid and got between two times, both included."""

    start_time: int | None = None
    end_time: int | None = None


class UserNonFundingLedgerUpdates(UserRows, frozen=True):
    """Deposits, transfers and the like between two times, both included."""

    start_time: int | None = None
    end_time: int | None = None


class FundingHistory(Info, frozen=True):
    """The funding rates of a coin between two times, both included."""

    items_per_weight: ClassVar[int] = 20
    coin: str
    start_time: int
    end_time: int | None = None


class PredictedFundings(Info, frozen=True):
    """The coming funding rate of each coin."""


LedgerInfo = UserFunding | UserNonFundingLedgerUpdates | FundingHistory | PredictedFundings
