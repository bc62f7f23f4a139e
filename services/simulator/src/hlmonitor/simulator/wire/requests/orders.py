"""Requests about orders."""

from __future__ import annotations

from typing import ClassVar

from .base import LIGHT, ForUser, ForUserOnDex, UserRows


class OpenOrders(ForUserOnDex, frozen=True):
    """Resting orders."""


class FrontendOpenOrders(ForUserOnDex, frozen=True):
    """Resting orders with everything that the frontend shows."""


class OrderStatus(ForUser, frozen=True):
    """One order, by oid or cloid."""

    weight: ClassVar[int] = LIGHT
    oid: int | str


class HistoricalOrders(UserRows, frozen=True):
    """The latest orders."""


OrderInfo = OpenOrders | FrontendOpenOrders | OrderStatus | HistoricalOrders
