"""Every status of an order (facts 3.1) has a rule that gives it."""

from dataclasses import replace
from decimal import Decimal
from typing import get_args

import pytest
from venue_frames.values import Status as OnTheWire

from hlmonitor.simulator.core.errors import RefusedError
from hlmonitor.simulator.core.orders import Builder, Side, Status, Tif, Tpsl, Trigger
from hlmonitor.simulator.core.state import ExchangeConfig
from hlmonitor.simulator.testing import Desk, request, wallet

A, B, C = wallet(1), wallet(2), wallet(3)
BUILDER = wallet(0xB)
UBTC, USDC = 197, 0


def funded(config: ExchangeConfig | None = None) -> Desk:
    desk = Desk(config)
    for address in (A, B, C):
        desk.fund(address, 100_000_000)
    return desk


def cap(desk: Desk, notional: int | None) -> None:
    desk.block(lambda e: e.set_open_interest_cap("BTC", None if notional is None else Decimal(notional)))


def last(desk: Desk, address: str) -> Status:
    return desk.updates(address)[-1].status


def test_the_statuses_are_those_of_the_venue() -> None:
    heard_of = {"minTradeSpotNtlRejected"}  # one client knows it; the venue documents and sends none
    assert {status.value for status in Status} == {*get_args(OnTheWire)} - heard_of
    live = {status for status in Status if status.is_live}
    assert live == {Status.OPEN, Status.TRIGGERED}
    for status in Status:
        assert status.is_rejection == (status.value.endswith("Rejected") or status is Status.REJECTED)
        assert status.is_cancel == ("ancel" in status.value and not status.is_rejection)


def test_a_price_far_from_the_oracle_is_rejected() -> None:
    desk = funded()
    assert desk.buy(A, "1", "3000").status is Status.ORACLE_REJECTED
    assert desk.sell(A, "1", "130000").status is Status.ORACLE_REJECTED
    assert desk.buy(A, "1", "4000").status is Status.OPEN


def test_from_a_thousand_open_orders_on_protection_is_rejected_and_at_the_limit_everything() -> None:
    desk = funded(ExchangeConfig(open_orders=3, most_open_orders=5, volume_per_open_order=Decimal(100_000)))
    desk.sell(B, "1.6", "66000")
    desk.buy(A, "1.6", "66000")
    for _ in range(3):
        assert desk.buy(A, "0.1", "60000").status is Status.OPEN
    protection = request(Side.SELL, "0.1", "70000", reduce_only=True)
    assert desk.send(A, protection)[0].status is Status.TOO_MANY_OPEN_ORDERS_REJECTED
    stop = replace(request(Side.SELL, "0.1"), trigger=Trigger(Decimal(60_000), Tpsl.STOP_LOSS))
    assert desk.send(A, stop)[0].status is Status.TOO_MANY_OPEN_ORDERS_REJECTED
    assert desk.buy(A, "0.1", "60000").status is Status.OPEN
    assert desk.buy(A, "0.1", "60000").status is Status.TOO_MANY_OPEN_ORDERS_REJECTED


def test_what_would_pass_the_open_interest_cap_is_rejected() -> None:
    desk = funded()
    cap(desk, 100_000)
    assert desk.buy(A, "2", "66000").status is Status.OPEN_INTEREST_INCREASE_REJECTED
    assert desk.buy(A, "1.5", "66000").status is Status.OPEN


def test_at_the_cap_positions_can_only_become_smaller_and_not_at_any_price() -> None:
    desk = funded()
    desk.sell(B, "2", "66650")
    desk.buy(A, "2", "66650")
    resting = desk.sell(C, "0.5", "65500")
    cap(desk, 100_000)
    assert desk.exchange.state.is_at_cap("BTC")
    assert desk.buy(A, "1", "66000").status is Status.POSITION_INCREASE_AT_CAP_REJECTED
    assert desk.buy(B, "3", "66000").status is Status.POSITION_FLIP_AT_CAP_REJECTED
    assert desk.buy(B, "1", "67400").status is Status.TOO_AGGRESSIVE_AT_CAP_REJECTED
    assert desk.buy(B, "1", "67000").status is Status.OPEN
    assert resting.status is Status.OPEN_INTEREST_CAP_CANCELED
    cap(desk, None)
    assert desk.buy(A, "1", "66000").status is Status.OPEN


