from decimal import Decimal

import pytest

from hlmonitor.simulator.core.instruments import UnknownCoinError
from hlmonitor.simulator.core.listings import default_universe
from hlmonitor.simulator.core.orders import Side, Status, Tif
from hlmonitor.simulator.core.precision import is_valid_px, is_valid_sz, round_px, round_sz
from hlmonitor.simulator.testing import Desk, request, wallet

A, B, C = wallet(1), wallet(2), wallet(3)


def funded() -> Desk:
    desk = Desk()
    for address in (A, B, C):
        desk.fund(address)
    return desk


def test_better_prices_fill_first_and_at_one_price_the_older_order() -> None:
    desk = funded()
    late = desk.sell(A, "1", "66700")
    first = desk.sell(B, "1", "66650")
    second = desk.sell(A, "1", "66650")
    desk.buy(C, "2.5", "66700")
    assert [fill.oid for fill in desk.fills(C)] == [desk.fills(C)[0].oid] * 3
    assert [(fill.px, fill.sz) for fill in desk.fills(C)] == [
        (Decimal(66650), Decimal(1)),
        (Decimal(66650), Decimal(1)),
        (Decimal(66700), Decimal("0.5")),
    ]
    assert (first.status, second.status, late.status) == (Status.FILLED, Status.FILLED, Status.OPEN)
    assert late.remaining == Decimal("0.5")


def test_a_trade_has_one_tid_and_one_hash_on_both_sides() -> None:
    desk = funded()
    desk.sell(A, "1", "66650")
    desk.buy(B, "1", "66650")
    maker, taker = desk.fills(A)[0], desk.fills(B)[0]
    trade = desk.blocks[-1].trades[0]
    assert maker.tid == taker.tid == trade.tid < 2**50
    assert maker.hash == taker.hash == trade.hash != "0x" + "0" * 64
    assert (trade.buyer, trade.seller, trade.side) == (B, A, Side.BUY)
    assert (maker.crossed, taker.crossed) == (False, True)


def test_orders_of_one_transaction_share_a_hash_and_events_of_a_block_share_a_time() -> None:
    desk = funded()
    desk.sell(A, "2", "66650")
    desk.send(B, request(Side.BUY, "1", "66650"), request(Side.BUY, "1", "66650"))
    assert len({fill.oid for fill in desk.fills(B)}) == 2
    assert len({fill.hash for fill in desk.fills(B)}) == 1
    assert {fill.time for fill in desk.fills(B)} == {desk.blocks[-1].time_ms}


def test_what_a_crossing_limit_order_does_not_fill_rests_as_open() -> None:
    desk = funded()
    desk.sell(A, "1", "66650")
    order = desk.buy(B, "3", "66650")
    assert [(u.status, u.sz, u.orig_sz) for u in desk.updates(B)] == [(Status.OPEN, Decimal(2), Decimal(3))]
    desk.block(lambda exchange: exchange.cancel(B, order.oid))
    assert [(u.status, u.sz) for u in desk.updates(B)][1:] == [(Status.CANCELED, Decimal(2))]


def test_an_ioc_is_filled_or_cancelled_or_rejected() -> None:
    desk = funded()
    assert desk.buy(B, "1", "66650", tif=Tif.IOC).status is Status.IOC_CANCEL_REJECTED
    desk.sell(A, "1", "66650")
    partial = desk.buy(B, "3", "66650", tif=Tif.IOC)
    assert (partial.status, partial.remaining) == (Status.CANCELED, Decimal(2))
    assert desk.buy(B, "1").status is Status.MARKET_NO_LIQUIDITY_REJECTED


def test_a_post_only_order_that_would_take_is_rejected() -> None:
    desk = funded()
    desk.sell(A, "1", "66650")
    assert desk.buy(B, "1", "66650", tif=Tif.ALO).status is Status.BAD_ALO_PX_REJECTED
    assert desk.buy(B, "1", "66649", tif=Tif.ALO).status is Status.OPEN


def test_meeting_an_own_order_cancels_the_resting_one_and_goes_on() -> None:
    desk = funded()
    own = desk.sell(A, "1", "66650")
    desk.sell(B, "1", "66660")
    taker = desk.buy(A, "1", "66660")
    assert own.status is Status.SELF_TRADE_CANCELED
    assert taker.status is Status.FILLED
    assert [fill.px for fill in desk.fills(A)] == [Decimal(66660)]


def test_a_modify_gives_a_new_oid_under_the_same_cloid_and_reports_the_new_one_first() -> None:
    desk = funded()
    order = desk.buy(A, "1", "60000")
    wanted = request(Side.BUY, "2", "60001")
    block = desk.block(lambda exchange: exchange.modify(A, order.oid, wanted))
    assert [(u.status, u.oid == order.oid) for u in block.order_updates] == [
        (Status.OPEN, False),
        (Status.CANCELED, True),
    ]
    assert desk.block(lambda exchange: exchange.modify(A, order.oid, wanted)).order_updates == []


def test_orders_that_break_precision_or_are_too_small_are_rejected() -> None:
    desk = funded()
    assert desk.buy(A, "1", "66650.5").status is Status.TICK_REJECTED
    assert desk.buy(A, "0.000001", "66650").status is Status.TICK_REJECTED
    assert desk.buy(A, "0.0001", "66650").status is Status.MIN_TRADE_NTL_REJECTED


def test_an_order_beyond_the_margin_is_rejected() -> None:
    desk = Desk()
    desk.fund(A, 1000)
    assert desk.buy(A, "1", "66650").status is Status.PERP_MARGIN_REJECTED
    assert desk.buy(A, "0.1", "66650").status is Status.OPEN


def test_a_resting_order_that_lost_its_margin_is_cancelled_when_it_is_met() -> None:
    desk = funded()
    order = desk.sell(A, "100", "66650")
    desk.block(lambda exchange: exchange.deposit(A, Decimal(-999_999)))
    taker = desk.buy(B, "1", "66650")
    assert order.status is Status.MARGIN_CANCELED
    assert taker.status is Status.OPEN


@pytest.mark.parametrize(
    ("coin", "px", "valid"),
    [
        ("BTC", "66650", True),
        ("BTC", "123456", True),
        ("BTC", "6665.1", True),
        ("BTC", "66650.1", False),
        ("BTC", "1.23", False),
        ("DOGE", "0.16234", True),
        ("DOGE", "0.162345", False),
        ("DOGE", "0.00001", True),
        ("kPEPE", "0.0000001", False),
        ("@107", "38.405", True),
        ("@107", "38.4051", False),
        ("BTC", "0", False),
        ("BTC", "-1", False),
    ],
)
def test_price_precision_is_five_figures_and_the_decimals_that_the_size_leaves(coin: str, px: str, valid: bool) -> None:  # noqa: FBT001
    assert is_valid_px(default_universe().get(coin), Decimal(px)) is valid


def test_rounding_gives_valid_values() -> None:
    btc, doge = default_universe().get("BTC"), default_universe().get("DOGE")
    assert round_px(btc, Decimal("66650.51")) == Decimal(66651)
    assert round_px(btc, Decimal("123456.7")) == Decimal(123457)
    assert round_px(doge, Decimal("0.1623456")) == Decimal("0.16235")
    assert round_sz(btc, Decimal("1.234567")) == Decimal("1.23456")
    assert is_valid_sz(btc, Decimal("1.23456"))
    assert not is_valid_sz(btc, Decimal("1.234567"))


def test_an_unknown_coin_is_an_error_that_names_it() -> None:
    with pytest.raises(UnknownCoinError, match="NOPE"):
        default_universe().get("NOPE")
