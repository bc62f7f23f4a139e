from dataclasses import replace
from decimal import Decimal

import pytest

from hlmonitor.simulator.core.events import TwapStatus, TwapTrigger
from hlmonitor.simulator.core.orders import Side
from hlmonitor.simulator.core.twap import Twap, TwapRequest
from hlmonitor.simulator.testing import Desk, wallet
from hlmonitor.simulator.wire.rows import twap_history_row, twap_state_row

A, B = wallet(1), wallet(2)
WANTED = TwapRequest("BTC", Side.BUY, Decimal(3), 300, slice_ms=100)


def liquid(money: int = 10_000_000) -> Desk:
    desk = Desk()
    desk.fund(A, money)
    desk.fund(B, 100_000_000)
    desk.sell(B, "100", "66650")
    return desk


def move(desk: Desk, px: int) -> None:
    desk.block(lambda exchange: exchange.set_oracle("BTC", Decimal(px)))


def history(desk: Desk) -> list[TwapStatus]:
    return [row.status for row in desk.ledger.of(A).twap_rows]


def run(desk: Desk, twap: Twap) -> None:
    for _ in range(40):
        if twap.ended_ms is not None:
            return
        desk.block()


def test_a_twap_with_a_trigger_waits_for_the_mark_price() -> None:
    desk = liquid()
    twap = desk.twap(A, replace(WANTED, trigger=TwapTrigger(Decimal(67_000), above=True)))
    desk.block()
    assert (history(desk), desk.fills(A)) == ([TwapStatus.WAITING], [])
    assert twap.state().executed_sz == 0
    move(desk, 67_000)
    assert history(desk) == [TwapStatus.WAITING, TwapStatus.ACTIVATED]
    assert len(desk.fills(A)) == 1
    run(desk, twap)
    assert history(desk) == [TwapStatus.WAITING, TwapStatus.ACTIVATED, TwapStatus.FINISHED]
    assert twap.executed_sz == 3


def test_a_twap_whose_trigger_is_met_starts_at_once() -> None:
    desk = liquid()
    desk.twap(A, replace(WANTED, trigger=TwapTrigger(Decimal(67_000), above=False)))
    assert history(desk) == [TwapStatus.ACTIVATED]
    assert len(desk.fills(A)) == 1


def test_a_waiting_twap_can_be_terminated() -> None:
    desk = liquid()
    twap = desk.twap(A, replace(WANTED, trigger=TwapTrigger(Decimal(67_000), above=True)))
    desk.block(lambda exchange: exchange.twaps.terminate(twap.twap_id))
    assert history(desk) == [TwapStatus.WAITING, TwapStatus.TERMINATED]
    assert desk.exchange.twaps.of(A) == []


@pytest.mark.parametrize(("side", "stop", "to"), [(Side.BUY, 66_700, 66_701), (Side.SELL, 66_600, 66_599)])
def test_a_twap_stops_when_the_mark_price_is_worse_than_its_stop(side: Side, stop: int, to: int) -> None:
    desk = liquid()
    desk.block(lambda exchange: exchange.cancel_all(B))
    desk.buy(B, "50", "66000")
    desk.sell(B, "50", "67000")
    twap = desk.twap(A, replace(WANTED, side=side, stop_px=Decimal(stop)))
    move(desk, stop)
    assert twap.status is TwapStatus.ACTIVATED
    move(desk, to)
    assert history(desk) == [TwapStatus.ACTIVATED, TwapStatus.STOPPED]
    assert twap.executed_sz == 2


@pytest.mark.parametrize(
    ("money", "wanted", "text"),
    [
        (1_000, WANTED, "Insufficient margin to place order."),
        (1_000, replace(WANTED, coin="@142"), "Insufficient spot balance."),
        (1_000_000, replace(WANTED, reduce_only=True), "Reduce only order would increase position."),
    ],
)
def test_a_twap_whose_slice_is_refused_ends_with_an_error_that_says_why(
    money: int, wanted: TwapRequest, text: str
) -> None:
    desk = liquid(money)
    desk.twap(A, wanted)
    assert history(desk) == [TwapStatus.ACTIVATED, TwapStatus.ERROR]
    row = twap_history_row(desk.ledger.of(A).twap_rows[-1])
    assert row["status"] == {"status": "error", "description": text}


def test_a_twap_in_a_coin_that_is_delisted_ends_with_an_error() -> None:
    desk = liquid()
    twap = desk.twap(A, WANTED)
    desk.block(lambda exchange: exchange.delist("BTC"))
    assert twap.status is TwapStatus.ERROR


def test_randomised_slices_differ_by_at_most_a_fifth_and_add_up() -> None:
    desk = liquid()
    twap = desk.twap(A, TwapRequest("BTC", Side.BUY, Decimal(10), 1_000, randomize=True, slice_ms=100))
    run(desk, twap)
    sizes = [fill.sz for fill in desk.fills(A)]
    assert sum(sizes) == 10
    assert len(set(sizes)) > 5
    assert all(Decimal("0.8") <= sz <= Decimal("1.2") for sz in sizes[:-1])
    again = liquid()
    run(again, again.twap(A, twap.request))
    assert [fill.sz for fill in again.fills(A)] == sizes


def test_rows_show_the_stop_the_trigger_and_the_progress() -> None:
    desk = liquid()
    trigger = TwapTrigger(Decimal(60_000), above=True)
    twap = desk.twap(A, replace(WANTED, stop_px=Decimal(70_000), trigger=trigger))
    row = twap_state_row(twap.progress())
    assert (row["stopPx"], row["trigger"]) == ("70000.0", {"px": "60000.0", "above": True})
    assert (row["executedSz"], twap_state_row(twap.state())["executedSz"]) == ("1.0", "0.0")
    plain = twap_history_row(desk.ledger.of(A).twap_rows[0])
    assert plain["status"] == {"status": "activated"}
