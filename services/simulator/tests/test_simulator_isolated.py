from decimal import Decimal

from hlmonitor.simulator.core.accounts import Position
from hlmonitor.simulator.testing import Desk, wallet

A, B = wallet(1), wallet(2)


def desk_with_isolated_long() -> Desk:
    """A holds 1 BTC, isolated at 10x, bought for 66,000."""
    desk = Desk()
    for address in (A, B):
        desk.fund(address)
    desk.exchange.state.account(A).isolated.add("BTC")
    desk.exchange.set_leverage(A, "BTC", 10)
    desk.sell(B, "1", "66000")
    desk.buy(A, "1")
    return desk


def isolated(desk: Desk) -> Position:
    return desk.exchange.state.account(A).on("").positions["BTC"]


def cross_cash(desk: Desk) -> Decimal:
    return desk.exchange.state.account(A).on("").raw_usd


def test_an_isolated_open_moves_its_initial_margin_and_pays_its_fee_from_it() -> None:
    desk = desk_with_isolated_long()
    fee = desk.fills(A)[0].fee
    assert isolated(desk).raw_usd == Decimal(6_600) - 66_000 - fee
    assert cross_cash(desk) == 1_000_000 - 6_600


def test_a_partial_close_gives_back_its_share_of_the_isolated_cash() -> None:
    desk = desk_with_isolated_long()
    before = isolated(desk).raw_usd
    assert before is not None
    desk.buy(B, "0.25", "67000")
    desk.sell(A, "0.25")
    closed = desk.fills(A)[-1]
    assert isolated(desk).raw_usd == before * 3 / 4
    assert cross_cash(desk) == 1_000_000 - 6_600 + before / 4 + closed.px / 4 - closed.fee


def test_a_flip_closes_the_isolated_position_and_stakes_the_new_one() -> None:
    desk = desk_with_isolated_long()
    desk.buy(B, "3", "66000")
    desk.sell(A, "3")
    opened, flip = desk.fills(A)
    assert isolated(desk).szi == -2
    assert isolated(desk).raw_usd == Decimal(13_200) + 132_000 - flip.fee
    assert cross_cash(desk) == 1_000_000 - opened.fee - 13_200
    assert desk.exchange.state.open_interest["BTC"] == 2


def test_holders_and_open_interest_follow_every_fill() -> None:
    desk = desk_with_isolated_long()
    state = desk.exchange.state
    assert list(state.holders["BTC"]) == [A, B]
    assert state.open_interest["BTC"] == 1
    desk.sell(A, "1", "66000")
    desk.buy(B, "1", "66000")
    assert state.holders["BTC"] == {}
    assert state.open_interest["BTC"] == 0
