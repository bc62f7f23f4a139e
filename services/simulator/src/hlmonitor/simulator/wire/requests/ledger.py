"""Requests about money that moved without a trade."""

from __future__ import annotations

from .base import UserRows


class UserFunding(UserRows, frozen=True):
    """Funding that an address paid and got between two times, both included."""

    start_time: int | None = None
    end_time: int | None = None


class UserNonFundingLedgerUpdates(UserRows, frozen=True):
    """Deposits, transfers and the like between two times, both included."""

    start_time: int | None = None
    end_time: int | None = None


LedgerInfo = UserFunding | UserNonFundingLedgerUpdates
