"""Strict models of what `/info` replies, beyond what `venue_frames` has: from facts, docs and recorded replies.

They know nothing of the simulator. An unknown or missing field, or a number where the venue sends a string, is an
error.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from venue_frames.ledger import LedgerUpdate
from venue_frames.market import Candle, L2Book, OutcomeCreated, PerpCtx, SpotCtx, Trade
from venue_frames.rows import Fill, FrontendOrder, HistoricalOrder, SliceFill, TwapHistoryRow, TwapState, UpdatedOrder
from venue_frames.states import ActiveAssetData, ClearinghouseState, LeadingVault, SpotBalances
from venue_frames.values import Address, Amount, Coin, Count, Hash, Id, Millis, Seconds, Strict, Unsigned

Date = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
TokenId = Annotated[str, Meta(pattern="^0x[0-9a-f]{32}$")]


class Asset(Strict, frozen=True):
    name: Coin
    sz_decimals: Count
    max_leverage: Count
    margin_table_id: Count
    only_isolated: bool | UnsetType = UNSET
    is_delisted: bool | UnsetType = UNSET
    margin_mode: Literal["strictIsolated", "noCross"] | UnsetType = UNSET
    growth_mode: str | UnsetType = UNSET
    last_growth_mode_change_time: str | UnsetType = UNSET


class MarginTier(Strict, frozen=True):
    lower_bound: Unsigned
    max_leverage: Count


class MarginTable(Strict, frozen=True):
    description: str
    margin_tiers: list[MarginTier]


class PerpMeta(Strict, frozen=True):
    universe: list[Asset]
    margin_tables: list[tuple[Count, MarginTable]]
    collateral_token: Count


class PerpDex(Strict, frozen=True):
    name: str
    full_name: str
    deployer: Address
    oracle_updater: Address | None
    fee_recipient: Address | None
    asset_to_streaming_oi_cap: list[tuple[Coin, Unsigned]]
    sub_deployers: list[tuple[str, list[Address]]]
    deployer_fee_scale: Unsigned
    last_deployer_fee_scale_change_time: str
    asset_to_funding_multiplier: list[tuple[Coin, Unsigned]]


class Pair(Strict, frozen=True):
    name: Coin
    tokens: tuple[Count, Count]
    index: Count
    is_canonical: bool


class Token(Strict, frozen=True):
    name: Coin
    sz_decimals: Count
    wei_decimals: Count
    index: Count
    token_id: TokenId
    is_canonical: bool
    evm_contract: object
    full_name: str | None
    deployer_trading_fee_share: Unsigned


class SpotMeta(Strict, frozen=True):
    universe: list[Pair]
    tokens: list[Token]


class KnownOrder(Struct, frozen=True, forbid_unknown_fields=True, tag_field="status", tag="order"):
    order: HistoricalOrder


class UnknownOrder(Struct, frozen=True, forbid_unknown_fields=True, tag_field="status", tag="unknownOid"):
    """There is nothing else in it."""


class FundingDelta(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", tag_field="type", tag="funding"):
    coin: Coin
    usdc: Amount
    szi: Amount
    funding_rate: Amount
    n_samples: Count | None


class UserFunding(Strict, frozen=True):
    time: Millis
    hash: Hash
    delta: FundingDelta


class FundingRate(Strict, frozen=True):
    coin: Coin
    funding_rate: Amount
    premium: Amount
    time: Millis


class PredictedFunding(Strict, frozen=True):
    funding_rate: Amount
    next_funding_time: Millis
    funding_interval_hours: Count | UnsetType = UNSET


class DailyVolume(Strict, frozen=True):
    date: Date
    user_cross: Unsigned
    user_add: Unsigned
    exchange: Unsigned


class VipTier(Strict, frozen=True):
    ntl_cutoff: Unsigned
    cross: Unsigned
    add: Unsigned
    spot_cross: Unsigned
    spot_add: Unsigned


class MakerTier(Strict, frozen=True):
    maker_fraction_cutoff: Unsigned
    add: Amount


class Tiers(Strict, frozen=True):
    vip: list[VipTier]
    mm: list[MakerTier]


class StakingDiscount(Strict, frozen=True):
    bps_of_max_supply: Unsigned
    discount: Unsigned


class FeeSchedule(Strict, frozen=True):
    cross: Unsigned
    add: Unsigned
    spot_cross: Unsigned
    spot_add: Unsigned
    tiers: Tiers
    referral_discount: Unsigned
    staking_discount_tiers: list[StakingDiscount]


class UserFees(Strict, frozen=True):
    daily_user_vlm: list[DailyVolume]
    fee_schedule: FeeSchedule
    user_cross_rate: Unsigned
    user_add_rate: Amount
    user_spot_cross_rate: Unsigned
    user_spot_add_rate: Unsigned
    active_referral_discount: Unsigned
    trial: None
    fee_trial_escrow: Unsigned
    next_trial_available_timestamp: None
    staking_link: None
    active_staking_discount: StakingDiscount


class UserRateLimit(Strict, frozen=True):
    cum_vlm: Unsigned
    n_requests_used: Count
    n_requests_cap: Count
    n_requests_surplus: Count


class Past(Strict, frozen=True):
    account_value_history: list[tuple[Millis, Amount]]
    pnl_history: list[tuple[Millis, Amount]]
    vlm: Unsigned


Period = tuple[
    Literal["day", "week", "month", "allTime", "perpDay", "perpWeek", "perpMonth", "perpAllTime"],
    Past,
]


class ReferrerVolume(Strict, frozen=True):
    required: Unsigned


class ReferrerState(Strict, frozen=True):
    stage: Literal["needToCreateCode", "needToTrade"]
    data: ReferrerVolume | UnsetType = UNSET


class Referral(Strict, frozen=True):
    referred_by: None
    cum_vlm: Unsigned
    unclaimed_rewards: Unsigned
    claimed_rewards: Unsigned
    builder_rewards: Unsigned
    referrer_state: ReferrerState
    reward_history: list[object]
    token_to_state: list[object]


class DelegatorSummary(Strict, frozen=True):
    delegated: Unsigned
    undelegated: Unsigned
    total_pending_withdrawal: Unsigned
    n_pending_withdrawals: Count


class Staked(Strict, frozen=True):
    amount: Unsigned


class Unstaked(Strict, frozen=True):
    amount: Unsigned
    phase: Literal["initiated", "finalized"]


class StakingDelta(Strict, frozen=True):
    c_deposit: Staked | UnsetType = UNSET
    withdrawal: Unstaked | UnsetType = UNSET


class StakingEvent(Strict, frozen=True):
    time: Millis
    hash: Hash
    delta: StakingDelta


class SubAccount(Strict, frozen=True):
    name: str
    sub_account_user: Address
    master: Address
    clearinghouse_state: ClearinghouseState
    spot_state: SpotBalances


class SubAccount2(Strict, frozen=True):
    name: str
    sub_account_user: Address
    master: Address
    dex_to_clearinghouse_state: list[tuple[str, ClearinghouseState]]
    spot_state: SpotBalances


class Owner(Strict, frozen=True):
    user: Address


class Master(Strict, frozen=True):
    master: Address


class UserRole(Strict, frozen=True):
    role: Literal["missing", "user", "vault", "agent", "subAccount"]
    data: object = UNSET


class ExtraAgent(Strict, frozen=True):
    name: str
    address: Address
    valid_until: Count


class VaultEquity(Strict, frozen=True):
    vault_address: Address
    equity: Unsigned
    locked_until_timestamp: Count


class Follower(Strict, frozen=True):
    user: Annotated[str, Meta(pattern="^(0x[0-9a-f]{40}|Leader)$")]
    vault_equity: Unsigned
    pnl: Amount
    all_time_pnl: Amount
    days_following: Count
    vault_entry_time: Millis
    lockup_until: Count


class Family(Strict, frozen=True):
    child_addresses: list[Address]


class Relationship(Strict, frozen=True):
    type: Literal["normal", "child", "parent"]
    data: Family | UnsetType = UNSET


class VaultDetails(Strict, frozen=True):
    name: str
    vault_address: Address
    leader: Address
    description: str
    portfolio: list[Period]
    apr: float
    follower_state: Follower | None
    leader_fraction: float
    leader_commission: float
    followers: list[Follower]
    max_distributable: float
    max_withdrawable: float
    is_closed: bool
    relationship: Relationship
    allow_deposits: bool
    always_close_on_withdraw: bool


class VaultSummary(Strict, frozen=True):
    name: str
    vault_address: Address
    leader: Address
    tvl: Unsigned
    is_closed: bool
    relationship: Relationship
    create_time_millis: Millis


class Auction(Strict, frozen=True):
    start_time_seconds: Seconds
    duration_seconds: Count
    start_gas: Unsigned
    current_gas: Unsigned | None
    end_gas: Unsigned | None


class SpotDeployState(Strict, frozen=True):
    states: list[object]
    gas_auction: Auction


class ExchangeStatus(Strict, frozen=True):
    time: Millis
    special_statuses: str | None


class WebData2(Strict, frozen=True):
    clearinghouse_state: ClearinghouseState
    leading_vaults: list[LeadingVault]
    total_vault_equity: Unsigned
    open_orders: list[FrontendOrder]
    agent_address: Address | None
    agent_valid_until: Millis | None
    cum_ledger: Amount
    meta: PerpMeta
    asset_ctxs: list[PerpCtx]
    server_time: Millis
    is_vault: bool
    user: Address
    twap_states: list[tuple[Id, TwapState]]
    spot_state: SpotBalances
    spot_asset_ctxs: list[SpotCtx]
    opt_out_of_spot_dusting: Literal[True] | UnsetType = UNSET
    perps_at_open_interest_cap: list[Coin] | UnsetType = UNSET


class DexStatus(Strict, frozen=True):
    total_net_deposit: Amount


class Question(Strict, frozen=True):
    question: Count
    name: str
    description: str
    fallback_outcome: Count
    named_outcomes: list[Count]
    settled_named_outcomes: list[Count]


class OutcomeMeta(Strict, frozen=True):
    outcomes: list[OutcomeCreated]
    questions: list[Question]


class QuestionOf(Strict, frozen=True):
    question: dict[Literal["active", "settled"], Count]
    name: str
    description: str


class SettledOutcome(Strict, frozen=True):
    spec: OutcomeCreated
    settle_fraction: Unsigned
    details: str
    question: QuestionOf | UnsetType = UNSET


Abstraction = Literal["unifiedAccount", "portfolioMargin", "disabled", "default"]

REPLIES: dict[str, object] = {
    "meta": PerpMeta,
    "spotMeta": SpotMeta,
    "perpDexs": list[PerpDex | None],
    "allPerpMetas": list[PerpMeta],
    "metaAndAssetCtxs": tuple[PerpMeta, list[PerpCtx]],
    "spotMetaAndAssetCtxs": tuple[SpotMeta, list[SpotCtx]],
    "allMids": dict[Coin, Unsigned],
    "l2Book": L2Book | None,
    "candleSnapshot": list[Candle],
    "recentTrades": list[Trade],
    "clearinghouseState": ClearinghouseState,
    "batchClearinghouseStates": list[ClearinghouseState],
    "spotClearinghouseState": SpotBalances,
    "openOrders": list[UpdatedOrder],
    "frontendOpenOrders": list[FrontendOrder],
    "orderStatus": KnownOrder | UnknownOrder,
    "historicalOrders": list[HistoricalOrder],
    "userFills": list[Fill],
    "userFillsByTime": list[Fill],
    "userTwapSliceFills": list[SliceFill],
    "userTwapSliceFillsByTime": list[SliceFill],
    "twapHistory": list[TwapHistoryRow],
    "userFunding": list[UserFunding],
    "userNonFundingLedgerUpdates": list[LedgerUpdate],
    "fundingHistory": list[FundingRate],
    "predictedFundings": list[tuple[Coin, list[tuple[str, PredictedFunding | None]]]],
    "userRateLimit": UserRateLimit,
    "userRole": UserRole,
    "userAbstraction": Abstraction,
    "userDexAbstraction": bool | None,
    "userFees": UserFees,
    "subAccounts": list[SubAccount] | None,
    "subAccounts2": list[SubAccount2] | None,
    "vaultDetails": VaultDetails | None,
    "vaultSummaries": list[VaultSummary],
    "userVaultEquities": list[VaultEquity],
    "leadingVaults": list[LeadingVault],
    "portfolio": list[Period],
    "exchangeStatus": ExchangeStatus,
    "activeAssetData": ActiveAssetData,
    "webData2": WebData2,
    "referral": Referral,
    "maxBuilderFee": Count,
    "approvedBuilders": list[Address],
    "extraAgents": list[ExtraAgent],
    "userToMultiSigSigners": None,
    "delegatorSummary": DelegatorSummary,
    "delegations": list[object],
    "delegatorRewards": list[object],
    "delegatorHistory": list[StakingEvent],
    "perpDeployAuctionStatus": Auction,
    "spotDeployState": SpotDeployState,
    "marginTable": MarginTable,
    "perpsAtOpenInterestCap": list[Coin],
    "perpDexStatus": DexStatus,
    "outcomeMeta": OutcomeMeta,
    "settledOutcome": SettledOutcome | None,
}
"""What each request type is answered with."""
