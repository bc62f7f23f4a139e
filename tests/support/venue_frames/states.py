"""Complete states of an account."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from .rows import FrontendOrder, TwapState
from .values import Address, Amount, Coin, Count, Id, Millis, Strict, Unsigned, never_false


class MarginSummary(Strict, frozen=True):
    account_value: Amount
    total_ntl_pos: Unsigned
    total_raw_usd: Amount
    total_margin_used: Unsigned


class Cross(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="cross"):
    value: Count


class Isolated(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", tag_field="type", tag="isolated"):
    value: Count
    raw_usd: Amount


class CumFunding(Strict, frozen=True):
    all_time: Amount
    since_open: Amount
    since_change: Amount


class Position(Strict, frozen=True):
    coin: Coin
    szi: Amount
    leverage: Cross | Isolated
    entry_px: Unsigned
    position_value: Unsigned
    unrealized_pnl: Amount
    return_on_equity: Amount
    liquidation_px: Unsigned | None
    margin_used: Unsigned
    max_leverage: Count
    cum_funding: CumFunding

    def __post_init__(self) -> None:
        if float(self.szi) == 0:
            raise ValueError("szi of a closed position: it must be left out")


class AssetPosition(Strict, frozen=True):
    type: Literal["oneWay"]
    position: Position


class ClearinghouseState(Strict, frozen=True):
    margin_summary: MarginSummary
    cross_margin_summary: MarginSummary
    cross_maintenance_margin_used: Unsigned
    withdrawable: Unsigned
    asset_positions: list[AssetPosition]
    time: Millis


class UserClearinghouseState(Strict, frozen=True):
    dex: str
    user: Address
    clearinghouse_state: ClearinghouseState


class AllDexsClearinghouseState(Strict, frozen=True):
    user: Address
    clearinghouse_states: list[tuple[str, ClearinghouseState]]


class OpenOrders(Strict, frozen=True):
    dex: str
    user: Address
    orders: list[FrontendOrder]


class TwapStates(Strict, frozen=True):
    dex: str
    user: Address
    states: list[tuple[Id, TwapState]]


class Balance(Strict, frozen=True):
    coin: Coin
    total: Amount
    hold: Unsigned
    entry_ntl: Amount
    token: Count | UnsetType = UNSET
    spot_hold: Unsigned | UnsetType = UNSET
    ltv: Unsigned | UnsetType = UNSET
    borrowed: Unsigned | UnsetType = UNSET
    supplied: Unsigned | UnsetType = UNSET

    def __post_init__(self) -> None:
        is_outcome = self.coin[0] in "+o" and self.coin[1:].isdigit()
        if is_outcome != (self.token is UNSET):
            raise ValueError("token: outcome balances have none, all others have one")


class SpotBalances(Strict, frozen=True):
    balances: list[Balance]
    evm_escrows: list[object]
    portfolio_margin_enabled: bool | UnsetType = UNSET
    portfolio_margin_ratio: Unsigned | UnsetType = UNSET
    token_to_available_after_maintenance: list[tuple[Count, Amount]] | UnsetType = UNSET


class SpotState(Strict, frozen=True):
    user: Address
    spot_state: SpotBalances


class UserState(Strict, frozen=True):
    agent_address: Address | None
    agent_valid_until: Millis | None
    cum_ledger: Amount
    server_time: Millis
    is_vault: bool
    user: Address
    abstraction: Literal["unifiedAccount", "portfolioMargin", "disabled", "default"] | UnsetType = UNSET
    dex_abstraction_enabled: bool | UnsetType = UNSET
    opt_out_of_spot_dusting: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        never_false(self.opt_out_of_spot_dusting)


class LeadingVault(Strict, frozen=True):
    address: Address
    name: str


class PerpDexState(Strict, frozen=True):
    total_vault_equity: Unsigned
    perps_at_open_interest_cap: list[Coin] | UnsetType = UNSET
    leading_vaults: list[LeadingVault] | UnsetType = UNSET


class WebData3(Strict, frozen=True):
    user_state: UserState
    perp_dex_states: list[PerpDexState]


class ActiveAssetData(Strict, frozen=True):
    user: Address
    coin: Coin
    leverage: Cross | Isolated
    max_trade_szs: tuple[Unsigned, Unsigned]
    available_to_trade: tuple[Unsigned, Unsigned]
    mark_px: Unsigned
