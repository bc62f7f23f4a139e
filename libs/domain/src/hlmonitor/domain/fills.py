"""Fills: what the venue reports of one execution, its identity, and the legs that it belongs to."""

from decimal import Decimal
from enum import StrEnum
from hashlib import blake2b
from typing import NewType

import msgspec

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.decimals import ZERO, canonical

FillDigest = NewType("FillDigest", bytes)
"""The identity of a fill: 16 bytes."""


class Side(StrEnum):
    """Which side of the book the wallet's order was on; values are the venue's."""

    BUY = "B"
    SELL = "A"


class Leg(StrEnum):
    """The part of an order that closes a position, or the part that opens one."""

    CLOSE = "close"
    OPEN = "open"


class Feed(StrEnum):
    """The stream that a fill came by."""

    USER_FILLS = "userFills"
    TWAP_SLICE_FILLS = "userTwapSliceFills"
    TRADES = "trades"
    NODE = "node"


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of one order. Prices are in quote units, sizes in coin units, times in ms of venue time."""

    address: Address
    coin: str
    px: Decimal
    sz: Decimal
    side: Side
    time_ms: int
    start_position: Decimal
    """Signed position before this fill; for spot the token balance."""
    dir: str
    """The venue's text for people: checked against the numbers, never trusted before them."""
    closed_pnl: Decimal
    hash: str
    oid: int
    fee: Decimal
    fee_token: str
    tid: int
    crossed: bool = True
    cloid: str | None = None
    twap_id: int | None = None
    liquidated_user: str | None = None
    feed: Feed = Feed.USER_FILLS
    replayed: bool = False
    """It came by a snapshot or by REST, so it may be old."""
    seeded: bool = True
    """`start_position` is the venue's or was followed; else nobody knows it, and it stands at 0."""


class Part(msgspec.Struct, frozen=True):
    """The share of a fill that belongs to one leg: its size and the positions before and after it."""

    leg: Leg
    sz: Decimal
    before: Decimal
    after: Decimal
    long: bool
    """The position that is opened or closed is (or was) a long one."""


def digest_of(fill: Fill) -> FillDigest:
    """The identity of a fill (DESIGN: address, coin, time, tid, side; oid and start position when tid is 0)."""
    text = f"{fill.address}|{fill.coin}|{fill.time_ms}|{fill.tid}|{fill.side.value}"
    if fill.tid == 0:
        text += f"|{fill.oid}|{canonical(fill.start_position)}"
    return FillDigest(blake2b(text.encode(), digest_size=16).digest())


def is_spot(coin: str) -> bool:
    """Spot pairs are `@107` or `PURR/USDC` on the wire, outcome coins `#330`; both are held as balances."""
    return coin.startswith(("@", "#")) or "/" in coin


def signed_size(fill: Fill) -> Decimal:
    """What the fill adds to the position."""
    return fill.sz if fill.side is Side.BUY else -fill.sz


def split(fill: Fill) -> tuple[Part, ...]:
    """The parts of a fill, close before open, from start position, side and size alone.

    A perp fill that crosses zero is split exactly at zero. A spot buy opens and a spot sale closes, whole: balances
    never go below zero, and fees and transfers make their chain no proof of anything.
    """
    before = fill.start_position
    after = before + signed_size(fill)
    if is_spot(fill.coin):
        leg = Leg.OPEN if fill.side is Side.BUY else Leg.CLOSE
        return (Part(leg, fill.sz, before, after, long=True),)
    buys = fill.side is Side.BUY
    if before.is_zero() or (before > 0) == buys:
        return (Part(Leg.OPEN, fill.sz, before, after, long=buys),)
    closing = min(fill.sz, abs(before))
    if closing == fill.sz:
        return (Part(Leg.CLOSE, fill.sz, before, after, long=not buys),)
    return (
        Part(Leg.CLOSE, closing, before, ZERO, long=not buys),
        Part(Leg.OPEN, fill.sz - closing, ZERO, after, long=buys),
    )
