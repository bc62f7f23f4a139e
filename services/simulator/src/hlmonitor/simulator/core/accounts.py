"""What a wallet owns: per-dex cross and isolated margin with positions, and spot token balances."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .orders import Order

ZERO: Final = Decimal(0)
MICRO: Final = Decimal("0.000001")


@dataclass(slots=True)
class Position:
    """A perp position: signed size and its absolute entry cost.

    `raw_usd` is the cash of an isolated position, which the venue shows beside its leverage; None for a cross
    one. Funding is counted as paid (above zero) or received (below) since the position was opened, and since
    its size changed.
    """

    szi: Decimal = ZERO
    entry_ntl: Decimal = ZERO
    raw_usd: Decimal | None = None
    funding_since_open: Decimal = ZERO
    funding_since_change: Decimal = ZERO

    def apply(self, delta: Decimal, px: Decimal) -> Decimal:
        """Add a signed fill; return the realised PnL of the part that closed."""
        start = self.szi
        closing = min(abs(start), abs(delta)) if start * delta < 0 else ZERO
        cost = self._cost_of(closing)
        self.szi = start + delta
        self.entry_ntl += (abs(delta) - closing) * px - cost
        return closing * px - cost if start > 0 else cost - closing * px

    def _cost_of(self, closing: Decimal) -> Decimal:
        if not closing:
            return ZERO
        if closing == abs(self.szi):
            return self.entry_ntl
        return (self.entry_ntl * closing / abs(self.szi)).quantize(MICRO)


@dataclass(slots=True)
class MarginAccount:
    """Margin on one dex. `raw_usd` is the cross cash: cross value = raw_usd + sum of cross szi times mark.

    `funding` is what was paid since ever, by coin.
    """

    raw_usd: Decimal = ZERO
    positions: dict[str, Position] = field(default_factory=dict)
    funding: dict[str, Decimal] = field(default_factory=dict)

    @property
    def cash(self) -> Decimal:
        """All cash on the dex: the cross cash and that of the isolated positions."""
        return sum((p.raw_usd for p in self.positions.values() if p.raw_usd is not None), self.raw_usd)

    def szi(self, coin: str) -> Decimal:
        """Signed position size, zero when there is none."""
        position = self.positions.get(coin)
        return ZERO if position is None else position.szi


@dataclass(slots=True)
class Balance:
    """A spot token: total owned and what it cost in the quote token."""

    total: Decimal = ZERO
    entry_ntl: Decimal = ZERO


class Abstraction(StrEnum):
    """How an account keeps its collateral: apart on each dex, or all of it in the spot balance (facts 4.3)."""

    DISABLED = "disabled"
    UNIFIED = "unifiedAccount"
    PORTFOLIO = "portfolioMargin"
    DEFAULT = "default"


@dataclass(slots=True)
class Account:
    """One wallet. A `house` account (market makers, crowd) has unlimited credit and a maker rebate."""

    address: str
    house: bool = False
    margin: dict[str, MarginAccount] = field(default_factory=dict)
    spot: dict[int, Balance] = field(default_factory=dict)
    leverage: dict[str, int] = field(default_factory=dict)
    isolated: set[str] = field(default_factory=set)
    """Coins on which new positions are isolated."""
    open_orders: dict[int, Order] = field(default_factory=dict)
    """What rests in the books, by oid."""
    waiting: dict[int, Order] = field(default_factory=dict)
    """Trigger orders whose price has not come, by oid. They take no margin."""
    held_back: dict[int, Order] = field(default_factory=dict)
    """Children whose parent is not filled, by oid. Shown only under their parent."""
    builders: dict[str, int] = field(default_factory=dict)
    """The most, in tenths of a basis point, that the wallet lets a builder take."""
    abstraction: Abstraction = Abstraction.DISABLED
    staked: Decimal = ZERO
    keeps_dust: bool = False
    abstracts_dexes: bool = False

    @property
    def is_unified(self) -> bool:
        """Tell whether perp collateral lies in the spot balance."""
        return self.abstraction in {Abstraction.UNIFIED, Abstraction.PORTFOLIO}

    def all_open(self) -> Iterator[Order]:
        """Yield what the venue calls open orders: those in the books, then the trigger orders that wait."""
        yield from self.open_orders.values()
        yield from self.waiting.values()

    def on(self, dex: str) -> MarginAccount:
        """Return the margin account of a dex, made at first use."""
        account = self.margin.get(dex)
        if account is None:
            account = self.margin[dex] = MarginAccount()
        return account

    def balance(self, token: int) -> Balance:
        """Return the balance of a token, made at first use."""
        balance = self.spot.get(token)
        if balance is None:
            balance = self.spot[token] = Balance()
        return balance