def test_a_position_may_not_grow_into_a_tier_of_less_leverage() -> None:
    desk = funded()
    desk.block(lambda e: e.set_leverage(A, "DOGE", 10))
    assert desk.buy(A, "20000000", "0.16", coin="DOGE").status is Status.PERP_MAX_POSITION_REJECTED
    desk.block(lambda e: e.set_leverage(A, "DOGE", 5))
    assert desk.buy(A, "20000000", "0.16", coin="DOGE").status is Status.OPEN


def test_a_delisted_coin_loses_its_orders_and_takes_no_more() -> None:
    desk = funded()
    desk.sell(B, "1", "66000")
    desk.buy(A, "1", "66000")
    resting, other = desk.buy(A, "1", "60000"), desk.buy(A, "10", "3000", coin="ETH")
    waiting = desk.send(A, replace(request(Side.SELL, "1"), trigger=Trigger(Decimal(60_000), Tpsl.STOP_LOSS)))[0]
    desk.block(lambda e: e.delist("BTC"))
    assert resting.status is waiting.status is Status.DELISTED_CANCELED
    assert other.status is Status.OPEN
    assert desk.buy(A, "1", "60000").status is Status.REJECTED


@pytest.mark.parametrize(
    "status", [Status.VAULT_WITHDRAWAL_CANCELED, Status.OUTCOME_SETTLED_CANCELED, Status.INTERNAL_CANCEL]
)
def test_the_exchange_can_cancel_in_its_own_name(status: Status) -> None:
    desk = funded()
    mine, other = desk.buy(A, "1", "60000"), desk.buy(B, "1", "60000")
    block = desk.block(lambda e: e.withdraw_orders(status, address=A))
    assert (mine.status, other.status) == (status, Status.OPEN)
    assert block.order_updates[0].tx_hash is None
    desk.block(lambda e: e.withdraw_orders(status, dex=""))
    assert other.status is status


def trade(desk: Desk, sz: str = "10") -> None:
    desk.sell(B, sz, "66000")
    desk.buy(A, sz, "66000")


def test_a_scheduled_cancel_takes_everything_at_its_time() -> None:
    desk = funded()
    trade(desk, "16")
    due = desk.blocks[-1].time_ms + 5_200
    desk.block(lambda e: e.schedule_cancel(A, due))
    resting = desk.buy(A, "1", "60000")
    waiting = desk.send(A, replace(request(Side.SELL, "1"), trigger=Trigger(Decimal(60_000), Tpsl.STOP_LOSS)))[0]
    while desk.blocks[-1].time_ms < due - 100:
        desk.block()
    assert resting.is_open
    assert waiting.is_open
    desk.block()
    assert resting.status is waiting.status is Status.SCHEDULED_CANCEL
    assert (resting.status_ms, desk.exchange.schedule.of(A)) == (due, None)


def test_a_scheduled_cancel_can_be_taken_back() -> None:
    desk = funded()
    trade(desk, "16")
    resting = desk.buy(A, "1", "60000")
    due = desk.blocks[-1].time_ms + 5_200
    desk.block(lambda e: e.schedule_cancel(A, due), lambda e: e.schedule_cancel(A, None))
    while desk.blocks[-1].time_ms < due:
        desk.block()
    assert resting.is_open


def test_a_scheduled_cancel_needs_volume_and_five_seconds_and_fires_ten_times_a_day() -> None:
    desk = funded()

    def schedule(ahead_ms: int = 5_000) -> None:
        desk.exchange.schedule_cancel(A, desk.exchange.state.now_ms + ahead_ms)

    with pytest.raises(RefusedError, match=r"Required: \$1000000\. Traded: \$0"):
        schedule()
    trade(desk, "16")
    with pytest.raises(RefusedError, match="too early"):
        schedule(4_999)
    for _ in range(10):
        desk.buy(A, "1", "60000")
        schedule()
        while desk.exchange.schedule.of(A) is not None:
            desk.block()
        assert last(desk, A) is Status.SCHEDULED_CANCEL
    with pytest.raises(RefusedError, match="10 times"):
        schedule()


