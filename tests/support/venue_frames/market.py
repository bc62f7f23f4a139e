"""Market data."""

from typing import Literal

from msgspec import UNSET, UnsetType, field

from .values import Address, Amount, Coin, Count, Hash, Id, Millis, Side, Strict, Unsigned


class Trade(Strict, frozen=True):
    coin: Coin
    side: Side
    px: Unsigned
    sz: Unsigned
    time: Millis
    hash: Hash
    tid: Id
    users: tuple[Address, Address]


class Level(Strict, frozen=True):
    px: Unsigned
    sz: Unsigned
    n: Count


class L2Book(Strict, frozen=True):
    coin: Coin
    time: Millis
    levels: tuple[list[Level], list[Level]]
    spread: Unsigned | UnsetType = UNSET

    def __post_init__(self) -> None:
        bids, asks = ([float(level.px) for level in side] for side in self.levels)
        if bids != sorted(bids, reverse=True) or asks != sorted(asks) or max(len(bids), len(asks)) > 20:
            raise ValueError("levels: at most 20 a side, the best first")
        # Joined levels may meet, exact ones may not.
        if self.spread is UNSET and bids and asks and bids[0] >= asks[0]:
            raise ValueError("levels: the book is crossed")


class Bbo(Strict, frozen=True):
    coin: Coin
    time: Millis
    bbo: tuple[Level | None, Level | None]


class Candle(Strict, frozen=True):
    t: Millis
    end: Millis = field(name="T")
    s: Coin
    i: Literal["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w", "1M"]
    o: Unsigned
    c: Unsigned
    h: Unsigned
    l: Unsigned  # noqa: E741 the venue's name
    v: Unsigned
    n: Count


class PerpCtx(Strict, frozen=True):
    funding: Amount
    open_interest: Unsigned
    prev_day_px: Unsigned
    day_ntl_vlm: Unsigned
    premium: Amount | None
    oracle_px: Unsigned
    mark_px: Unsigned
    mid_px: Unsigned | None
    impact_pxs: tuple[Unsigned, Unsigned] | None
    day_base_vlm: Unsigned


class SpotCtx(Strict, frozen=True):
    prev_day_px: Unsigned
    day_ntl_vlm: Unsigned
    mark_px: Unsigned
    mid_px: Unsigned | None
    circulating_supply: Unsigned
    coin: Coin
    total_supply: Unsigned
    day_base_vlm: Unsigned


class ActiveAssetCtx(Strict, frozen=True):
    coin: Coin
    ctx: PerpCtx


class ActiveSpotAssetCtx(Strict, frozen=True):
    coin: Coin
    ctx: SpotCtx


class AssetCtxs(Strict, frozen=True):
    dex: str
    ctxs: list[PerpCtx]


class AllDexsAssetCtxs(Strict, frozen=True):
    ctxs: list[tuple[str, list[PerpCtx]]]


class AllMids(Strict, frozen=True):
    mids: dict[Coin, Unsigned]
    dex: str | UnsetType = UNSET


class FastCtx(Strict, frozen=True):
    mark_px: Unsigned | UnsetType = UNSET
    mid_px: Unsigned | UnsetType | None = UNSET


class SideSpec(Strict, frozen=True):
    name: str
    token: Count | UnsetType = UNSET


class OutcomeCreated(Strict, frozen=True):
    outcome: Count
    name: str
    description: str
    side_specs: list[SideSpec]
    quote_token: str
    deployer: Address | UnsetType = UNSET


class QuestionUpdated(Strict, frozen=True):
    question: Count
    name: str
    description: str
    fallback_outcome: Count
    named_outcomes: list[Count]
    settled_named_outcomes: list[Count]


class OutcomeUpdate(Strict, frozen=True):
    outcome_created: OutcomeCreated | UnsetType = UNSET
    outcome_settled: Count | UnsetType = UNSET
    question_updated: QuestionUpdated | UnsetType = UNSET
    question_settled: Count | UnsetType = UNSET

    def __post_init__(self) -> None:
        if sum(getattr(self, name) is not UNSET for name in self.__struct_fields__) != 1:
            raise ValueError("an update is of exactly one kind")
