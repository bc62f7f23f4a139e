"""A sub-account: a wallet of its own, with money that comes from its master and goes back there."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from hlmonitor.simulator.core.instruments import MAIN_DEX
from hlmonitor.simulator.core.roles import address_for

from .styles import SwingTrader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hlmonitor.simulator.core.dice import Dice
    from hlmonitor.simulator.core.exchange import Exchange

_NAME: Final = "Desk"
_HANDED: Final = Decimal(25_000)


class SubAccountTrader(SwingTrader):
    """The wallet is the sub-account. Its master only sends and receives."""

    __slots__ = ("_master",)

    style = "sub"
    most_ntl = 150_000

    def __init__(self, address: str, coins: Sequence[str], dice: Dice) -> None:
        super().__init__(address_for("sub", address, _NAME), coins, dice)
        self._master = address

    def enter(self, exchange: Exchange) -> None:
        """Make the sub-account and hand it its stake."""
        exchange.roles.create_sub_account(self._master, _NAME)
        self._hand_over(exchange)

    def _hand_over(self, exchange: Exchange) -> None:
        exchange.deposit(self._master, self.stake)
        exchange.transfers.transfer_sub_account(self._master, self.address, self.stake, to_sub=True)

    def _refill(self, exchange: Exchange) -> None:
        if exchange.margin.value(exchange.state.account(self.address), MAIN_DEX) < self.stake / 4:
            self._hand_over(exchange)

    def _decide(self, exchange: Exchange) -> None:
        free = exchange.transfers.free(exchange.state.account(self.address), MAIN_DEX)
        if self._chance(8) and free > _HANDED:
            exchange.transfers.transfer_sub_account(self._master, self.address, _HANDED, to_sub=False)
        super()._decide(exchange)
