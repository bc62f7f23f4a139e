"""Requests about what an account holds."""

from __future__ import annotations

from typing import ClassVar

from hlmonitor.simulator.wire.addresses import Address

from .base import LIGHT, ForUser, ForUserOnDex, Info


class ClearinghouseState(ForUserOnDex, frozen=True):
    """Positions and margin on a dex."""

    weight: ClassVar[int] = LIGHT


class BatchClearinghouseStates(Info, frozen=True):
    """Positions and margin of several addresses on a dex; the venue does not document it."""

    users: list[Address]
    dex: str = ""


class SpotClearinghouseState(ForUser, frozen=True):
    """Spot balances."""

    weight: ClassVar[int] = LIGHT


class ActiveAssetData(ForUser, frozen=True):
    """Leverage and room to trade of an address on a perp."""

    coin: str


class WebData2(ForUser, tag="webData2", frozen=True):
    """Everything that the venue's old web page showed; its subscription is gone, the request is not."""


AccountInfo = ClearinghouseState | BatchClearinghouseStates | SpotClearinghouseState | ActiveAssetData | WebData2
