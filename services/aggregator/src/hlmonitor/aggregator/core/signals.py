"""From the fills that a signal takes to the signal: amounts, rates, identity."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import msgspec

from hlmonitor.aggregator.core.accounts import Account
from hlmonitor.aggregator.core.metadata import Markets
from hlmonitor.aggregator.core.now import Now
from hlmonitor.aggregator.core.orders import HeldFill, OrderState
from hlmonitor.aggregator.core.triggers import Trigger
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.decimals import PRICE_SCALE, RATE_SCALE, ZERO, product, quotient, rounded, total
from hlmonitor.domain.fills import Leg, Part, is_spot
from hlmonitor.domain.orders import Kind, is_known_end
from hlmonitor.domain.sizes import PositionSize, SizeBounds

_ONE = Decimal(1)


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """What is published for one leg of one order. Prices in quote units, sizes in coin units, times in ms."""

    id: str
    """`address:coin:oid:leg:<time>-<tid>` of its first fill."""
    number: int
    """Dense per address: a consumer can prove that it missed none."""
    address: Address
    asset_type: str
    """`spot` or `futures`."""
    symbol: str
    coin_type: str
    direction: Leg
    side: str
    """`LONG` or `SHORT`."""
    position_rate: Decimal | None
    """Percent of the account's value: 15.5 is 15.5 %. None when the value is unknown."""
    position_size: PositionSize | None
    """The rate in a word. None when the rate is."""
    close_rate: Decimal | None
    """Share of the position that was closed, 0 to 1. None for an opening leg."""
    size: Decimal
    price: Decimal
    """Size-weighted mean, rounded half-even to 12 decimals."""
    timestamp: int
    """Venue time of the first fill."""
    kind: Kind
    complete: bool
    """Every fill of the order was seen."""
    coin: str
    oid: int
    cloid: str | None
    twap_id: int | None
    fills: int
    notional_usd: Decimal | None
    """Size times price, by the quote token's price; None when that is unknown."""
    fee: Decimal
    fee_token: str
    closed_pnl: Decimal
    start_position: Decimal | None
    end_position: Decimal | None
    """None, as the other: the wallet's position is not known."""
    leverage: int | None
    mid: Decimal | None
    feed: str
    seeded: bool
    """The start position is the venue's, or was followed from one that the venue told. If not, the leg is a guess."""
    status: str | None
    """The venue's terminal status, if it is known."""
    trigger: Trigger
    first_fill_time: int
    last_fill_time: int
    received_at_ms: int
    """Gateway's receipt of the order's last event, local wall clock."""
    decided_at_ms: int
    """Local wall clock of the decision."""


class Decision(NamedTuple):
    """What was decided of a leg: the signal's number, why, and whether every fill of the order was seen."""

    number: int
    trigger: Trigger
    complete: bool
    now: Now


def build_signal(
    order: OrderState,
    leg: Leg,
    taken: Sequence[HeldFill],
    decision: Decision,
    account: Account,
    markets: Markets,
    sizes: SizeBounds,
) -> Signal:
    """The signal of the fills `taken` for a leg, which are in execution order and not empty."""
    parts = [(held, part) for held in taken if (part := held.part(leg))]
    first, last = parts[0], parts[-1]
    size = total(part.sz for _, part in parts)
    notional = total(product(held.fill.px, part.sz) for held, part in parts)
    price = quotient(notional, size, PRICE_SCALE)
    coin = order.ref.coin
    seeded = all(held.fill.seeded for held, _ in parts)
    position_rate = _percent(account.share_of(coin, notional, markets)) if seeded else None
    usd = markets.token_usd(markets.quote_of(coin) or "")
    return Signal(
        id=signal_id(order, leg, first[0]),
        number=decision.number,
        address=order.ref.address,
        asset_type="spot" if is_spot(coin) else "futures",
        symbol=markets.symbol_of(coin),
        coin_type=markets.coin_type_of(coin),
        direction=leg,
        side="LONG" if first[1].long else "SHORT",
        position_rate=position_rate,
        position_size=sizes.size_of(position_rate),
        close_rate=_close_rate(size, first[1].before) if leg is Leg.CLOSE and seeded else None,
        size=size,
        price=price,
        timestamp=first[0].fill.time_ms,
        kind=_kind(order),
        complete=decision.complete,
        coin=coin,
        oid=order.ref.oid,
        cloid=order.cloid,
        twap_id=order.ref.twap_id,
        fills=len(parts),
        notional_usd=None if usd is None else product(notional, usd),
        fee=_fees(parts),
        fee_token=first[0].fill.fee_token,
        closed_pnl=total(_closed_pnl(held, leg) for held, _ in parts),
        start_position=first[1].before if seeded else None,
        end_position=last[1].after if seeded else None,
        leverage=account.leverage_of(coin),
        mid=markets.mid_of(coin),
        feed=first[0].fill.feed.value,
        seeded=seeded,
        status=order.status.status if order.status else None,
        trigger=decision.trigger,
        first_fill_time=first[0].fill.time_ms,
        last_fill_time=last[0].fill.time_ms,
        received_at_ms=order.received_at_ms,
        decided_at_ms=decision.now.wall_ms,
    )


def signal_id(order: OrderState, leg: Leg, first: HeldFill) -> str:
    """The identity of the signal whose first fill this is; dust has no trade id and is named by its digest."""
    fill = first.fill
    tail = str(fill.tid) if fill.tid else first.digest.hex()[:16]
    return f"{order.ref.address}:{order.ref.coin}:{order.ref.oid}:{leg.value}:{fill.time_ms}-{tail}"


def _kind(order: OrderState) -> Kind:
    """What the order was, as far as its fills and its end are of kinds that are known."""
    if order.status and not is_known_end(order.status.status):
        return Kind.UNKNOWN
    return order.ref.kind


def _close_rate(closed: Decimal, before: Decimal) -> Decimal | None:
    if before.is_zero():
        return None
    held = abs(before)
    return quotient(min(closed, held), held, RATE_SCALE)


def _percent(share: Fraction | None) -> Decimal | None:
    return None if share is None else rounded(share * 100, RATE_SCALE)


def _fees(parts: Sequence[tuple[HeldFill, Part]]) -> Decimal:
    # A fill that crosses zero pays one fee: each leg bears its share by size.
    whole = total(held.fill.fee for held, part in parts if part.sz == held.fill.sz)
    shares = [
        Fraction(held.fill.fee) * Fraction(part.sz) / Fraction(held.fill.sz)
        for held, part in parts
        if part.sz != held.fill.sz
    ]
    return rounded(sum(shares, Fraction(whole)), PRICE_SCALE) if shares else quotient(whole, _ONE, PRICE_SCALE)


def _closed_pnl(held: HeldFill, leg: Leg) -> Decimal:
    # Profit is made by closing: where a fill has both legs, all of it belongs to the closing one.
    if leg is Leg.OPEN and held.part(Leg.CLOSE):
        return ZERO
    return held.fill.closed_pnl
