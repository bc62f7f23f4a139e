from collections.abc import Callable
from decimal import Decimal

import pytest

from hlmonitor.simulator.core.errors import RefusedError
from hlmonitor.simulator.core.exchange import Exchange
from hlmonitor.simulator.core.ledger_updates import Delta
from hlmonitor.simulator.core.listings import USDH
from hlmonitor.simulator.core.orders import ZERO_HASH, Status
from hlmonitor.simulator.core.transfers import SPOT, system_address
from hlmonitor.simulator.testing import Desk, wallet
from hlmonitor.simulator.wire.ledger_updates import ledger_update_row

A, B, NEW = wallet(1), wallet(2), wallet(77)
USDC, HYPE = 0, 150
D = Decimal


def cash(desk: Desk, address: str, dex: str = "") -> object:
    return desk.exchange.state.account(address).on(dex).raw_usd


def tokens(desk: Desk, address: str, token: int) -> object:
    return desk.exchange.state.account(address).balance(token).total


def deltas(desk: Desk, address: str) -> list[dict[str, object]]:
    rows = [ledger_update_row(update)["delta"] for update in desk.ledger.of(address).ledger_updates]
    return [row for row in rows if isinstance(row, dict)]


def check_money(desk: Desk) -> None:
    """Nothing came or went but what the deposits and fees count."""
    state = desk.exchange.state
    for dex, deposited in state.perp_deposits.items():
        total = sum(account.on(dex).cash for account in state.accounts.values())
        assert total + state.perp_fees.get(dex, 0) == deposited
    for token, deposited in state.token_deposits.items():
        owned = sum(account.balance(token).total for account in state.accounts.values())
        assert owned + state.token_fees.get(token, 0) == deposited


def desk_with_two() -> Desk:
    desk = Desk()
    for address in (A, B):
        desk.fund(address, 1_000)
    return desk


def test_money_from_outside_is_a_deposit_on_the_main_dex_and_a_send_to_another() -> None:
    desk = desk_with_two()
    desk.fund(A, 500, dex="flx")
    desk.block(lambda exchange: exchange.deposit(A, D(-100)))
    first, sent, taken = deltas(desk, A)
    assert first == {"type": "deposit", "usdc": "1000.0"}
    assert (sent["type"], sent["token"], sent["destinationDex"], sent["amount"]) == ("send", "USDH", "flx", "500.0")
    assert sent["user"] == system_address(USDH)
    assert (taken["type"], taken["usdc"], taken["fee"]) == ("withdraw", "100.0", "0.0")
    check_money(desk)


def test_a_withdrawal_costs_one_dollar_more_and_leaves_what_positions_need() -> None:
    desk = desk_with_two()
    desk.block(lambda exchange: exchange.transfers.withdraw(A, D(400)))
    assert cash(desk, A) == 599
    row = deltas(desk, A)[-1]
    assert (row["type"], row["usdc"], row["fee"]) == ("withdraw", "400.0", "1.0")
    with pytest.raises(RefusedError, match="cannot spare"):
        desk.exchange.transfers.withdraw(A, D(599))
    check_money(desk)


def test_both_sides_of_a_transfer_have_its_row_and_a_new_wallet_costs_a_dollar() -> None:
    desk = desk_with_two()
    desk.block(lambda exchange: exchange.transfers.send_usd(A, NEW, D(100)))
    assert (cash(desk, A), cash(desk, NEW)) == (899, 100)
    mine, other = (desk.ledger.of(address).ledger_updates[-1] for address in (A, NEW))
    assert mine.delta == other.delta
    assert (mine.hash, mine.hash == ZERO_HASH) == (other.hash, False)
    assert deltas(desk, NEW)[-1] == {
        "type": "internalTransfer", "usdc": "100.0", "user": A, "destination": NEW, "fee": "1.0",
    }  # fmt: skip
    desk.block(lambda exchange: exchange.transfers.send_usd(A, NEW, D(100)))
    assert deltas(desk, NEW)[-1]["fee"] == "0.0"
    check_money(desk)


def test_money_moves_between_spot_and_margin() -> None:
    desk = desk_with_two()
    desk.block(lambda exchange: exchange.transfers.transfer_class(A, D(300), to_perp=False))
    assert (cash(desk, A), tokens(desk, A, USDC)) == (700, 300)
    assert desk.blocks[-1].spot_changed == {A}
    desk.block(lambda exchange: exchange.transfers.transfer_class(A, D(300), to_perp=True))
    assert deltas(desk, A)[-1] == {"type": "accountClassTransfer", "usdc": "300.0", "toPerp": True}
    with pytest.raises(RefusedError):
        desk.exchange.transfers.transfer_class(A, D(1), to_perp=True)
    check_money(desk)


def test_sub_accounts_are_wallets_of_their_own_that_only_their_master_funds() -> None:
    desk = desk_with_two()
    sub = desk.exchange.roles.create_sub_account(A, "scalps").address
    desk.block(lambda exchange: exchange.transfers.transfer_sub_account(A, sub, D(200), to_sub=True))
    assert (cash(desk, A), cash(desk, sub)) == (800, 200)
    assert deltas(desk, sub) == [{"type": "subAccountTransfer", "usdc": "200.0", "user": A, "destination": sub}]
    assert desk.buy(sub, "0.001", "66000").status is Status.OPEN
    desk.block(lambda exchange: exchange.transfers.transfer_sub_account(A, sub, D(50), to_sub=False))
    assert cash(desk, A) == 850
    with pytest.raises(RefusedError, match="Invalid sub-account transfer"):
        desk.exchange.transfers.transfer_sub_account(B, sub, D(1), to_sub=False)
    with pytest.raises(RefusedError, match="already in use"):
        desk.exchange.roles.create_sub_account(A, "scalps")
    with pytest.raises(RefusedError, match="cannot have"):
        desk.exchange.roles.create_sub_account(sub, "below")
    for number in range(9):
        desk.exchange.roles.create_sub_account(A, f"sub-{number}")
    with pytest.raises(RefusedError, match="Too many"):
        desk.exchange.roles.create_sub_account(A, "eleventh")
    assert len(desk.exchange.roles.of(A)) == 10
    check_money(desk)


