from dataclasses import replace
from decimal import Decimal

import pytest

from hlmonitor.simulator.core.errors import RefusedError
from hlmonitor.simulator.core.orders import ZERO_HASH, Grouping, Order, OrderRequest, Side, Status, Tif, Tpsl, Trigger
from hlmonitor.simulator.oracle.expected import expect
from hlmonitor.simulator.testing import Desk, request, wallet
from hlmonitor.simulator.wire.rows import frontend_order_row

A, B, C = wallet(1), wallet(2), wallet(3)
OPEN, FILLED, TRIGGERED = Status.OPEN, Status.FILLED, Status.TRIGGERED


def desk_with_long(sz: str = "1") -> Desk:
    """A is long at 66,000; B bids far below and C asks far above, so that the mark price is the oracle's."""
    desk = Desk()
    for address in (A, B, C):
        desk.fund(address, 10_000_000)
    desk.sell(B, sz, "66000")
    desk.buy(A, sz, "66000")
    desk.buy(B, "50", "50000")
    desk.sell(C, "50", "90000")
    move(desk, 66_000)
    return desk


def move(desk: Desk, px: int) -> None:
    desk.block(lambda exchange: exchange.set_oracle("BTC", Decimal(px)))


def stop(
    sz: str, px: int, *, side: Side = Side.SELL, limit: str | None = None, reduce_only: bool = True
) -> OrderRequest:
    return protect(sz, px, Tpsl.STOP_LOSS, side=side, limit=limit, reduce_only=reduce_only)


def profit(sz: str, px: int, *, side: Side = Side.SELL, limit: str | None = None) -> OrderRequest:
    return protect(sz, px, Tpsl.TAKE_PROFIT, side=side, limit=limit)


def protect(
    sz: str, px: int, tpsl: Tpsl, *, side: Side = Side.SELL, limit: str | None = None, reduce_only: bool = True
) -> OrderRequest:
    wanted = request(side, sz, limit, reduce_only=reduce_only)
    return replace(wanted, trigger=Trigger(Decimal(px), tpsl, is_market=limit is None))


def group(desk: Desk, grouping: Grouping, *requests: OrderRequest) -> list[Order]:
    orders: list[Order] = []
    desk.block(lambda exchange: orders.extend(exchange.place(A, *requests, grouping=grouping)))
    return orders


def statuses(desk: Desk, order: Order) -> list[Status]:
    return [update.status for update in desk.updates(A) if update.oid == order.oid]


def test_a_stop_waits_for_a_fall_and_then_sells_at_market_under_its_own_oid() -> None:
    desk = desk_with_long()
    order = desk.send(A, stop("1", 60_000))[0]
    move(desk, 60_001)
    assert (statuses(desk, order), desk.position(A)) == ([OPEN], Decimal(1))
    desk.buy(B, "5", "59000")
    move(desk, 60_000)
    assert statuses(desk, order) == [OPEN, TRIGGERED, FILLED]
    fill = desk.fills(A)[-1]
    assert (fill.oid, fill.hash, fill.dir, fill.crossed) == (order.oid, ZERO_HASH, "Close Long", True)
    assert desk.exchange.state.account(A).waiting == {}


def test_a_take_profit_waits_for_a_rise_and_a_buy_stop_too() -> None:
    desk = desk_with_long()
    entry = desk.send(A, stop("0.5", 70_000, side=Side.BUY, reduce_only=False))[0]
    take = desk.send(A, profit("1", 70_000))[0]
    desk.sell(C, "5", "70500")
    desk.buy(B, "5", "69900")
    move(desk, 70_000)
    assert statuses(desk, entry) == [OPEN, TRIGGERED, FILLED]
    assert statuses(desk, take) == [OPEN, TRIGGERED, FILLED]
    assert [fill.oid for fill in desk.fills(A)[-2:]] == [entry.oid, take.oid]
    assert desk.position(A) == Decimal("0.5")


def test_a_triggered_limit_order_rests_at_its_price() -> None:
    desk = desk_with_long()
    order = desk.send(A, stop("1", 60_000, limit="60500"))[0]
    move(desk, 59_000)
    assert statuses(desk, order) == [OPEN, TRIGGERED, OPEN]
    assert order.oid in desk.exchange.state.account(A).open_orders
    desk.buy(B, "1", "60500")
    assert statuses(desk, order)[-1] is FILLED