def test_a_cancel_and_a_modify_take_a_cloid_as_well() -> None:
    desk = funded()
    cloid = "0x" + "1" * 32
    desk.send(A, replace(request(Side.BUY, "1", "60000"), cloid=cloid))
    new = replace(request(Side.BUY, "2", "60001"), cloid=cloid)
    block = desk.block(lambda e: e.modify(A, cloid, new))
    assert [(u.status, u.cloid, u.orig_sz) for u in block.order_updates] == [
        (Status.OPEN, cloid, Decimal(2)),
        (Status.CANCELED, cloid, Decimal(1)),
    ]
    assert [u.status for u in desk.block(lambda e: e.cancel(A, cloid)).order_updates] == [Status.CANCELED]


def test_a_batch_modify_is_one_transaction_and_passes_over_what_is_gone() -> None:
    desk = funded()
    first, second = desk.buy(A, "1", "60000"), desk.buy(A, "1", "60001")
    desk.block(lambda e: e.cancel(A, first.oid))
    changes = [(first.oid, request(Side.BUY, "1", "59000")), (second.oid, request(Side.BUY, "1", "59001"))]
    block = desk.block(lambda e: e.batch_modify(A, *changes))
    assert len({update.tx_hash for update in block.order_updates}) == 1
    assert [update.status for update in block.order_updates] == [Status.OPEN, Status.CANCELED]


def test_a_resting_reduce_only_order_fills_no_more_than_the_position_and_the_rest_is_cancelled() -> None:
    desk = funded()
    desk.sell(B, "3", "66000")
    desk.buy(A, "3", "66000")
    resting = desk.send(A, request(Side.SELL, "3", "70000", reduce_only=True))[0]
    desk.buy(C, "2", "65000")
    desk.sell(A, "2", "65000")
    assert (resting.status, resting.remaining) == (Status.OPEN, Decimal(3))
    desk.buy(B, "3", "70000")
    assert desk.fills(A)[-1].sz == 1
    assert (resting.status, resting.remaining) == (Status.REDUCE_ONLY_CANCELED, Decimal(2))
    assert desk.position(A) == 0


def approve(desk: Desk, tenths_bp: int) -> None:
    desk.block(lambda e: e.approve_builder(A, BUILDER, tenths_bp))


def test_a_builder_takes_what_was_approved_on_top_of_the_fee() -> None:
    desk = funded()
    approve(desk, 50)
    desk.sell(B, "1", "60000")
    desk.send(A, replace(request(Side.BUY, "1", "60000"), builder=Builder(BUILDER, 50)))
    fill = desk.fills(A)[-1]
    assert (fill.fee, fill.builder_fee) == (Decimal(57), Decimal(30))
    assert desk.fills(B)[-1].builder_fee is None
    assert desk.exchange.state.builder_fees == {(BUILDER, USDC): Decimal(30)}


@pytest.mark.parametrize(("approved", "asked"), [(0, 1), (50, 51), (1_000, 101)])
def test_a_builder_cannot_take_more_than_approved_or_allowed(approved: int, asked: int) -> None:
    desk = funded()
    approve(desk, approved)
    with pytest.raises(RefusedError, match="Builder fee has not been approved"):
        desk.send(A, replace(request(Side.BUY, "1", "60000"), builder=Builder(BUILDER, asked)))
    assert desk.updates(A) == []


def test_of_spot_orders_a_builder_gets_something_of_sells_only() -> None:
    desk = Desk()
    desk.give(A, USDC, 1_000_000)
    desk.give(A, UBTC, 1)
    desk.give(B, USDC, 1_000_000)
    desk.give(B, UBTC, 1)
    approve(desk, 1_000)
    builder = Builder(BUILDER, 1_000)
    desk.sell(B, "0.5", "60000", coin="@142")
    desk.send(A, replace(request(Side.BUY, "0.5", "60000", coin="@142"), builder=builder))
    desk.buy(B, "1", "60000", coin="@142")
    desk.send(A, replace(request(Side.SELL, "1", "60000", coin="@142"), builder=builder))
    bought, sold = desk.fills(A)
    assert bought.builder_fee is None
    assert (sold.builder_fee, sold.fee) == (Decimal(600), Decimal(642))


def test_an_order_that_is_no_market_order_but_takes_at_once_is_a_limit_order() -> None:
    desk = funded()
    assert desk.buy(A, "1", tif=Tif.IOC).tif is Tif.MARKET
    assert desk.buy(A, "1", "66000", tif=Tif.IOC).tif is Tif.IOC
