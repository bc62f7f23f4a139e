"""The venue's objects as they are on the wire.

Prices, sizes and fees stay the strings that they are. Unknown keys are ignored and keys that some rows lack are
optional, because the venue adds and drops both without notice (facts: `feeTrialEscrow`, 2023 rows without `tid`).
"""

import msgspec


class Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base: camelCase on the wire, snake_case here."""


class Liquidation(Wire, frozen=True, kw_only=True):
    """Marks a fill of a liquidation; the counterparty's fill carries it too."""

    liquidated_user: str | None = None
    mark_px: str = ""
    method: str = ""


class Fill(Wire, frozen=True, kw_only=True):
    """A row of `userFills` and `userFillsByTime`, and the inner object of a TWAP slice."""

    coin: str
    px: str
    sz: str
    side: str
    time: int
    start_position: str
    dir: str
    oid: int
    closed_pnl: str = "0.0"
    hash: str = ""
    crossed: bool = False
    fee: str = "0.0"
    tid: int = 0
    fee_token: str = ""
    cloid: str | None = None
    liquidation: Liquidation | None = None
    builder_fee: str | None = None
    twap_id: int | None = None


class TwapSliceFill(Wire, frozen=True, kw_only=True):
    """A fill of a TWAP with the TWAP's id."""

    fill: Fill
    twap_id: int


class TwapState(Wire, frozen=True, kw_only=True):
    """A TWAP; `sz` is its whole size, `timestamp` ms."""

    coin: str
    side: str
    sz: str
    executed_sz: str
    user: str = ""
    executed_ntl: str = "0.0"
    minutes: int = 0
    reduce_only: bool = False
    timestamp: int = 0


class TwapStatus(Wire, frozen=True, kw_only=True):
    """`finished`, `activated`, `terminated`, `waitingForTrigger`, `stopped`, `error`; an open set."""

    status: str
    description: str | None = None


class TwapHistoryRow(Wire, frozen=True, kw_only=True):
    """A change of a TWAP's status. `time` is in **seconds**."""

    time: int
    state: TwapState
    status: TwapStatus
    twap_id: int | None = None


class Order(Wire, frozen=True, kw_only=True):
    """An order; `sz` is what remains."""

    coin: str
    side: str
    limit_px: str
    sz: str
    oid: int
    timestamp: int
    orig_sz: str
    cloid: str | None = None
    reduce_only: bool = False


class OrderUpdate(Wire, frozen=True, kw_only=True):
    """A row of `orderUpdates` and `historicalOrders`, and the inner object of `orderStatus`. Names no user."""

    order: Order
    status: str
    status_timestamp: int


class OrderStatusReply(Wire, frozen=True, kw_only=True):
    """Answer to `orderStatus`: `status` is `order` or `unknownOid`."""

    status: str
    order: OrderUpdate | None = None


class Leverage(Wire, frozen=True, kw_only=True):
    """`cross` or `isolated`."""

    type: str
    value: int


class Position(Wire, frozen=True, kw_only=True):
    """An open position; `szi` is signed."""

    coin: str
    szi: str
    leverage: Leverage
    entry_px: str | None = None
    position_value: str = "0.0"
    unrealized_pnl: str = "0.0"
    return_on_equity: str = "0.0"
    margin_used: str = "0.0"


class AssetPosition(Wire, frozen=True, kw_only=True):
    """The venue's wrapper around a position."""

    position: Position


class MarginSummary(Wire, frozen=True, kw_only=True):
    """Totals of one dex, in its collateral."""

    account_value: str = "0.0"
    total_ntl_pos: str = "0.0"
    total_raw_usd: str = "0.0"
    total_margin_used: str = "0.0"


class ClearinghouseState(Wire, frozen=True, kw_only=True):
    """All of an account on one dex. Closed positions are left out: it replaces what was known."""

    margin_summary: MarginSummary
    asset_positions: list[AssetPosition]
    time: int
    cross_margin_summary: MarginSummary | None = None
    withdrawable: str = "0.0"


class SpotBalance(Wire, frozen=True, kw_only=True):
    """A balance; outcome balances have no token."""

    coin: str
    total: str
    hold: str = "0.0"
    entry_ntl: str = "0.0"
    token: int | None = None


class SpotClearinghouseState(Wire, frozen=True, kw_only=True):
    """All spot balances of an account."""

    balances: list[SpotBalance]


class SpotToken(Wire, frozen=True, kw_only=True):
    """A token; `index` is its identity, not its place in the list."""

    name: str
    index: int
    sz_decimals: int = 0
    wei_decimals: int = 0


class SpotPair(Wire, frozen=True, kw_only=True):
    """A spot pair; `name` is its coin on the wire, `tokens` are the indexes of base and quote."""

    name: str
    tokens: list[int]
    index: int


class SpotMeta(Wire, frozen=True, kw_only=True):
    """Answer to `spotMeta`."""

    universe: list[SpotPair]
    tokens: list[SpotToken]


class PerpAsset(Wire, frozen=True, kw_only=True):
    """A perpetual; on a builder's dex the name is `dex:NAME`."""

    name: str
    sz_decimals: int = 0
    max_leverage: int = 0
    is_delisted: bool = False


class PerpMeta(Wire, frozen=True, kw_only=True):
    """The perpetuals of one dex and the spot token index of its collateral (older replies lack it: USDC)."""

    universe: list[PerpAsset]
    collateral_token: int = 0


class PerpDex(Wire, frozen=True, kw_only=True):
    """A builder's dex. The main dex is `null` in the venue's list."""

    name: str
    full_name: str = ""


class Trade(Wire, frozen=True, kw_only=True):
    """A public trade; `side` is the aggressor's, `users` are buyer and seller."""

    coin: str
    side: str
    px: str
    sz: str
    time: int
    hash: str
    tid: int
    users: tuple[str, str]
