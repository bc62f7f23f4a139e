"""Requests about fills and TWAPs."""

from __future__ import annotations

from .base import UserRows


class UserFills(UserRows, frozen=True):
    """The latest fills."""

    aggregate_by_time: bool | None = False


class UserFillsByTime(UserRows, frozen=True):
    """Fills between two times."""

    start_time: int
    end_time: int | None = None
    aggregate_by_time: bool | None = False
    reversed: bool | None = False


class UserTwapSliceFills(UserRows, frozen=True):
    """The latest fills of TWAP slices."""


class UserTwapSliceFillsByTime(UserRows, frozen=True):
    """Fills of TWAP slices between two times."""

    start_time: int
    end_time: int | None = None
    aggregate_by_time: bool | None = False
    reversed: bool | None = False


class TwapHistory(UserRows, frozen=True):
    """The TWAPs of a user with their states."""


FillInfo = UserFills | UserFillsByTime | UserTwapSliceFills | UserTwapSliceFillsByTime | TwapHistory
