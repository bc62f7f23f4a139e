"""What a block of the exchange produces. Values only: whoever reads them cannot change the exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

    from .ledger_updates import LedgerUpdate
    from .orders import Order, Side, Status


@dataclass(frozen=True, slots=True)
class LiquidationMark:
    """The `liquidation` object that both sides of a liquidation fill carry."""

    liquidated_user: str
    mark_px: Decimal
    method: str = "market"


@dataclass(frozen=True, slots=True)
class Fill:
    """One side of one trade, in the venue's fields. `twap_id` is set only for TWAP slices."""

    address: str
    coin: str
    px: Decimal
    sz: Decimal
    side: Side
    time: int
    start_position: Decimal
    dir: str
    closed_pnl: Decimal
    hash: str
    oid: int
    crossed: bool
    fee: Decimal
    fee_token: str
    tid: int
    cloid: str | None = None
    liquidation: LiquidationMark | None = None
    twap_id: int | None = None
    builder_fee: Decimal | None = None
    """The builder's part of `fee`."""


@dataclass(frozen=True, slots=True)
class OrderUpdate:
    """A change of an order's status; `sz` is what remains.

    `tx_hash` is of the transaction that caused it, None when the exchange did it by itself. `order` is the live order,
    for what does not change about it.
    """

    address: str
    coin: str
    side: Side
    limit_px: Decimal
    sz: Decimal
    oid: int
    timestamp: int
    orig_sz: Decimal
    cloid: str | None
    reduce_only: bool
    status: Status
    status_ms: int
    tx_hash: str | None
    order: Order


@dataclass(frozen=True, slots=True)
class Trade:
    """The public print of a match; `side` is the aggressor's."""

    coin: str
    side: Side
    px: Decimal
    sz: Decimal
    time: int
    hash: str
    tid: int
    buyer: str
    seller: str


class TwapStatus(StrEnum):
    """States of a TWAP that its history shows."""

    ACTIVATED = "activated"
    FINISHED = "finished"
    TERMINATED = "terminated"
    WAITING = "waitingForTrigger"
    STOPPED = "stopped"
    ERROR = "error"

    @property
    def is_live(self) -> bool:
        """Tell whether slices may still come."""
        return self in {TwapStatus.ACTIVATED, TwapStatus.WAITING}


@dataclass(frozen=True, slots=True)
class TwapTrigger:
    """The mark price from which a TWAP starts: at or above it, or at or below it."""

    px: Decimal
    above: bool


@dataclass(frozen=True, slots=True)
class TwapState:
    """A TWAP as the history shows it."""

    twap_id: int
    address: str
    coin: str
    side: Side
    sz: Decimal
    executed_sz: Decimal
    executed_ntl: Decimal
    minutes: int
    reduce_only: bool
    randomize: bool
    timestamp: int
    stop_px: Decimal | None = None
    trigger: TwapTrigger | None = None


@dataclass(frozen=True, slots=True)
class TwapUpdate:
    """A row of the TWAP history; `time_s` is in seconds, as on the venue. `description` says what an error was."""

    time_s: int
    state: TwapState
    status: TwapStatus
    description: str | None = None


@dataclass(frozen=True, slots=True)
class FundingPayment:
    """Funding of one position in one hour. `usdc`, in the dex' collateral, is what the wallet got: below zero, paid."""

    address: str
    coin: str
    time: int
    usdc: Decimal
    szi: Decimal
    rate: Decimal


@dataclass(frozen=True, slots=True)
class FundingRate:
    """What a coin's longs paid its shorts for an hour, per unit of notional, and the premium behind it."""

    coin: str
    time: int
    rate: Decimal
    premium: Decimal


@dataclass(frozen=True, slots=True)
class Liquidation:
    """Positions that the exchange began to close for a wallet, as they were before.

    `method` is `market` or `backstop`, as in a fill's liquidation mark, or `adl`.
    """

    lid: int
    address: str
    liquidator: str
    time: int
    hash: str
    method: str
    leverage_type: str
    ntl: Decimal
    account_value: Decimal
    positions: tuple[tuple[str, Decimal], ...]


class OutcomeEvent(StrEnum):
    """Changes of the outcome listing, in the venue's words."""

    OUTCOME_CREATED = "outcomeCreated"
    OUTCOME_SETTLED = "outcomeSettled"
    QUESTION_UPDATED = "questionUpdated"
    QUESTION_SETTLED = "questionSettled"


@dataclass(frozen=True, slots=True)
class OutcomeChange:
    """A change of the outcome listing; `number` is of the outcome or question."""

    event: OutcomeEvent
    number: int


@dataclass(slots=True)
class Block:
    """All events of one block; they share `time_ms`."""

    number: int
    time_ms: int
    fills: list[Fill] = field(default_factory=list)
    order_updates: list[OrderUpdate] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    twap_updates: list[TwapUpdate] = field(default_factory=list)
    fundings: list[FundingPayment] = field(default_factory=list)
    funding_rates: list[FundingRate] = field(default_factory=list)
    liquidations: list[Liquidation] = field(default_factory=list)
    spot_changed: set[str] = field(default_factory=set)
    ledger_updates: list[LedgerUpdate] = field(default_factory=list)
    outcome_changes: list[OutcomeChange] = field(default_factory=list)
