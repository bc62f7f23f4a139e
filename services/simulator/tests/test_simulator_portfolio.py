from decimal import Decimal
from itertools import pairwise
from typing import Any

from hlmonitor.simulator.core.flows import flow_of
from hlmonitor.simulator.core.ledger_updates import ActivateDexAbstraction, LedgerUpdate
from hlmonitor.simulator.core.orders import Side
from hlmonitor.simulator.testing import GENESIS_MS, Desk, request, wallet
from hlmonitor.simulator.wire.info import Answerer
from hlmonitor.simulator.wire.requests import read_request

A, B = wallet(0xA), wallet(0xB)
HOUR_MS = 3_600_000
PERIODS = ["day", "week", "month", "allTime", "perpDay", "perpWeek", "perpMonth", "perpAllTime"]


def ask(desk: Desk, kind: str) -> Any:  # noqa: ANN401 any JSON
    return Answerer(desk.exchange).answer(read_request(f'{{"type":"{kind}","user":"{A}"}}'.encode()))


def periods(desk: Desk) -> dict[str, Any]:
    return dict(ask(desk, "portfolio"))


def later(desk: Desk, hours: int) -> None:
    desk.exchange.begin_block(desk.exchange.state.now_ms + hours * HOUR_MS)
    desk.exchange.end_block()


def trade(desk: Desk, sz: str, px: str, *, coin: str = "BTC", buyer: str = A, seller: str = B) -> None:
    """Trade at a price that becomes the oracle's too."""
    exchange = desk.exchange
    exchange.begin_block(exchange.state.now_ms + 1)
    exchange.set_oracle(coin, Decimal(px))
    exchange.place(seller, request(Side.SELL, sz, px, coin=coin))
    exchange.place(buyer, request(Side.BUY, sz, px, coin=coin))
    exchange.end_block()


def desk_with_money() -> Desk:
    desk = Desk()
    desk.fund(A)
    desk.fund(B)
    return desk


def test_all_eight_periods_are_there() -> None:
    assert list(periods(desk_with_money())) == PERIODS


def test_profit_is_what_the_position_gained_less_fees() -> None:
    desk = desk_with_money()
    trade(desk, "1", "60000")
    later(desk, 3)
    desk.block(lambda exchange: exchange.set_oracle("BTC", Decimal(61_000)))
    (fill,) = desk.fills(A)
    (paid,) = desk.ledger.of(A).fundings
    day = periods(desk)["day"]
    assert Decimal(day["pnlHistory"][-1][1]) == 1_000 - fill.fee + paid.usdc
    assert day["pnlHistory"][0][1] == "0.0"
    assert Decimal(day["accountValueHistory"][-1][1]) == 1_001_000 - fill.fee + paid.usdc
    assert day["accountValueHistory"][0][1] == "0.0"
    assert day["vlm"] == "60000.0"


def test_the_past_is_priced_at_the_past() -> None:
    desk = desk_with_money()
    trade(desk, "1", "60000")
    later(desk, 2)
    trade(desk, "1", "62000", buyer=B, seller=A)
    later(desk, 2)
    fees = [fill.fee for fill in desk.fills(A)]
    (paid,) = desk.ledger.of(A).fundings
    points = periods(desk)["allTime"]["pnlHistory"]
    assert Decimal(points[-1][1]) == 2_000 - sum(fees) + paid.usdc
    assert all(after[0] > before[0] for before, after in pairwise(points))
    middle = [Decimal(value) for time, value in points if GENESIS_MS + HOUR_MS < time < GENESIS_MS + 2 * HOUR_MS]
    assert all(value == -fees[0] for value in middle)


def test_spot_counts_in_the_whole_but_not_among_perps() -> None:
    desk = desk_with_money()
    desk.give(A, 0, 10_000)
    desk.give(B, 150, 100)
    trade(desk, "100", "40", coin="@107")
    desk.block(lambda exchange: exchange.set_oracle("@107", Decimal(41)))
    past = periods(desk)
    (fill,) = desk.fills(A)
    assert Decimal(past["day"]["pnlHistory"][-1][1]) == 100 - fill.fee * 41
    assert past["perpDay"]["pnlHistory"][-1][1] == "0.0"
    assert (past["day"]["vlm"], past["perpDay"]["vlm"]) == ("4000.0", "0.0")


def test_one_request_is_earned_with_each_unit_traded() -> None:
    desk = desk_with_money()
    trade(desk, "1", "6000.5")
    assert ask(desk, "userRateLimit") == {
        "cumVlm": "6000.5",
        "nRequestsUsed": 1,
        "nRequestsCap": 16_000,
        "nRequestsSurplus": 0,
    }


def test_daily_volumes_tell_maker_from_taker_and_know_the_exchange() -> None:
    desk = desk_with_money()
    trade(desk, "1", "60000")
    later(desk, 24)
    trade(desk, "2", "60000", buyer=B, seller=A)
    rows = ask(desk, "userFees")["dailyUserVlm"]
    assert len(rows) == 15
    assert [(row["userCross"], row["userAdd"], row["exchange"]) for row in rows[-2:]] == [
        ("60000.0", "0.0", "60000.0"),
        ("0.0", "120000.0", "120000.0"),
    ]


def test_money_that_was_brought_is_value_but_no_profit() -> None:
    desk = desk_with_money()
    later(desk, 3)
    desk.fund(A, 500)
    desk.give(A, 150, 10)
    day = periods(desk)["day"]
    assert {value for _, value in day["pnlHistory"]} == {"0.0"}
    hype = 10 * desk.exchange.state.mark("@107")
    assert Decimal(day["accountValueHistory"][-1][1]) == 1_000_500 + hype
    assert Decimal(day["accountValueHistory"][1][1]) == 1_000_000
    assert day["accountValueHistory"][0][1] == "0.0"


def test_money_moved_between_spot_and_perps_changes_perps_alone() -> None:
    desk = desk_with_money()
    later(desk, 3)
    desk.block(lambda exchange: exchange.transfers.transfer_class(A, Decimal(300), to_perp=False))
    past = periods(desk)
    assert Decimal(past["day"]["accountValueHistory"][-1][1]) == 1_000_000
    assert [Decimal(value) for _, value in past["perpDay"]["accountValueHistory"][1:]] == [1_000_000, 999_700]
    assert {value for _, value in past["perpDay"]["pnlHistory"]} == {"0.0"}


def test_collateral_that_follows_an_order_is_neither_gain_nor_gift() -> None:
    desk = desk_with_money()
    hypes = desk.exchange.state.universe.token_by_index[150].name
    worth = 50 * desk.exchange.state.mark("@107")
    for token, perp in (("USDC", Decimal(0)), (hypes, worth)):
        update = LedgerUpdate(A, 1, "0x", ActivateDexAbstraction("xyz", token, Decimal(50)))
        flow = flow_of(update, desk.exchange.state)
        assert [flow.total, flow.perp, flow.spot] == [Decimal(0), perp, -perp]
