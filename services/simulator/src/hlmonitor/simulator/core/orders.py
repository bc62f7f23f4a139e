"""Orders and the closed sets that describe them, in the venue's words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from decimal import Decimal


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
    """Order statuses that this exchange gives (facts 3.1)."""

    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    MARGIN_CANCELED = "marginCanceled"
    SELF_TRADE_CANCELED = "selfTradeCanceled"
    REDUCE_ONLY_CANCELED = "reduceOnlyCanceled"
    LIQUIDATED_CANCELED = "liquidatedCanceled"
    TICK_REJECTED = "tickRejected"
    MIN_TRADE_NTL_REJECTED = "minTradeNtlRejected"
    PERP_MARGIN_REJECTED = "perpMarginRejected"
    REDUCE_ONLY_REJECTED = "reduceOnlyRejected"
    BAD_ALO_PX_REJECTED = "badAloPxRejected"
    IOC_CANCEL_REJECTED = "iocCancelRejected"
    MARKET_NO_LIQUIDITY_REJECTED = "marketOrderNoLiquidityRejected"
    INSUFFICIENT_SPOT_BALANCE_REJECTED = "insufficientSpotBalanceRejected"


class Origin(Enum):
    """Who sent an order. Only ordinary ones have statuses, hashes and a place in the order history."""

    ORDINARY = "order"
    TWAP = "twap"
    LIQUIDATION = "liquidation"


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


@dataclass(slots=True)
class Order:
    """One order through its life. `remaining` = original size minus fills."""

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

    @property
    def is_open(self) -> bool:
        """Tell whether the order may still fill."""
        return self.status is Status.OPEN

    @property
    def filled(self) -> Decimal:
        """Executed size so far."""
        return self.orig_sz - self.remaining

    def crosses(self, px: Decimal) -> bool:
        """Tell whether a resting price is at or better than this order's limit."""
        return px <= self.limit_px if self.side is Side.BUY else px >= self.limit_px
