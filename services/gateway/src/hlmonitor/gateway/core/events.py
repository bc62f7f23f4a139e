"""From the venue's rows to the events of the contract. Every decimal stays the venue's own string."""

from decimal import Decimal, InvalidOperation
from typing import assert_never

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.orders import kind_for
from hlmonitor.v1 import events_pb2 as pb
from hlmonitor.venue.core import frames, wire

_SIDES = {"B": pb.SIDE_BUY, "A": pb.SIDE_SELL}
# A TWAP with one of these goes on: telling them would look like an end.
_TWAP_LIVE = {"activated", "waitingForTrigger"}
_MS = 1000


class RowError(ValueError):
    """A row that the contract cannot hold, such as a number beyond 64 bits."""


def fill_bytes(
    address: Address, row: wire.Fill, feed: pb.Feed.ValueType, *, twap_id: int | None, replayed: bool
) -> bytes:
    """A serialized Fill, which the aggregator passes on as it is.

    Raises:
        RowError: a number is beyond what the contract holds.
    """
    try:
        fill = pb.Fill(
            address=address,
            coin=row.coin,
            px=row.px,
            sz=row.sz,
            side=_SIDES.get(row.side, pb.SIDE_UNSPECIFIED),
            time_ms=row.time,
            start_position=row.start_position,
            dir=row.dir,
            closed_pnl=row.closed_pnl,
            hash=row.hash,
            oid=row.oid,
            crossed=row.crossed,
            fee=row.fee,
            fee_token=row.fee_token,
            tid=row.tid,
            cloid=row.cloid,
            twap_id=row.twap_id if twap_id is None else twap_id,
            builder_fee=row.builder_fee,
            liquidation=_liquidation(row.liquidation),
            feed=feed,
            replayed=replayed,
        )
    except ValueError as error:
        raise RowError(f"fill {row.tid} of {row.coin} cannot be held: {error}") from error
    return fill.SerializeToString()


def oid_with_end(address: Address, row: wire.Fill) -> int:
    """The order of a fill, whose end the venue tells; 0 for a TWAP's slice and for what the venue did by itself."""
    liquidated_user = row.liquidation.liquidated_user if row.liquidation else None
    has_end = row.twap_id is None and not kind_for(address, row.dir, liquidated_user).is_system
    return row.oid if has_end else 0


def order_status(address: Address, update: wire.OrderUpdate) -> pb.OrderStatus:
    """An order's status, attributed to the wallet whose connection or request it came by.

    Raises:
        RowError: a number is beyond what the contract holds.
    """
    order = update.order
    try:
        return pb.OrderStatus(
            address=address,
            coin=order.coin,
            oid=order.oid,
            side=_SIDES.get(order.side, pb.SIDE_UNSPECIFIED),
            limit_px=order.limit_px,
            orig_sz=order.orig_sz,
            remaining_sz=order.sz,
            status=update.status,
            order_time_ms=order.timestamp,
            status_time_ms=update.status_timestamp,
            cloid=order.cloid,
            reduce_only=order.reduce_only,
        )
    except ValueError as error:
        raise RowError(f"status of order {order.oid} cannot be held: {error}") from error


def twap_end(address: Address, row: wire.TwapHistoryRow) -> pb.OrderStatus | None:
    """The end of a TWAP as a status with `twap_id`; None while it goes on, or when the row names no TWAP.

    Raises:
        RowError: a size is no number, or a number is beyond what the contract holds.
    """
    if row.twap_id is None or row.status.status in _TWAP_LIVE:
        return None
    state = row.state
    try:
        return pb.OrderStatus(
            address=address,
            coin=state.coin,
            oid=0,
            twap_id=row.twap_id,
            side=_SIDES.get(state.side, pb.SIDE_UNSPECIFIED),
            orig_sz=state.sz,
            remaining_sz=format(Decimal(state.sz) - Decimal(state.executed_sz), "f"),
            status=row.status.status,
            order_time_ms=state.timestamp,
            status_time_ms=row.time * _MS,
            reduce_only=state.reduce_only,
        )
    except (ValueError, InvalidOperation) as error:
        raise RowError(f"end of TWAP {row.twap_id} cannot be held: {error}") from error


def account_snapshot(
    address: Address, frame: frames.PerpStates | frames.SpotState | frames.AccountMode
) -> pb.AccountSnapshot:
    """What a frame says of the account: every perpetuals dex, all spot balances, or where collateral is kept.

    Raises:
        RowError: a number is beyond what the contract holds.
    """
    try:
        match frame:
            case frames.PerpStates():
                dexes = [_dex_state(dex, state) for dex, state in frame.states]
                return pb.AccountSnapshot(address=address, perps=pb.AccountSnapshot.Perps(dexes=dexes))
            case frames.SpotState():
                balances = [_balance(row) for row in frame.state.balances]
                return pb.AccountSnapshot(address=address, spot=pb.AccountSnapshot.Spot(balances=balances))
            case frames.AccountMode():
                return pb.AccountSnapshot(address=address, abstraction=frame.abstraction)
            case unreachable:
                assert_never(unreachable)
    except ValueError as error:
        raise RowError(f"account state of {address} cannot be held: {error}") from error


def _balance(row: wire.SpotBalance) -> pb.SpotBalance:
    return pb.SpotBalance(coin=row.coin, token=row.token, total=row.total, hold=row.hold, entry_ntl=row.entry_ntl)


def _liquidation(row: wire.Liquidation | None) -> pb.Liquidation | None:
    if row is None:
        return None
    return pb.Liquidation(liquidated_user=row.liquidated_user, mark_px=row.mark_px, method=row.method)


def _dex_state(dex: str, state: wire.ClearinghouseState) -> pb.DexState:
    # As the original: the totals of cross margin where there are such, else of everything.
    totals = state.cross_margin_summary or state.margin_summary
    return pb.DexState(
        dex=dex,
        account_value=totals.account_value,
        total_margin_used=totals.total_margin_used,
        total_ntl_pos=totals.total_ntl_pos,
        withdrawable=state.withdrawable,
        time_ms=state.time,
        positions=[_position(held.position) for held in state.asset_positions],
    )


def _position(row: wire.Position) -> pb.Position:
    return pb.Position(
        coin=row.coin,
        szi=row.szi,
        entry_px=row.entry_px,
        unrealized_pnl=row.unrealized_pnl,
        leverage_type=row.leverage.type,
        leverage_value=row.leverage.value,
        margin_used=row.margin_used,
        position_value=row.position_value,
        return_on_equity=row.return_on_equity,
    )