def test_an_agent_has_no_account_and_a_wallet_cannot_become_one() -> None:
    desk = desk_with_two()
    desk.exchange.roles.approve_agent(A, NEW)
    assert desk.exchange.roles.agents == {NEW: A}
    assert NEW not in desk.exchange.state.accounts
    with pytest.raises(RefusedError):
        desk.exchange.roles.approve_agent(A, B)


def test_a_spot_transfer_takes_its_cost_along_and_its_fee_in_usdc() -> None:
    desk = desk_with_two()
    desk.give(A, HYPE, 10)
    desk.exchange.state.account(A).balance(HYPE).entry_ntl = D(300)
    with pytest.raises(RefusedError, match="token 0"):
        desk.exchange.transfers.send_token(A, NEW, HYPE, D(4))
    desk.give(A, USDC, 5)
    desk.block(lambda exchange: exchange.transfers.send_token(A, NEW, HYPE, D(4)))
    assert (tokens(desk, A, HYPE), tokens(desk, NEW, HYPE), tokens(desk, A, USDC)) == (6, 4, 4)
    assert desk.exchange.state.account(A).balance(HYPE).entry_ntl == 180
    row = deltas(desk, NEW)[-1]
    assert (row["type"], row["token"], row["amount"], row["usdcValue"]) == ("spotTransfer", "HYPE", "4.0", "153.62")
    assert (row["fee"], row["feeToken"], row["nativeTokenFee"]) == ("1.0", "USDC", "0.0")
    check_money(desk)


def test_collateral_is_sent_between_dexes_and_only_where_it_is_one() -> None:
    desk = desk_with_two()
    desk.give(A, USDH, 100)
    desk.block(lambda exchange: exchange.transfers.send_asset(A, A, SPOT, "flx", USDH, D(60)))
    desk.block(lambda exchange: exchange.transfers.send_asset(A, B, "flx", SPOT, USDH, D(10)))
    desk.block(lambda exchange: exchange.transfers.send_asset(A, A, "", "xyz", USDC, D(250)))
    assert (cash(desk, A, "flx"), tokens(desk, B, USDH), cash(desk, A, "xyz")) == (50, 10, 250)
    row = deltas(desk, A)[-1]
    assert (row["type"], row["sourceDex"], row["destinationDex"], row["token"]) == ("send", "", "xyz", "USDC")
    with pytest.raises(RefusedError, match="not the collateral"):
        desk.exchange.transfers.send_asset(A, A, "", "flx", USDC, D(1))
    check_money(desk)


@pytest.mark.parametrize(
    ("act", "row", "left"),
    [
        (
            lambda e: e.transfers.claim_rewards(A, HYPE, D(3)),
            {"type": "rewardsClaim", "amount": "3.0", "token": "HYPE"},
            13,
        ),
        (
            lambda e: e.transfers.pay_deploy_gas(A, HYPE, D(3)),
            {"type": "deployGasAuction", "token": "HYPE", "amount": "3.0"},
            7,
        ),
        (
            lambda e: e.transfers.give_genesis(A, HYPE, D(3)),
            {"type": "spotGenesis", "token": "HYPE", "amount": "3.0"},
            13,
        ),
        (
            lambda e: e.transfers.stake(A, D(3), is_deposit=True),
            {"type": "cStakingTransfer", "token": "HYPE", "amount": "3.0", "isDeposit": True},
            7,
        ),
    ],
)
def test_the_rarer_rows(act: Callable[[Exchange], None], row: dict[str, object], left: int) -> None:
    desk = desk_with_two()
    desk.give(A, HYPE, 10)
    desk.block(act)
    assert deltas(desk, A)[-1] == row
    assert tokens(desk, A, HYPE) == left
    check_money(desk)


def test_staked_tokens_come_back() -> None:
    desk = desk_with_two()
    desk.give(A, HYPE, 10)
    desk.block(lambda exchange: exchange.transfers.stake(A, D(3), is_deposit=True))
    desk.block(lambda exchange: exchange.transfers.stake(A, D(2), is_deposit=False))
    assert tokens(desk, A, HYPE) == 9
    assert desk.exchange.state.account(A).staked == 1
    with pytest.raises(RefusedError, match="staking balance"):
        desk.exchange.transfers.stake(A, D(2), is_deposit=False)


def test_every_type_of_delta_that_the_venue_has_is_known() -> None:
    types = {kind.type for kind in Delta.__args__}
    assert types == {
        "deposit", "withdraw", "internalTransfer", "subAccountTransfer", "accountClassTransfer", "spotTransfer",
        "send", "liquidation", "vaultCreate", "vaultDeposit", "vaultDistribution", "vaultWithdraw",
        "vaultLeaderCommission", "rewardsClaim", "deployGasAuction", "cStakingTransfer", "borrowLend",
        "spotGenesis", "activateDexAbstraction",
    }  # fmt: skip