def test_a_triggered_market_order_may_slip_by_ten_percent_and_no_more() -> None:
    desk = desk_with_long()
    order = desk.send(A, stop("1", 60_000))[0]
    assert order.limit_px == Decimal(54_000)
    move(desk, 55_000)
    assert statuses(desk, order) == [OPEN, TRIGGERED, Status.MARKET_NO_LIQUIDITY_REJECTED]
    assert desk.position(A) == 1


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        (stop("1", 66_000), Status.BAD_TRIGGER_PX_REJECTED),
        (stop("1", 67_000), Status.BAD_TRIGGER_PX_REJECTED),
        (profit("1", 66_000), Status.BAD_TRIGGER_PX_REJECTED),
        (replace(stop("1", 60_000), px=Decimal(60_001)), Status.BAD_TRIGGER_PX_REJECTED),
        (stop("1", 60_000, side=Side.BUY), Status.BAD_TRIGGER_PX_REJECTED),
        (profit("1", 60_000, side=Side.BUY), Status.REDUCE_ONLY_REJECTED),
        (replace(stop("1", 60_000), trigger=Trigger(Decimal("60000.5"), Tpsl.STOP_LOSS)), Status.TICK_REJECTED),
        (stop("0", 60_000), Status.TICK_REJECTED),
        (stop("0.0001", 60_000, reduce_only=False), Status.MIN_TRADE_NTL_REJECTED),
    ],
)
def test_a_trigger_order_that_cannot_wait_is_rejected(wanted: OrderRequest, status: Status) -> None:
    assert desk_with_long().send(A, wanted)[0].status is status


def test_a_trigger_order_takes_no_margin_until_it_triggers() -> None:
    desk = desk_with_long()
    order = desk.send(A, stop("100000", 60_000, reduce_only=False))[0]
    assert order.status is OPEN
    move(desk, 60_000)
    assert statuses(desk, order) == [OPEN, TRIGGERED, Status.PERP_MARGIN_REJECTED]


def test_children_wait_behind_their_parent_and_become_active_when_it_is_filled() -> None:
    desk = desk_with_long()
    parent, take, loss = group(
        desk, Grouping.NORMAL, request(Side.BUY, "2", "65000"), profit("2", 70_000), stop("2", 60_000)
    )
    assert statuses(desk, take) == statuses(desk, loss) == []
    row = frontend_order_row(parent)
    assert [child["oid"] for child in row["children"]] == [take.oid, loss.oid]  # type: ignore[attr-defined]
    desk.sell(C, "1", "65000")
    assert statuses(desk, take) == []
    desk.sell(C, "1", "65000")
    assert statuses(desk, parent) == [OPEN, FILLED]
    assert statuses(desk, take) == statuses(desk, loss) == [OPEN]
    assert frontend_order_row(parent)["children"] == []


def test_the_sibling_of_a_filled_child_is_cancelled() -> None:
    desk = desk_with_long()
    desk.sell(C, "2", "66100")
    _, take, loss = group(
        desk, Grouping.NORMAL, request(Side.BUY, "2", "66100"), profit("2", 70_000), stop("2", 60_000)
    )
    desk.buy(B, "5", "59000")
    move(desk, 60_000)
    assert statuses(desk, loss) == [OPEN, TRIGGERED, FILLED]
    assert statuses(desk, take) == [OPEN, Status.SIBLING_FILLED_CANCELED]
    assert desk.position(A) == 1


def test_children_end_with_a_parent_that_is_cancelled_or_rejected() -> None:
    desk = desk_with_long()
    wanted = request(Side.BUY, "2", "65000"), profit("2", 70_000), stop("2", 60_000)
    parent, take, loss = group(desk, Grouping.NORMAL, *wanted)
    desk.sell(C, "1", "65000")
    desk.block(lambda exchange: exchange.cancel(A, parent.oid))
    assert (parent.status, take.status, loss.status) == (Status.CANCELED,) * 3
    parent, take, loss = group(desk, Grouping.NORMAL, replace(wanted[0], sz=Decimal(100_000)), *wanted[1:])
    assert parent.status is Status.PERP_MARGIN_REJECTED
    assert take.status is loss.status is Status.REJECTED
    assert desk.exchange.state.account(A).held_back == {}


def test_a_parent_short_of_margin_after_a_part_leaves_its_children_active() -> None:
    desk = desk_with_long()
    parent, take = group(desk, Grouping.NORMAL, request(Side.BUY, "2", "65000"), profit("2", 70_000))
    desk.sell(C, "1", "65000")
    desk.block(lambda exchange: exchange.deposit(A, Decimal(-9_993_000)))
    desk.sell(C, "1", "65000")
    assert parent.status is Status.MARGIN_CANCELED
    assert statuses(desk, take) == [OPEN]


def test_a_waiting_child_can_be_cancelled_alone() -> None:
    desk = desk_with_long()
    parent, take, loss = group(
        desk, Grouping.NORMAL, request(Side.BUY, "2", "65000"), profit("2", 70_000), stop("2", 60_000)
    )
    desk.block(lambda exchange: exchange.cancel(A, take.oid))
    assert statuses(desk, take) == [Status.CANCELED]
    assert [child["oid"] for child in frontend_order_row(parent)["children"]] == [loss.oid]  # type: ignore[attr-defined]


