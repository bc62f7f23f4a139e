"""Orders and the closed sets that describe them, in the venue's words."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Final


class Side(StrEnum):
    """`B` buys, `A` (ask) sells."""

    BUY = "B"
    SELL = "A"

    @property
    def sign(self) -> int:
        """Give +1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Tif(StrEnum):
    """Time in force; a market order is an IOC with the venue's own name."""

    GTC = "Gtc"
    IOC = "Ioc"
    ALO = "Alo"
    MARKET = "FrontendMarket"
    LIQUIDATION = "LiquidationMarket"

    @property
    def rests(self) -> bool:
        """Tell whether what does not match at once stays in the book."""
        return self in {Tif.GTC, Tif.ALO}


class Status(StrEnum):
    """Order statuses (facts 3.1), each with a rule of this exchange that gives it."""

    OPEN = "open"
    FILLED = "filled"
    TRIGGERED = "triggered"
    CANCELED = "canceled"
    MARGIN_CANCELED = "marginCanceled"
    VAULT_WITHDRAWAL_CANCELED = "vaultWithdrawalCanceled"
    OPEN_INTEREST_CAP_CANCELED = "openInterestCapCanceled"
    SELF_TRADE_CANCELED = "selfTradeCanceled"
    REDUCE_ONLY_CANCELED = "reduceOnlyCanceled"
    SIBLING_FILLED_CANCELED = "siblingFilledCanceled"
    DELISTED_CANCELED = "delistedCanceled"
    LIQUIDATED_CANCELED = "liquidatedCanceled"
    OUTCOME_SETTLED_CANCELED = "outcomeSettledCanceled"
    SCHEDULED_CANCEL = "scheduledCancel"
    INTERNAL_CANCEL = "internalCancel"
    REJECTED = "rejected"
    TICK_REJECTED = "tickRejected"
    MIN_TRADE_NTL_REJECTED = "minTradeNtlRejected"
    PERP_MARGIN_REJECTED = "perpMarginRejected"
    PERP_MAX_POSITION_REJECTED = "perpMaxPositionRejected"
    REDUCE_ONLY_REJECTED = "reduceOnlyRejected"
    BAD_ALO_PX_REJECTED = "badAloPxRejected"
    BAD_TRIGGER_PX_REJECTED = "badTriggerPxRejected"
    IOC_CANCEL_REJECTED = "iocCancelRejected"
    MARKET_NO_LIQUIDITY_REJECTED = "marketOrderNoLiquidityRejected"
    POSITION_INCREASE_AT_CAP_REJECTED = "positionIncreaseAtOpenInterestCapRejected"
    POSITION_FLIP_AT_CAP_REJECTED = "positionFlipAtOpenInterestCapRejected"
    TOO_AGGRESSIVE_AT_CAP_REJECTED = "tooAggressiveAtOpenInterestCapRejected"
    OPEN_INTEREST_INCREASE_REJECTED = "openInterestIncreaseRejected"
    INSUFFICIENT_SPOT_BALANCE_REJECTED = "insufficientSpotBalanceRejected"
    ORACLE_REJECTED = "oracleRejected"
    TOO_MANY_OPEN_ORDERS_REJECTED = "tooManyOpenOrdersRejected"

    @property
    def is_live(self) -> bool:
        """Tell whether the order may still fill."""
        return self is Status.OPEN or self is Status.TRIGGERED

    @property
    def is_cancel(self) -> bool:
        """Tell whether the order was taken away before it was filled."""
        return not (self.is_live or self.is_rejection or self is Status.FILLED)

    @property
    def is_rejection(self) -> bool:
        """Tell whether the order never was in the book."""
        return self is Status.REJECTED or self.value.endswith("Rejected")


class Tpsl(StrEnum):
    """Which way a trigger order protects: take profit or stop loss."""

    TAKE_PROFIT = "tp"
    STOP_LOSS = "sl"


@dataclass(frozen=True, slots=True)
class Trigger:
    """When an order wakes up: once the mark price reaches `px`. Then it is a market or a limit order."""

    px: Decimal
    tpsl: Tpsl
    is_market: bool = True

    def is_above(self, side: Side) -> bool:
        """Tell whether an order of this side waits for a rise: a stop that buys, a profit that is sold."""
        return (side is Side.BUY) == (self.tpsl is Tpsl.STOP_LOSS)

    def is_met(self, side: Side, mark: Decimal) -> bool:
        """Tell whether the mark price has come."""
        return mark >= self.px if self.is_above(side) else mark <= self.px


class Grouping(StrEnum):
    """How the orders of one transaction belong together, in the venue's words."""

    NONE = "na"
    NORMAL = "normalTpsl"
    """The first order is the parent; the others are its children, siblings of each other."""
    POSITION = "positionTpsl"
    """Stops and profits of the whole position, siblings of each other."""


@dataclass(frozen=True, slots=True)
class Builder:
    """Who routed an order, and what it takes for it in tenths of a basis point."""

    address: str
    tenths_bp: int


class Origin(Enum):
    """Who sent an order. Only ordinary ones have statuses, hashes and a place in the order history."""

    ORDINARY = "order"
    TWAP = "twap"
    LIQUIDATION = "liquidation"
    DUST = "dust"


ZERO: Final = Decimal(0)
ZERO_HASH: Final = "0x" + "0" * 64


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a wallet asks for. `px` None means market: the exchange picks a bound around the mark."""

    coin: str
    side: Side
    sz: Decimal
    px: Decimal | None = None
    tif: Tif = Tif.GTC
    reduce_only: bool = False
    cloid: str | None = None
    trigger: Trigger | None = None
    builder: Builder | None = None


@dataclass(slots=True)
class Order:
    """One order through its life. `remaining` = original size minus fills.

    A position's stop has the original size zero; `taken_on` is the position's size, known once it triggers.
    """

    oid: int
    address: str
    coin: str
    side: Side
    limit_px: Decimal
    orig_sz: Decimal
    remaining: Decimal
    tif: Tif
    reduce_only: bool
    cloid: str | None
    placed_ms: int
    tx_hash: str
    origin: Origin = Origin.ORDINARY
    twap_id: int | None = None
    status: Status = Status.OPEN
    status_ms: int = 0
    trigger: Trigger | None = None
    builder: Builder | None = None
    is_position_tpsl: bool = False
    is_vault_close: bool = False
    taken_on: Decimal = ZERO
    children: tuple[Order, ...] = field(default=(), compare=False, repr=False)
    """Stops and profits that become active when this order is filled."""
    siblings: tuple[Order, ...] = field(default=(), compare=False, repr=False)
    """Orders that are cancelled when this one is filled."""

    @property
    def is_open(self) -> bool:
        """Tell whether the order may still fill."""
        return self.status.is_live

    @property
    def filled(self) -> Decimal:
        """Executed size so far."""
        return self.orig_sz + self.taken_on - self.remaining

    @property
    def shown_sz(self) -> Decimal:
        """What the venue shows as remaining: a position's stop shows zero all its life, like its original size."""
        return self.remaining if self.orig_sz else ZERO

    def crosses(self, px: Decimal) -> bool:
        """Tell whether a resting price is at or better than this order's limit."""
        return px <= self.limit_px if self.side is Side.BUY else px >= self.limit_px
