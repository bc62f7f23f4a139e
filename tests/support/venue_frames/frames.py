"""Frames: one model of `data` for each channel."""

import zlib
from base64 import b64decode
from typing import Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from . import market, rows, states
from .ledger import LedgerUpdate
from .values import Address, Coin, Count, Id, Strict, Unsigned, never_false


class UnknownChannelError(ValueError):
    """A frame on a channel that the facts do not have."""


class _Rows(Strict, frozen=True):
    """A frame of rows of a user. The flag is there on the first frame only, and then true."""

    user: Address
    is_snapshot: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        never_false(self.is_snapshot)


class UserFills(_Rows, frozen=True, kw_only=True):
    fills: list[rows.Fill]


class UserTwapSliceFills(_Rows, frozen=True, kw_only=True):
    twap_slice_fills: list[rows.SliceFill]


class UserTwapHistory(_Rows, frozen=True, kw_only=True):
    history: list[rows.TwapHistoryRow]


class UserFundings(_Rows, frozen=True, kw_only=True):
    fundings: list[rows.Funding]


class UserLedgerUpdates(_Rows, frozen=True, kw_only=True):
    non_funding_ledger_updates: list[LedgerUpdate]


class UserHistoricalOrders(_Rows, frozen=True, kw_only=True):
    order_history: list[rows.HistoricalOrder]


class UserLiquidation(Struct, frozen=True, forbid_unknown_fields=True):
    """The one object whose names are not in camel case."""

    lid: Id
    liquidator: Address
    liquidated_user: Address
    liquidated_ntl_pos: Unsigned
    liquidated_account_value: Unsigned


class NonUserCancel(Strict, frozen=True):
    coin: Coin
    oid: Id


class UserEvents(Strict, frozen=True):
    fills: list[rows.Fill] | UnsetType = UNSET
    funding: rows.Funding | UnsetType = UNSET
    liquidation: UserLiquidation | UnsetType = UNSET
    non_user_cancel: list[NonUserCancel] | UnsetType = UNSET
    twap_history: list[rows.TwapHistoryRow] | UnsetType = UNSET
    twap_slice_fills: list[rows.SliceFill] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if sum(getattr(self, name) is not UNSET for name in self.__struct_fields__) != 1:
            raise ValueError("a frame is of exactly one kind")


class Notification(Strict, frozen=True):
    notification: str


class Acknowledgement(Strict, frozen=True):
    method: Literal["subscribe", "unsubscribe"]
    subscription: Raw


class PostedInfo(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="info"):
    payload: Raw


class PostedError(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="error"):
    payload: str


class Post(Strict, frozen=True):
    id: Count
    response: PostedInfo | PostedError


class PostedPayload(Strict, frozen=True):
    type: str
    data: Raw


class _Envelope(Strict, frozen=True):
    channel: str
    data: Raw | UnsetType = UNSET


_DATA: dict[str, object] = {
    "userFills": UserFills,
    "userTwapSliceFills": UserTwapSliceFills,
    "userTwapHistory": UserTwapHistory,
    "userFundings": UserFundings,
    "userNonFundingLedgerUpdates": UserLedgerUpdates,
    "userHistoricalOrders": UserHistoricalOrders,
    "orderUpdates": list[rows.OrderUpdate],
    "user": UserEvents,
    "notification": Notification,
    "webData3": states.WebData3,
    "clearinghouseState": states.UserClearinghouseState,
    "allDexsClearinghouseState": states.AllDexsClearinghouseState,
    "openOrders": states.OpenOrders,
    "twapStates": states.TwapStates,
    "spotState": states.SpotState,
    "activeAssetData": states.ActiveAssetData,
    "activeAssetCtx": market.ActiveAssetCtx,
    "activeSpotAssetCtx": market.ActiveSpotAssetCtx,
    "assetCtxs": market.AssetCtxs,
    "allDexsAssetCtxs": market.AllDexsAssetCtxs,
    "spotAssetCtxs": list[market.SpotCtx],
    "allMids": market.AllMids,
    "fastAssetCtxs": str,
    "l2Book": market.L2Book,
    "bbo": market.Bbo,
    "candle": market.Candle,
    "trades": list[market.Trade],
    "outcomeMetaUpdates": list[market.OutcomeUpdate],
    "subscriptionResponse": Acknowledgement,
    "post": Post,
    "error": str,
}
_DECODERS = {channel: msgspec.json.Decoder(kind) for channel, kind in _DATA.items()}
_ENVELOPE = msgspec.json.Decoder(_Envelope)
_FAST = msgspec.json.Decoder(dict[Coin, market.FastCtx])
_ECHOED = {
    "allMids": {"dex"},
    "candle": {"coin", "interval"},
    "l2Book": {"coin", "nSigFigs", "mantissa", "fast"},
    "userFills": {"user", "aggregateByTime"},
    "spotState": {"user", "ignorePortfolioMargin"},
    "activeAssetData": {"user", "coin"},
    **{kind: {"coin"} for kind in ("trades", "bbo", "activeAssetCtx")},
    **{kind: {"user", "dex"} for kind in ("clearinghouseState", "openOrders", "twapStates")},
    **{kind: set() for kind in ("allDexsAssetCtxs", "outcomeMetaUpdates", "fastAssetCtxs", "spotAssetCtxs")},
    "assetCtxs": {"dex"},
}


def parse(frame: bytes) -> str:
    """Check a frame; return its channel. Raise msgspec.ValidationError, or UnknownChannelError."""
    envelope = _ENVELOPE.decode(frame)
    if envelope.channel == "pong":
        if envelope.data is not UNSET:
            raise msgspec.ValidationError("a pong has no data")
        return "pong"
    decoder = _DECODERS.get(envelope.channel)
    if decoder is None:
        raise UnknownChannelError(envelope.channel)
    if envelope.data is UNSET:
        raise msgspec.ValidationError("data is missing")
    _check(decoder.decode(envelope.data), envelope.channel)
    return envelope.channel


def _check(data: object, channel: str) -> None:
    """Look into what the models leave closed: echoes, posts, packed prices."""
    if isinstance(data, Acknowledgement):
        echo = msgspec.json.decode(data.subscription, type=dict[str, str | int | bool | None])
        known = _ECHOED.get(str(echo["type"]), {"user"})
        if echo.keys() - {"type"} != known:
            raise msgspec.ValidationError(f"echo {echo} has not exactly the fields {known}")
    elif isinstance(data, Post) and isinstance(data.response, PostedInfo):
        msgspec.json.decode(data.response.payload, type=PostedPayload)
    elif channel == "fastAssetCtxs" and isinstance(data, str):
        _FAST.decode(zlib.decompress(b64decode(data, validate=True), wbits=-15))
