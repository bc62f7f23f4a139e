from decimal import Decimal
from typing import Any

import pytest

from hlmonitor.simulator.core.accounts import Abstraction
from hlmonitor.simulator.core.errors import RefusedError
from hlmonitor.simulator.core.invariants import Invariants
from hlmonitor.simulator.core.lending import LendingOperation
from hlmonitor.simulator.core.listings import USDH
from hlmonitor.simulator.core.orders import Status
from hlmonitor.simulator.testing import Desk, wallet
from hlmonitor.simulator.wire.ledger_updates import ledger_update_row
from hlmonitor.simulator.wire.rows import amount
from hlmonitor.simulator.wire.spot_states import spot_state
from hlmonitor.simulator.wire.states import clearinghouse_state

A, B, C = wallet(1), wallet(2), wallet(3)
USDC, HYPE = 0, 150
YEAR_MS = 365 * 86_400_000
D = Decimal


def spot(desk: Desk, address: str, token: int = USDC) -> Decimal:
    return desk.exchange.state.account(address).balance(token).total


def perp(desk: Desk, address: str, dex: str = "") -> Decimal:
    return desk.exchange.margin.value(desk.exchange.state.account(address), dex)


def unified() -> Desk:
    desk = Desk()
    desk.fund(A, 10_000)
    desk.fund(B)
    desk.block(lambda exchange: exchange.unifier.set(A, Abstraction.UNIFIED))
    return desk


def test_a_unified_account_keeps_its_collateral_in_spot_and_the_perp_value_understates_it() -> None:
    desk = unified()
    assert (perp(desk, A), spot(desk, A)) == (D(0), D(10_000))
    desk.sell(B, "1", "66000")
    assert desk.buy(A, "1", "66000").status is Status.FILLED
    shown = clearinghouse_state(desk.exchange, A, "")["marginSummary"]
    assert isinstance(shown, dict)
    assert shown["accountValue"] == shown["totalMarginUsed"] == "3332.5"
    assert spot(desk, A) == 10_000 + 650 - D("29.7") - D("3332.5")
    Invariants(desk.exchange).check_all()


def shown(desk: Desk, address: str) -> Any:  # noqa: ANN401 any JSON
    return spot_state(desk.exchange, address)


def test_what_backs_perps_is_a_held_part_of_a_unified_accounts_spot_balance() -> None:
    desk = unified()
    desk.sell(B, "1", "66000")
    desk.buy(A, "1", "66000")
    desk.buy(A, "1", "0.1", coin="PURR/USDC")
    desk.give(A, HYPE, 2)
    desk.sell(B, "1", "66000")
    desk.block(lambda exchange: exchange.set_leverage(A, "SOL", 5, isolated=True))
    usdc, hype = shown(desk, A)["balances"]
    worth = 10_000 + 650 - D("29.7")
    assert D(usdc["total"]) == worth == spot(desk, A) + perp(desk, A)
    assert D(usdc["hold"]) == perp(desk, A)
    assert hype == {"coin": "HYPE", "token": HYPE, "total": "2.0", "hold": "0.0", "entryNtl": "0.0"}
    state = clearinghouse_state(desk.exchange, A, "")
    assert shown(desk, A)["tokenToAvailableAfterMaintenance"] == [
        (USDC, amount(worth - D(str(state["crossMaintenanceMarginUsed"]))))
    ]
    assert "tokenToAvailableAfterMaintenance" not in shown(desk, B)


def test_the_liquidation_price_of_a_unified_account_counts_on_its_spot_balance() -> None:
    desk = unified()
    desk.sell(B, "1", "66000")
    desk.buy(A, "1", "66000")
    state: Any = clearinghouse_state(desk.exchange, A, "")
    (row,) = state["assetPositions"]
    px = D(row["position"]["liquidationPx"])
    desk.buy(B, "5", "56300")
    desk.block(lambda exchange: exchange.set_oracle("BTC", px + 10))
    assert desk.position(A) == 1
    desk.block(lambda exchange: exchange.set_oracle("BTC", px - 10))
    assert desk.fills(A)[-1].dir == "Liquidated Cross Long"