def test_a_positions_stop_has_no_size_and_closes_whatever_the_position_is_by_then() -> None:
    desk = desk_with_long()
    take, loss = group(desk, Grouping.POSITION, profit("0", 70_000), stop("0", 60_000))
    row = frontend_order_row(loss)
    assert (row["sz"], row["origSz"], row["isPositionTpsl"]) == ("0.0", "0.0", True)
    desk.sell(C, "2", "66100")
    desk.buy(A, "2", "66100")
    desk.buy(B, "5", "59000")
    move(desk, 60_000)
    assert desk.fills(A)[-1].sz == 3
    assert desk.position(A) == 0
    assert statuses(desk, loss) == [OPEN, TRIGGERED, FILLED]
    assert not any(update.sz or update.orig_sz for update in desk.updates(A) if update.oid == loss.oid)
    assert (loss.filled, loss.remaining) == (Decimal(3), Decimal(0))
    assert statuses(desk, take) == [OPEN, Status.SIBLING_FILLED_CANCELED]


def test_of_an_order_without_an_original_size_nobody_can_tell_that_all_its_fills_are_there() -> None:
    desk = desk_with_long()
    group(desk, Grouping.POSITION, stop("0", 60_000))
    desk.buy(B, "5", "59000")
    move(desk, 60_000)
    close = [signal for signal in expect(desk.ledger, {A: 0}).signals if signal["direction"] == "close"]
    assert [(signal["size"], signal["complete"]) for signal in close] == [("1", False)]


def test_protection_goes_when_the_position_does_however_it_was_closed() -> None:
    desk = desk_with_long()
    take, loss = group(desk, Grouping.POSITION, profit("0", 70_000), stop("0", 60_000))
    desk.buy(B, "1", "65900")
    desk.sell(A, "1", "65900")
    assert take.status is loss.status is Status.REDUCE_ONLY_CANCELED


@pytest.mark.parametrize(
    ("grouping", "wanted"),
    [
        (Grouping.NORMAL, (request(Side.BUY, "1", "65000"),)),
        (Grouping.NORMAL, (request(Side.BUY, "1", "65000"), stop("1", 60_000, side=Side.BUY))),
        (Grouping.NORMAL, (request(Side.BUY, "1", "65000"), stop("1", 60_000), stop("1", 59_000))),
        (Grouping.NORMAL, (request(Side.BUY, "1", "65000"), stop("1", 60_000, reduce_only=False))),
        (Grouping.NORMAL, (request(Side.BUY, "1", "65000"), request(Side.SELL, "1", "70000", reduce_only=True))),
        (Grouping.NORMAL, (request(Side.BUY, "1", "65000"), stop("0", 60_000))),
        (Grouping.POSITION, (stop("0", 60_000), replace(profit("0", 70_000), coin="ETH"))),
    ],
)
def test_a_group_that_cannot_be_one_is_refused_whole(grouping: Grouping, wanted: tuple[OrderRequest, ...]) -> None:
    desk = desk_with_long()
    with pytest.raises(RefusedError):
        group(desk, grouping, *wanted)
    assert list(desk.exchange.state.account(A).all_open()) == []


def test_a_modified_profit_keeps_its_sibling() -> None:
    desk = desk_with_long()
    take, loss = group(desk, Grouping.POSITION, profit("0", 70_000), stop("0", 60_000))
    block = desk.block(lambda exchange: exchange.modify(A, take.oid, profit("0", 68_000)))
    assert [(u.status, u.oid == take.oid) for u in block.order_updates] == [(OPEN, False), (Status.CANCELED, True)]
    desk.buy(B, "5", "67900")
    move(desk, 68_000)
    assert loss.status is Status.SIBLING_FILLED_CANCELED


def test_an_order_of_a_group_keeps_its_side() -> None:
    desk = desk_with_long()
    take, _ = group(desk, Grouping.POSITION, profit("0", 70_000), stop("0", 60_000))
    with pytest.raises(RefusedError):
        desk.exchange.modify(A, take.oid, profit("0", 60_000, side=Side.BUY))


def test_an_order_cannot_be_modified_into_a_trigger_order() -> None:
    desk = desk_with_long()
    order = desk.buy(A, "1", "60000")
    with pytest.raises(RefusedError):
        desk.exchange.modify(A, order.oid, stop("1", 60_000))


def test_rows_show_what_a_trigger_order_waits_for() -> None:
    desk = desk_with_long()
    market, limit = desk.send(A, profit("1", 71_000), stop("1", 60_000, limit="59000"))
    row = frontend_order_row(market)
    assert (row["triggerCondition"], row["triggerPx"], row["orderType"]) == (
        "Price above 71000",
        "71000.0",
        "Take Profit Market",
    )
    assert (row["isTrigger"], row["tif"], row["reduceOnly"]) == (True, None, True)
    row = frontend_order_row(limit)
    assert (row["triggerCondition"], row["orderType"], row["limitPx"]) == ("Price below 60000", "Stop Limit", "59000.0")
    plain = frontend_order_row(desk.buy(A, "1", "60000", tif=Tif.ALO))
    assert (plain["triggerCondition"], plain["isTrigger"], plain["triggerPx"], plain["orderType"], plain["tif"]) == (
        "N/A",
        False,
        "0.0",
        "Limit",
        "Alo",
    )
