"""Rows of a user: fills, orders, TWAPs, fundings, ledger updates."""

from typing import Literal

from msgspec import UNSET, UnsetType

from .values import (
    Address,
    Amount,
    Cloid,
    Coin,
    Count,
    Dir,
    Hash,
    Id,
    Millis,
    OrderType,
    Seconds,
    Side,
    Status,
    Strict,
    Tif,
    Unsigned,
    never_false,
)


class Liquidation(Strict, frozen=True):
    mark_px: Unsigned
    method: Literal["market", "backstop"]
    liquidated_user: Address | UnsetType = UNSET


class Fill(Strict, frozen=True):
    coin: Coin
    px: Unsigned
    sz: Unsigned
    side: Side
    time: Millis
    start_position: Amount
    dir: Dir
    closed_pnl: Amount
    hash: Hash
    oid: Id
    crossed: bool
    fee: Amount
    tid: Id
    fee_token: Coin
    twap_id: None
    cloid: Cloid | UnsetType = UNSET
    liquidation: Liquidation | UnsetType = UNSET
    builder_fee: Amount | UnsetType = UNSET
    fee_trial_escrow: Amount | UnsetType = UNSET


class SliceFill(Strict, frozen=True):
    fill: Fill
    twap_id: Id

    def __post_init__(self) -> None:
        if set(self.fill.hash[2:]) != {"0"}:
            raise ValueError("hash of a TWAP slice is not zero")


class UpdatedOrder(Strict, frozen=True):
    coin: Coin
    side: Side
    limit_px: Unsigned
    sz: Unsigned
    oid: Id
    timestamp: Millis
    orig_sz: Unsigned
    cloid: Cloid | UnsetType = UNSET
    reduce_only: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        never_false(self.reduce_only)


class OrderUpdate(Strict, frozen=True):
    order: UpdatedOrder
    status: Status
    status_timestamp: Millis


class FrontendOrder(Strict, frozen=True):
    coin: Coin
    side: Side
    limit_px: Unsigned
    sz: Unsigned
    oid: Id
    timestamp: Millis
    trigger_condition: str
    is_trigger: bool
    trigger_px: Unsigned
    children: list["FrontendOrder"]
    is_position_tpsl: bool
    reduce_only: bool
    order_type: OrderType
    orig_sz: Unsigned
    tif: Tif | None
    cloid: Cloid | None

    def __post_init__(self) -> None:
        if not self.is_trigger and (self.trigger_condition, self.trigger_px) != ("N/A", "0.0"):
            raise ValueError("triggerCondition and triggerPx of an ordinary order")


class HistoricalOrder(Strict, frozen=True):
    order: FrontendOrder
    status: Status
    status_timestamp: Millis


class Trigger(Strict, frozen=True):
    px: Unsigned
    above: bool


class TwapState(Strict, frozen=True):
    coin: Coin
    user: Address
    side: Side
    sz: Unsigned
    executed_sz: Unsigned
    executed_ntl: Unsigned
    minutes: Count
    reduce_only: bool
    randomize: bool
    timestamp: Millis
    stop_px: Unsigned | None
    trigger: Trigger | None


class TwapStatus(Strict, frozen=True):
    status: Literal["finished", "activated", "terminated", "waitingForTrigger", "stopped", "error"]
    description: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        if (self.status == "error") != isinstance(self.description, str):
            raise ValueError("description goes with error, and only with it")


class TwapHistoryRow(Strict, frozen=True):
    time: Seconds
    state: TwapState
    status: TwapStatus
    twap_id: Id


class Funding(Strict, frozen=True):
    time: Millis
    coin: Coin
    usdc: Amount
    szi: Amount
    funding_rate: Amount
    n_samples: Count | None