def test_portfolio_margin_shows_what_is_lent_and_how_near_the_end_is() -> None:
    desk = unified()
    desk.give(A, HYPE, 100)
    desk.block(lambda exchange: exchange.unifier.set(A, Abstraction.PORTFOLIO))
    desk.block(lambda exchange: exchange.lending.act(A, HYPE, LendingOperation.SUPPLY, D(60)))
    desk.sell(B, "1", "66000")
    desk.buy(A, "1", "66000")
    state = shown(desk, A)
    assert state["portfolioMarginEnabled"] is True
    kept = D(str(clearinghouse_state(desk.exchange, A, "")["crossMaintenanceMarginUsed"]))
    worth = D(state["balances"][0]["total"]) + 100 * desk.exchange.state.token_px(HYPE)
    assert D(state["portfolioMarginRatio"]) == (kept / worth).quantize(D("1e-9"))
    hype = state["balances"][1]
    assert (hype["total"], hype["supplied"], hype["ltv"]) == ("100.0", "60.0", "0.5")
    ignoring: Any = spot_state(desk.exchange, A, ignores_portfolio_margin=True)
    assert ignoring.keys() == {"balances", "evmEscrows", "tokenToAvailableAfterMaintenance"}
    assert "ltv" not in ignoring["balances"][1]


