"""A vault that is traded for all who hold a share of it, and from which they come and go."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, ClassVar, Final

from hlmonitor.simulator.core.accounts import MICRO
from hlmonitor.simulator.core.errors import RefusedError
from hlmonitor.simulator.core.instruments import MAIN_DEX
from hlmonitor.simulator.core.orders import OrderRequest, Side, Tif
from hlmonitor.simulator.core.precision import round_px
from hlmonitor.simulator.core.roles import address_for

from .whale import Whale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hlmonitor.simulator.core.dice import Dice
    from hlmonitor.simulator.core.exchange import Exchange

_PARENT: Final = "Parent"
_OWN: Final = "Trend"
_SISTER: Final = "Hedge"
_DEPOSITORS: Final = 3
_LOCKUP_MS: Final = 2_000
_POCKET: Final = Decimal(1_000_000)
_SHARES: Final = (20_000, 400_000)
_PAYOUT: Final = Decimal(2_000)


class VaultTrader(Whale):
    """The wallet is the vault. Its leader places its orders, and those of a sister vault that bets against it.

    What the two hold against each other is netted when an hour begins; the leader asks for it meanwhile, and
    the lockup is of seconds, so that a short run sees both. Withdrawals always close a part of the positions.
    """

    __slots__ = ("_depositors", "_leader", "_parent", "_sister")

    style = "vault"
    stake = Decimal(2_000_000)
    most_open: ClassVar[int] = 4

    def __init__(self, address: str, coins: Sequence[str], dice: Dice) -> None:
        super().__init__(address_for("vault", address, _OWN), coins, dice)
        self._leader = address
        self._parent = address_for("vault", address, _PARENT)
        self._sister = address_for("vault", address, _SISTER)
        self._depositors = [address_for("depositor", address, str(number)) for number in range(_DEPOSITORS)]

    def enter(self, exchange: Exchange) -> None:
        """Make the vaults, and give those who may buy shares something to buy them with."""
        vaults, leader = exchange.vaults, self._leader
        exchange.deposit(leader, 4 * self.stake)
        vaults.create(leader, _PARENT, "Holds two others", self.stake / 4)
        for name in (_OWN, _SISTER):
            vault = vaults.create(leader, name, "One of two", self.stake, parent=self._parent, lockup_ms=_LOCKUP_MS)
            vault.closes_on_withdraw = True
        for depositor in self._depositors:
            exchange.deposit(depositor, _POCKET)

    def _refill(self, exchange: Exchange) -> None:
        """Let the leader make up for losses, of the vault and of its sister."""
        for address in (self.address, self._sister):
            if 0 < exchange.margin.value(exchange.state.account(address), MAIN_DEX) < self.stake / 4:
                exchange.deposit(self._leader, self.stake)
                exchange.vaults.deposit(address, self._leader, self.stake)

    def _decide(self, exchange: Exchange) -> None:
        if self._chance(20):
            self._serve(exchange, self._dice.choice(self._depositors))
        elif self._chance(15):
            self._hedge(exchange)
        elif self._chance(4) and exchange.transfers.free(exchange.state.account(self.address), MAIN_DEX) > _PAYOUT:
            exchange.vault_payouts.distribute(self.address, _PAYOUT)
        elif self._chance(30):
            self._rest(exchange)
        else:
            self._trade(exchange)

    def _serve(self, exchange: Exchange, depositor: str) -> None:
        """Let somebody buy a share, or take one out if the lockup is over."""
        vault = exchange.vaults.get(self.address)
        share = vault.holders.get(depositor)
        if share is None:
            usdc = Decimal(self._dice.randint(*_SHARES))
            if usdc > exchange.margin.value(exchange.state.account(depositor), MAIN_DEX):
                exchange.deposit(depositor, _POCKET)
            exchange.vaults.deposit(self.address, depositor, usdc)
        elif exchange.state.now_ms >= share.locked_until_ms:
            worth = exchange.vaults.share_equity(vault, depositor)
            part = (worth * self._dice.choice((50, 100)) / 100).quantize(MICRO, ROUND_DOWN)
            self._withdraw(exchange, depositor, part)

    def _withdraw(self, exchange: Exchange, depositor: str, usdc: Decimal) -> None:
        """Withdraw, or (a position finds no liquidity) see the exchange refuse it, and close everything oneself."""
        try:
            exchange.vault_payouts.withdraw(self.address, depositor, usdc)
        except RefusedError:
            for coin in self._held(exchange):
                self._reduce(exchange, coin, 100)

    def _hedge(self, exchange: Exchange) -> None:
        """Let the sister bet against the largest position, or net what it holds against this vault."""
        sister, held = exchange.state.account(self._sister).on(MAIN_DEX), self._held(exchange)
        if any(sister.szi(coin) * szi < 0 for coin, szi in held.items()):
            exchange.vault_netting.net(self._parent)
        elif held:
            coin = max(held, key=lambda coin: abs(held[coin]) * exchange.state.oracle[coin])
            side = Side.SELL if held[coin] > 0 else Side.BUY
            sz = self._lots(exchange, coin, abs(held[coin]) / 2)
            if sz:
                exchange.place(self._sister, OrderRequest(coin, side, sz))

    def _rest(self, exchange: Exchange) -> None:
        """Bid or offer a little away from the price, so that withdrawals find open orders."""
        mine = exchange.state.account(self.address).open_orders
        if len(mine) >= self.most_open:
            exchange.cancel(self.address, next(iter(mine)))
        coin, side = self._coin(), self._side()
        away = 1 - side.sign * Decimal(self._dice.randint(0, 20)) / 10_000
        px = round_px(exchange.state.universe.get(coin), exchange.state.oracle[coin] * away)
        sz = self._size(exchange, coin)
        if sz:
            exchange.place(self.address, OrderRequest(coin, side, sz, px, Tif.GTC, cloid=self._cloid()))

    def _trade(self, exchange: Exchange) -> None:
        held = self._held(exchange)
        if held and self._chance(40):
            self._reduce(exchange, self._dice.choice(list(held)), self._dice.choice((50, 100)))
            return
        coin = self._coin()
        self._market(exchange, coin, self._side(), self._size(exchange, coin))
