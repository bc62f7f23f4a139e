"""The invariants, over random wallets. The long run belongs to `make test-simulator`."""

from collections.abc import Callable
from decimal import Decimal
from random import Random

import pytest
from storm import Storm

from hlmonitor.simulator.core.accounts import Position
from hlmonitor.simulator.core.exchange import Exchange
from hlmonitor.simulator.core.invariants import BrokenInvariantError, Invariants
from hlmonitor.simulator.core.market import Market, MarketConfig
from hlmonitor.simulator.core.orders import Side
from hlmonitor.simulator.testing import Desk, wallet

A, B = wallet(1), wallet(2)
EVERYTHING = {
    *("Open Long", "Close Short", "Long > Short", "Short > Long", "Buy", "Sell"),
    *("Liquidated Cross Long", "Liquidated Isolated Short", "Auto-Deleveraging"),
    *("market", "backstop", "adl", "funding", "triggered", "refused"),
    *("marginCanceled", "selfTradeCanceled", "reduceOnlyCanceled", "liquidatedCanceled", "perpMarginRejected"),
}


def test_a_storm_of_ten_thousand_orders_does_everything_and_breaks_nothing() -> None:
    storm = Storm(seed=1)
    storm.run(10_000)
    assert storm.seen >= EVERYTHING


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(50))
def test_the_invariants_hold_for_fifty_seeds_of_ten_thousand_orders(seed: int) -> None:
    Storm(seed).run(10_000)


def test_the_same_seed_makes_the_same_storm() -> None:
    first, second = Storm(seed=5), Storm(seed=5)
    for storm in (first, second):
        storm.run(1_000)
    fills = [list(storm.ledger.of(A).fills) for storm in (first, second)]
    assert fills[0] == fills[1] != []


def checked_desk() -> tuple[Desk, Invariants]:
    """Return A long 1 BTC of B, quotes of B on both sides, and a checker that has seen it all."""
    desk = Desk(checked=False)
    for address in (A, B):
        desk.fund(address)
    desk.sell(B, "1", "66650")
    desk.buy(A, "1", "66650")
    desk.buy(B, "1", "66000")
    desk.sell(B, "1", "67000")
    return desk, Invariants(desk.exchange)


def move_cash_from_nowhere(exchange: Exchange) -> None:
    exchange.state.account(A).on("").raw_usd += 1


def move_a_token_from_nowhere(exchange: Exchange) -> None:
    exchange.state.account(A).balance(0).total += 1


def change_a_position(exchange: Exchange) -> None:
    exchange.state.account(A).on("").positions["BTC"].szi += 1


def keep_an_empty_position(exchange: Exchange) -> None:
    exchange.state.account(A).on("").positions["ETH"] = Position()


def cross_the_book(exchange: Exchange) -> None:
    bid = exchange.state.books["BTC"].best(Side.BUY)
    assert bid is not None
    exchange.state.books["BTC"].remove(bid)
    bid.limit_px = Decimal(68_000)
    exchange.state.books["BTC"].add(bid)


def forget_a_resting_order(exchange: Exchange) -> None:
    exchange.state.account(B).open_orders.popitem()


def miscount_open_interest(exchange: Exchange) -> None:
    exchange.state.open_interest["BTC"] += 1


def forget_a_holder(exchange: Exchange) -> None:
    del exchange.state.holders["BTC"][A]


def overlook_a_fallen_account(exchange: Exchange) -> None:
    exchange.deposit(A, Decimal(-1_000_000))
    exchange.state.unsettled.clear()
    exchange.state.repriced.clear()


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (move_cash_from_nowhere, "token 0: wallets own"),
        (move_a_token_from_nowhere, "token 0: wallets own"),
        (change_a_position, "BTC: positions add up to 1"),
        (keep_an_empty_position, "an empty position is kept"),
        (cross_the_book, "BTC: the book is crossed, 68000 is bid and 67000 asked"),
        (forget_a_resting_order, "orders in books and of wallets differ"),
        (miscount_open_interest, "open interest is 2, longs hold 1"),
        (forget_a_holder, "the index of holders differs"),
        (overlook_a_fallen_account, "is under maintenance, and nobody looks"),
    ],
)
def test_damage_is_found_when_everything_is_counted(damage: Callable[[Exchange], None], text: str) -> None:
    desk, invariants = checked_desk()
    invariants.check_all()
    damage(desk.exchange)
    with pytest.raises(BrokenInvariantError, match=text):
        invariants.check_all()


def test_damage_to_what_a_block_touches_is_found_in_that_block() -> None:
    desk, invariants = checked_desk()
    move_cash_from_nowhere(desk.exchange)
    desk.buy(A, "0.5")
    with pytest.raises(BrokenInvariantError, match="token 0: wallets own"):
        invariants.check(desk.blocks[-1])


def test_a_fill_that_does_not_start_where_the_last_one_ended_is_found() -> None:
    desk, invariants = checked_desk()
    change_a_position(desk.exchange)
    desk.buy(A, "0.5")
    with pytest.raises(BrokenInvariantError, match="a fill starts at 2, the last ended at 1"):
        invariants.check(desk.blocks[-1])


def test_prices_finer_than_allowed_are_found() -> None:
    desk, invariants = checked_desk()
    ask = desk.exchange.state.books["BTC"].best(Side.SELL)
    assert ask is not None
    desk.exchange.state.books["BTC"].remove(ask)
    ask.limit_px = Decimal("66999.55")
    desk.exchange.state.books["BTC"].add(ask)
    desk.buy(A, "0.5")
    with pytest.raises(BrokenInvariantError, match=r"a fill of 0\.5 at 66999\.55 is finer than allowed"):
        invariants.check(desk.blocks[-1])


def test_a_market_ends_with_the_block_that_breaks_a_rule() -> None:
    market = Market(MarketConfig(agents=False), Random, 1_700_000_000_000)
    market.step(1_700_000_000_100, [lambda exchange: exchange.deposit(A, Decimal(1_000))])
    with pytest.raises(BrokenInvariantError, match="token 0: wallets own"):
        market.step(1_700_000_000_200, [move_cash_from_nowhere, lambda exchange: exchange.deposit(A, Decimal(1))])
