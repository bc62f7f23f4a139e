import json
from decimal import Decimal

import pytest

from hlmonitor.simulator.core.accounts import Position
from hlmonitor.simulator.core.errors import RefusedError
from hlmonitor.simulator.core.orders import Status
from hlmonitor.simulator.core.tiers import table_of
from hlmonitor.simulator.testing import Desk, wallet
from hlmonitor.simulator.wire.states import clearinghouse_state

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


def test_the_state_shows_an_isolated_position_beside_the_cross_margin() -> None:
    desk = desk_with_isolated_long()
    desk.exchange.set_oracle("BTC", Decimal(66_000))
    state = clearinghouse_state(desk.exchange, A, "")
    assert state["crossMarginSummary"] == {
        "accountValue": "993400.0", "totalNtlPos": "0.0", "totalRawUsd": "993400.0", "totalMarginUsed": "0.0",
    }  # fmt: skip
    assert state["marginSummary"] == {
        "accountValue": "999970.3", "totalNtlPos": "66000.0", "totalRawUsd": "933970.3", "totalMarginUsed": "6570.3",
    }  # fmt: skip
    assert (state["withdrawable"], state["crossMaintenanceMarginUsed"]) == ("993400.0", "0.0")
    (row,) = json.loads(json.dumps(state))["assetPositions"]
    assert row["position"]["leverage"] == {"type": "isolated", "value": 10, "rawUsd": "-59429.7"}
    assert row["position"]["marginUsed"] == "6570.3"
    assert Decimal(row["position"]["liquidationPx"]) == (Decimal("59429.7") / Decimal("0.9875")).quantize(
        Decimal("1e-10")
    )


def test_the_mode_of_an_open_position_cannot_be_switched() -> None:
    desk = desk_with_isolated_long()
    with pytest.raises(RefusedError, match="Cannot switch leverage type with open position"):
        desk.exchange.set_leverage(A, "BTC", 10, isolated=False)
    with pytest.raises(RefusedError, match="Cross margin is not allowed for this asset"):
        desk.exchange.set_leverage(A, "PURR", 3, isolated=False)
    desk.exchange.set_leverage(A, "ETH", 5, isolated=True)
    assert desk.exchange.state.account(A).isolated == {"BTC", "ETH"}


def test_lower_leverage_takes_what_an_isolated_position_lacks_from_the_cross_cash() -> None:
    desk = desk_with_isolated_long()
    desk.exchange.set_oracle("BTC", Decimal(66_000))
    desk.exchange.set_leverage(A, "BTC", 5)
    assert isolated(desk).raw_usd == Decimal(13_200) - 66_000
    assert cross_cash(desk) == 1_000_000 - 13_200 - Decimal("29.7")
    desk.exchange.set_leverage(A, "BTC", 20)
    assert isolated(desk).raw_usd == Decimal(13_200) - 66_000


def test_leverage_that_the_account_cannot_back_is_refused_and_stays() -> None:
    desk = Desk()
    desk.fund(A, 4_000)
    desk.fund(B)
    desk.exchange.set_leverage(A, "BTC", 40)
    desk.sell(B, "1", "66650")
    desk.buy(A, "1", "66650")
    with pytest.raises(RefusedError, match="Insufficient margin to set this leverage"):
        desk.exchange.set_leverage(A, "BTC", 10)
    assert desk.exchange.state.account(A).leverage["BTC"] == 40


def test_isolated_margin_is_added_from_cross_and_taken_back_down_to_what_must_stay() -> None:
    desk = desk_with_isolated_long()
    desk.exchange.set_oracle("BTC", Decimal(66_000))
    before = isolated(desk).raw_usd
    assert before is not None
    desk.exchange.add_isolated_margin(A, "BTC", Decimal(1_000))
    assert isolated(desk).raw_usd == before + 1_000
    with pytest.raises(RefusedError, match="Insufficient margin for this transfer"):
        desk.exchange.add_isolated_margin(A, "BTC", Decimal(-1_000))
    desk.exchange.add_isolated_margin(A, "BTC", Decimal(-900))
    assert cross_cash(desk) == 1_000_000 - 6_600 - 100
    with pytest.raises(RefusedError, match="Must have isolated position"):
        desk.exchange.add_isolated_margin(B, "BTC", Decimal(1))


def test_a_coin_that_is_isolated_only_needs_no_setting() -> None:
    desk = Desk()
    for address in (A, B):
        desk.fund(address)
    desk.sell(B, "1000", "0.18622", coin="PURR")
    order = desk.buy(A, "1000", "0.18622", coin="PURR")
    assert order.status is Status.FILLED
    assert desk.exchange.state.account(A).on("").positions["PURR"].raw_usd is not None


def test_a_large_position_may_have_less_leverage_and_must_keep_more() -> None:
    table = table_of(Desk().exchange.state.universe.get("DOGE"))
    assert (table.max_leverage(Decimal(2_999_999)), table.max_leverage(Decimal(3_000_000))) == (10, 5)
    assert table.maintenance(Decimal(1_000_000)) == 50_000
    assert table.maintenance(Decimal(3_000_000)) == 150_000
    assert table.maintenance(Decimal(4_000_000)) == 250_000
