"""Commands that act inside a block: money, leverage, prices."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from hlmonitor.simulator.wire.requests import Address
from hlmonitor.simulator.wire.rows import amount

from .base import BadInputError, MarketCommand, Positive
from .checks import check_amount, check_coin

if TYPE_CHECKING:
    from hlmonitor.simulator.core.exchange import Exchange


class DepositBody(MarketCommand, frozen=True):
    """Collateral on a dex, or (with `token`) a spot token. A negative amount takes it away."""

    address: Address
    amount: Decimal
    dex: str = ""
    token: int | None = None

    def check(self, exchange: Exchange) -> None:
        """Raise BadInputError for an unknown dex or token."""
        if not self.amount.is_finite():
            raise BadInputError("amount: must be a number")
        if exchange.state.universe.dex(self.dex) is None:
            raise BadInputError(f"dex: {self.dex!r} is not listed by perpDexs")
        if self.token is not None and self.token not in exchange.state.universe.token_by_index:
            raise BadInputError(f"token: {self.token} is not a token index of spotMeta")

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Move the money."""
        address = self.address.lower()
        exchange.state.ledger.name(address)
        if self.token is None:
            exchange.deposit(address, self.amount, self.dex)
        else:
            exchange.deposit_token(address, self.token, self.amount)
        return {"time": exchange.state.now_ms}


class LeverageBody(MarketCommand, frozen=True):
    """Cross leverage of an address on a coin."""

    address: Address
    coin: str
    leverage: Positive

    def check(self, exchange: Exchange) -> None:
        """Raise BadInputError for an unknown coin."""
        check_coin(exchange, self.coin)

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Set it."""
        exchange.set_leverage(self.address.lower(), self.coin, self.leverage)
        return {"time": exchange.state.now_ms}


class OracleBody(MarketCommand, frozen=True):
    """A coin's reference price. With agents on they move it on."""

    coin: str
    px: Decimal

    def check(self, exchange: Exchange) -> None:
        """Raise BadInputError for an unknown coin or a price that is none."""
        check_coin(exchange, self.coin)
        check_amount("px", self.px)

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Set it."""
        exchange.set_oracle(self.coin, self.px)
        return {"markPx": amount(exchange.state.mark(self.coin)), "time": exchange.state.now_ms}