def test_looking_at_a_reserve_does_not_compound_its_interest() -> None:
    owed = []
    for looks in (0, 50):
        desk = unified()
        desk.give(B, HYPE, 1_000)
        desk.block(lambda exchange: exchange.unifier.set(B, Abstraction.PORTFOLIO))
        desk.block(lambda exchange: exchange.lending.act(A, USDC, LendingOperation.SUPPLY, D(5_000)))
        desk.block(lambda exchange: exchange.lending.act(B, HYPE, LendingOperation.SUPPLY, D(1_000)))
        desk.block(lambda exchange: exchange.lending.act(B, USDC, LendingOperation.BORROW, D(1_000)))
        for day in range(50):
            desk.exchange.begin_block(desk.exchange.state.now_ms + YEAR_MS // 50)
            desk.exchange.end_block()
            if day < looks:
                assert D(shown(desk, B)["balances"][-1]["borrowed"]) > 0
        owed.append(desk.exchange.lending.borrowed(B, USDC))
    assert owed[0] == owed[1]


def test_gains_and_losses_go_through_the_spot_balance() -> None:
    desk = unified()
    desk.sell(B, "1", "66000")
    desk.buy(A, "1", "66000")
    desk.buy(B, "1", "67000")
    desk.sell(A, "1", "67000")
    assert perp(desk, A) == 0
    fees = sum(fill.fee for fill in desk.fills(A))
    assert spot(desk, A) == 11_000 - fees
    assert A in desk.blocks[-1].spot_changed


def test_only_an_account_with_nothing_left_in_spot_is_liquidated() -> None:
    desk = unified()
    desk.sell(B, "1", "66000")
    desk.buy(A, "1", "66000")
    desk.buy(B, "5", "50000")
    desk.block(lambda exchange: exchange.set_oracle("BTC", D(60_000)))
    assert desk.position(A) == 1
    desk.block(lambda exchange: exchange.set_oracle("BTC", D(56_500)))
    assert desk.fills(A)[-1].dir == "Liquidated Cross Long"
    Invariants(desk.exchange).check_all()


def test_the_abstraction_changes_only_without_positions_and_orders_and_takes_class_transfers_away() -> None:
    desk = unified()
    with pytest.raises(RefusedError, match="unified account"):
        desk.exchange.transfers.transfer_class(A, D(1), to_perp=True)
    desk.buy(A, "0.01", "60000")
    with pytest.raises(RefusedError, match="open orders"):
        desk.exchange.unifier.set(A, Abstraction.DISABLED)
    desk.block(lambda exchange: exchange.cancel_all(A))
    desk.block(lambda exchange: exchange.unifier.set(A, Abstraction.DISABLED))
    desk.block(lambda exchange: exchange.transfers.transfer_class(A, D(100), to_perp=True))
    assert (perp(desk, A), spot(desk, A)) == (D(100), D(9_900))


def test_an_order_on_another_dex_brings_its_collateral_along() -> None:
    desk = Desk()
    desk.fund(A, 10_000)
    desk.give(A, USDH, 500)
    desk.exchange.state.account(A).abstracts_dexes = True
    assert desk.buy(A, "10", "71", coin="xyz:CL").status is Status.OPEN
    assert (perp(desk, A, "xyz"), perp(desk, A)) == (D("35.5"), D("9964.5"))
    row = ledger_update_row(desk.ledger.of(A).ledger_updates[-1])["delta"]
    assert row == {"type": "activateDexAbstraction", "dex": "xyz", "token": "USDC", "amount": "35.5"}
    assert desk.buy(A, "1", "412", coin="flx:TSLA").status is Status.OPEN
    assert (perp(desk, A, "flx"), spot(desk, A, USDH)) == (D("41.2"), D("458.8"))
    assert desk.buy(A, "500", "412", coin="flx:TSLA").status is Status.PERP_MARGIN_REJECTED
    Invariants(desk.exchange).check_all()


def lent() -> Desk:
    desk = Desk()
    desk.give(A, USDC, 10_000)
    desk.give(B, HYPE, 100)
    desk.give(B, USDC, 100)
    desk.block(lambda exchange: exchange.unifier.set(B, Abstraction.PORTFOLIO))
    desk.block(lambda exchange: exchange.lending.act(A, USDC, LendingOperation.SUPPLY, D(5_000)))
    desk.block(lambda exchange: exchange.lending.act(B, HYPE, LendingOperation.SUPPLY, D(100)))
    desk.block(lambda exchange: exchange.lending.act(B, USDC, LendingOperation.BORROW, D(1_000)))
    return desk


def test_what_borrowers_pay_lenders_earn() -> None:
    desk = lent()
    assert (spot(desk, A), spot(desk, B)) == (D(5_000), D(1_100))
    desk.exchange.begin_block(desk.exchange.state.now_ms + YEAR_MS)
    desk.blocks.append(desk.exchange.end_block())
    owed = desk.exchange.lending.borrowed(B, USDC)
    assert abs(owed - 1_050) < D("0.01")
    assert abs(desk.exchange.lending.supplied(A, USDC) - 5_050) < D("0.01")
    desk.block(lambda exchange: exchange.lending.act(B, USDC, LendingOperation.REPAY, owed))
    row = ledger_update_row(desk.ledger.of(B).ledger_updates[-1])["delta"]
    assert isinstance(row, dict)
    assert (row["type"], row["operation"], row["token"]) == ("borrowLend", "repay", "USDC")
    assert abs(D(str(row["interestAmount"])) - 50) < D("0.01")
    worth = desk.exchange.lending.supplied(A, USDC)
    desk.block(lambda exchange: exchange.lending.act(A, USDC, LendingOperation.WITHDRAW, worth))
    assert abs(spot(desk, A) - 10_050) < D("0.01")
    assert 0 <= desk.exchange.lending.reserve(USDC).cash < D("0.00001")


@pytest.mark.parametrize(
    ("address", "token", "operation", "amount", "why"),
    [
        (A, USDC, LendingOperation.BORROW, 10, "portfolio margin"),
        (B, USDC, LendingOperation.BORROW, 4_500, "only 4000"),
        (B, USDC, LendingOperation.BORROW, 1_000, "Not enough supplied"),
        (B, HYPE, LendingOperation.WITHDRAW, 60, "stands for a debt"),
        (A, USDC, LendingOperation.WITHDRAW, 4_500, "is there"),
        (B, USDC, LendingOperation.REPAY, 2_000, "is owed"),
        (A, USDC, LendingOperation.SUPPLY, 6_000, "cannot spare"),
        (A, 5, LendingOperation.SUPPLY, 1, "no reserve"),
    ],
)
def test_what_a_reserve_refuses(address: str, token: int, operation: LendingOperation, amount: int, why: str) -> None:
    desk = lent()
    with pytest.raises(RefusedError, match=why):
        desk.exchange.lending.act(address, token, operation, D(amount))


def test_a_portfolio_margin_account_is_unified_too() -> None:
    desk = lent()
    desk.fund(C)
    desk.sell(C, "0.1", "66000")
    assert desk.buy(B, "0.1", "66000").status is Status.FILLED
    assert desk.exchange.state.account(B).is_unified
