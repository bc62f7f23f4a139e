"""Requests of `/info`: one type each, told apart by `type`, with its weight (facts 2.1)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

import msgspec
from msgspec import Meta, Struct

Address = Annotated[str, Meta(pattern="^0x[0-9a-fA-F]{40}$")]

UNREADABLE: Final = "Failed to deserialize the JSON body into the target type"

_LIGHT: Final = 2
_USUAL: Final = 20
_ROLE: Final = 60


class Info(Struct, rename="camel", tag_field="type", tag=lambda name: name[0].lower() + name[1:], frozen=True):
    """A request. `weight` is charged before the answer, one more per `items_per_weight` rows after it."""

    weight: ClassVar[int] = _USUAL
    items_per_weight: ClassVar[int] = 0


class _ForDex(Info, frozen=True):
    dex: str = ""


class _ForUser(Info, frozen=True):
    user: Address


class _ForUserOnDex(Info, frozen=True):
    user: Address
    dex: str = ""


class _UserRows(Info, frozen=True):
    items_per_weight: ClassVar[int] = 20
    user: Address


class Meta_(_ForDex, tag="meta", frozen=True):  # noqa: N801 msgspec's Meta has the name
    """The universe of a perp dex."""


class SpotMeta(Info, frozen=True):
    """The spot pairs and tokens."""


class PerpDexs(Info, frozen=True):
    """The perp dexes."""


class AllPerpMetas(Info, frozen=True):
    """The universes of all dexes."""


class MetaAndAssetCtxs(_ForDex, frozen=True):
    """A universe with its contexts."""


class SpotMetaAndAssetCtxs(Info, frozen=True):
    """The spot pairs with their contexts."""


class AllMids(_ForDex, frozen=True):
    """Mid prices."""

    weight: ClassVar[int] = _LIGHT


class L2Book(Info, tag="l2Book", frozen=True):
    """A coin's book."""

    weight: ClassVar[int] = _LIGHT
    coin: str


class ClearinghouseState(_ForUserOnDex, frozen=True):
    """Positions and margin on a dex."""

    weight: ClassVar[int] = _LIGHT


class SpotClearinghouseState(_ForUser, frozen=True):
    """Spot balances."""

    weight: ClassVar[int] = _LIGHT


class OpenOrders(_ForUserOnDex, frozen=True):
    """Resting orders."""


class FrontendOpenOrders(_ForUserOnDex, frozen=True):
    """Resting orders with everything that the frontend shows."""


class OrderStatus(_ForUser, frozen=True):
    """One order, by oid or cloid."""

    weight: ClassVar[int] = _LIGHT
    oid: int | str


class HistoricalOrders(_UserRows, frozen=True):
    """The latest orders."""


class UserFills(_UserRows, frozen=True):
    """The latest fills."""

    aggregate_by_time: bool | None = False


class UserFillsByTime(_UserRows, frozen=True):
    """Fills between two times."""

    start_time: int
    end_time: int | None = None
    aggregate_by_time: bool | None = False
    reversed: bool | None = False


class UserTwapSliceFills(_UserRows, frozen=True):
    """The latest fills of TWAP slices."""


class UserTwapSliceFillsByTime(_UserRows, frozen=True):
    """Fills of TWAP slices between two times."""

    start_time: int
    end_time: int | None = None
    aggregate_by_time: bool | None = False
    reversed: bool | None = False


class TwapHistory(_UserRows, frozen=True):
    """The TWAPs of a user with their states."""


class UserRole(_ForUser, frozen=True):
    """What an address is."""

    weight: ClassVar[int] = _ROLE


class UserAbstraction(_ForUser, frozen=True):
    """How an account keeps its collateral."""


AnyInfo = (
    Meta_
    | SpotMeta
    | PerpDexs
    | AllPerpMetas
    | MetaAndAssetCtxs
    | SpotMetaAndAssetCtxs
    | AllMids
    | L2Book
    | ClearinghouseState
    | SpotClearinghouseState
    | OpenOrders
    | FrontendOpenOrders
    | OrderStatus
    | HistoricalOrders
    | UserFills
    | UserFillsByTime
    | UserTwapSliceFills
    | UserTwapSliceFillsByTime
    | TwapHistory
    | UserRole
    | UserAbstraction
)

_decoder: Final = msgspec.json.Decoder(AnyInfo)


class UnreadableRequestError(ValueError):
    """A request body that the venue would answer with 422."""


def read_request(body: bytes) -> AnyInfo:
    """Read a request; raise UnreadableRequestError."""
    try:
        request: AnyInfo = _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise UnreadableRequestError(UNREADABLE) from error
    return request
