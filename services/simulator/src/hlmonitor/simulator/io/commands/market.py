"""Commands that act inside a block: money, leverage, prices."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from hlmonitor.simulator.wire.addresses import Address
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
        if self.token is not None and all(token.index != self.token for token in exchange.state.universe.tokens):
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
    """Leverage of an address on a coin; with `isolated`, also whether new positions there are isolated or cross."""

    address: Address
    coin: str
    leverage: Positive
    isolated: bool | None = None

    def check(self, exchange: Exchange) -> None:
        """Raise BadInputError for an unknown coin."""
        check_coin(exchange, self.coin)

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Set it; raise RefusedError."""
        exchange.set_leverage(self.address.lower(), self.coin, self.leverage, isolated=self.isolated)
        return {"time": exchange.state.now_ms}


class IsolatedMarginBody(MarketCommand, frozen=True):
    """Cash from the cross margin for an isolated position; a negative amount goes back."""

    address: Address
    coin: str
    amount: Decimal

    def check(self, exchange: Exchange) -> None:
        """Raise BadInputError for an unknown coin or an amount that is none."""
        check_coin(exchange, self.coin)
        if not self.amount.is_finite():
            raise BadInputError("amount: must be a number")

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Move it; raise RefusedError."""
        exchange.add_isolated_margin(self.address.lower(), self.coin, self.amount)
        return {"time": exchange.state.now_ms}


class NewDirBody(MarketCommand, frozen=True):
    """Trades carry a `dir` text that nobody has seen before in place of a usual one; null ends it.

    The ledger has the new text too, so that what is expected of a monitor is still known.
    """

    dir: str
    becomes: str | None = None

    def run(self, exchange: Exchange) -> dict[str, object]:
        """Use the new text from this block on; tells all that are in use."""
        if self.becomes is None:
            exchange.state.new_dirs.pop(self.dir, None)
        else:
            exchange.state.new_dirs[self.dir] = self.becomes
        return dict(exchange.state.new_dirs)


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
