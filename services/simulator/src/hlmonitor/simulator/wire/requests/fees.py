"""Requests about what an address trades and pays."""

from __future__ import annotations

from hlmonitor.simulator.wire.addresses import Address

from .base import ForUser


class UserFees(ForUser, frozen=True):
    """Fee rates and daily volumes."""


class UserRateLimit(ForUser, frozen=True):
    """How many actions an address has sent and may send."""


class Portfolio(ForUser, frozen=True):
    """Account value, PnL and volume over a day, a week, a month and all time."""


class Referral(ForUser, frozen=True):
    """Who referred an address, and what it earned by referring others."""


class MaxBuilderFee(ForUser, frozen=True):
    """The most that an address lets a builder take, in tenths of a basis point."""

    builder: Address


class ApprovedBuilders(ForUser, frozen=True):
    """The builders whom an address lets take a fee."""


FeeInfo = UserFees | UserRateLimit | Portfolio | Referral | MaxBuilderFee | ApprovedBuilders
