from decimal import Decimal

import pytest

from hlmonitor.simulator.core.errors import RefusedError
from hlmonitor.simulator.core.orders import ZERO_HASH, Side, Status
from hlmonitor.simulator.core.vaults import Vault
from hlmonitor.simulator.oracle.expected import expect
from hlmonitor.simulator.testing import GENESIS_MS, Desk, wallet
from hlmonitor.simulator.wire.ledger_updates import ledger_update_row
from hlmonitor.simulator.wire.rows import history_row
from hlmonitor.simulator.wire.vaults import leading_vaults, user_vault_equities, vault_details, vault_summaries

LEADER, FOLLOWER, MAKER = wallet(1), wallet(2), wallet(3)
DAY_MS = 86_400_000
D = Decimal


def cash(desk: Desk, address: str) -> object:
    return desk.exchange.state.account(address).on("").raw_usd


def last_delta(desk: Desk, address: str) -> dict[str, object]:
    row = ledger_update_row(desk.ledger.of(address).ledger_updates[-1])["delta"]
    assert isinstance(row, dict)
    return row


def check_money(desk: Desk) -> None:
    state = desk.exchange.state
    total = sum(account.on("").cash for account in state.accounts.values())
    assert total + state.perp_fees[""] == state.perp_deposits[""]


def desk_with_vault(usdc: int = 1_000) -> tuple[Desk, Vault]:
    desk = Desk()
    desk.fund(LEADER, 10_000)
    desk.fund(FOLLOWER, 10_000)
    desk.fund(MAKER, 10_000_000)
    vaults: list[Vault] = []
    desk.block(lambda exchange: vaults.append(exchange.vaults.create(LEADER, "Growth", "Buys low", D(usdc))))
    desk.ledger.name(vaults[0].address)
    return desk, vaults[0]


def wait_a_day(desk: Desk) -> None:
    desk.exchange.begin_block(desk.exchange.state.now_ms + DAY_MS)
    desk.blocks.append(desk.exchange.end_block())


def earn(desk: Desk, vault: Vault, sz: str = "0.1") -> None:
    """Let the vault buy at 66,000 and the price rise to 70,000."""
    desk.sell(MAKER, sz, "66000")
    desk.buy(vault.address, sz, "66000")
    desk.block(lambda exchange: exchange.set_oracle("BTC", D(70_000)))


def test_making_a_vault_costs_a_hundred_beside_the_first_deposit() -> None:
    desk, vault = desk_with_vault()
    assert (cash(desk, LEADER), cash(desk, vault.address)) == (8_900, 1_000)
    assert last_delta(desk, LEADER) == {
        "type": "vaultCreate", "vault": vault.address, "usdc": "1000.0", "fee": "100.0",
    }  # fmt: skip
    with pytest.raises(RefusedError, match="in use"):
        desk.exchange.vaults.create(LEADER, "Growth", "", D(200))
    with pytest.raises(RefusedError, match="100 USDC"):
        desk.exchange.vaults.create(LEADER, "Small", "", D(99))
    check_money(desk)


def test_a_deposit_buys_a_share_at_what_the_vault_is_worth() -> None:
    desk, vault = desk_with_vault()
    earn(desk, vault)
    worth = desk.exchange.vaults.equity(vault)
    desk.block(lambda exchange: exchange.vaults.deposit(vault.address, FOLLOWER, D(1_000)))
    assert abs(desk.exchange.vaults.share_equity(vault, FOLLOWER) - 1_000) < D("0.00001")
    assert abs(desk.exchange.vaults.share_equity(vault, LEADER) - worth) < D("0.00001")
    assert last_delta(desk, FOLLOWER) == {"type": "vaultDeposit", "vault": vault.address, "usdc": "1000.0"}
    check_money(desk)


def test_a_share_is_locked_for_a_day() -> None:
    desk, vault = desk_with_vault()
    desk.block(lambda exchange: exchange.vaults.deposit(vault.address, FOLLOWER, D(500)))
    with pytest.raises(RefusedError, match="lockup"):
        desk.exchange.vault_payouts.withdraw(vault.address, FOLLOWER, D(100))
    wait_a_day(desk)
    desk.block(lambda exchange: exchange.vault_payouts.withdraw(vault.address, FOLLOWER, D(500)))
    assert FOLLOWER not in vault.holders
    assert cash(desk, FOLLOWER) == 10_000
    row = last_delta(desk, FOLLOWER)
    assert (row["requestedUsd"], row["commission"], row["netWithdrawnUsd"]) == ("500.0", "0.0", "500.0")
    check_money(desk)


def test_the_leader_gets_a_tenth_of_a_followers_profit() -> None:
    desk, vault = desk_with_vault()
    desk.block(lambda exchange: exchange.vaults.deposit(vault.address, FOLLOWER, D(1_000)))
    earn(desk, vault)
    wait_a_day(desk)
    before = cash(desk, LEADER)
    worth = desk.exchange.vaults.share_equity(vault, FOLLOWER)
    desk.block(lambda exchange: exchange.vault_payouts.withdraw(vault.address, FOLLOWER, worth / 2))
    row, earned = last_delta(desk, FOLLOWER), last_delta(desk, LEADER)
    commission = (worth / 2 - 500) / 10
    assert row["basis"] == "500.0"
    assert abs(D(str(row["commission"])) - commission) < D("0.00001")
    assert earned == {"type": "vaultLeaderCommission", "user": LEADER, "usdc": row["commission"]}
    assert cash(desk, LEADER) == before + D(str(row["commission"]))  # type: ignore[operator]
    assert row["closingCost"] == "0.0"
    check_money(desk)


def test_what_is_not_free_is_closed_and_the_cost_is_the_withdrawers() -> None:
    desk, vault = desk_with_vault()
    desk.block(lambda exchange: exchange.vaults.deposit(vault.address, FOLLOWER, D(1_000)))
    desk.sell(MAKER, "0.5", "66000")
    desk.buy(vault.address, "0.5", "66000")
    desk.buy(MAKER, "5", "65990")
    resting = desk.buy(vault.address, "0.001", "60000")
    wait_a_day(desk)
    desk.block(lambda exchange: exchange.vault_payouts.withdraw(vault.address, FOLLOWER, D(900)))
    assert resting.status is Status.VAULT_WITHDRAWAL_CANCELED
    row = last_delta(desk, FOLLOWER)
    assert D(str(row["closingCost"])) > 0
    assert D(str(row["netWithdrawnUsd"])) == 900 - D(str(row["closingCost"])) - D(str(row["commission"]))
    close = [o for o in desk.ledger.of(vault.address).orders.values() if o.is_vault_close]
    assert {(o.status, o.side) for o in close} == {(Status.FILLED, Side.SELL)}
    assert history_row(close[0])["order"]["orderType"] == "Vault Close"  # type: ignore[index]
    assert desk.fills(vault.address)[-1].dir == "Close Long"
    assert desk.position(vault.address) < D("0.5")
    check_money(desk)


def test_the_leader_keeps_a_twentieth() -> None:
    desk, vault = desk_with_vault(100)
    with pytest.raises(RefusedError, match="twentieth"):
        desk.exchange.vaults.deposit(vault.address, FOLLOWER, D(2_000))
    desk.block(lambda exchange: exchange.vaults.deposit(vault.address, FOLLOWER, D(1_000)))
    with pytest.raises(RefusedError, match="twentieth"):
        desk.exchange.vault_payouts.withdraw(vault.address, LEADER, D(60))
    with pytest.raises(RefusedError, match="worth 100"):
        desk.exchange.vault_payouts.withdraw(vault.address, LEADER, D(101))
    vault.allows_deposits = False
    with pytest.raises(RefusedError, match="does not allow"):
        desk.exchange.vaults.deposit(vault.address, FOLLOWER, D(10))


def test_a_distribution_pays_everybody_and_leaves_the_shares() -> None:
    desk, vault = desk_with_vault()
    desk.block(lambda exchange: exchange.vaults.deposit(vault.address, FOLLOWER, D(3_000)))
    desk.block(lambda exchange: exchange.vault_payouts.distribute(vault.address, D(400)))
    assert last_delta(desk, FOLLOWER) == {"type": "vaultDistribution", "vault": vault.address, "usdc": "300.0"}
    assert last_delta(desk, LEADER)["usdc"] == "100.0"
    assert desk.exchange.vaults.equity(vault) == 3_600
    with pytest.raises(RefusedError, match="only 3600"):
        desk.exchange.vault_payouts.distribute(vault.address, D(4_000))
    check_money(desk)


def test_closing_a_vault_sells_everything_and_pays_everybody() -> None:
    desk, vault = desk_with_vault()
    desk.block(lambda exchange: exchange.vaults.deposit(vault.address, FOLLOWER, D(1_000)))
    earn(desk, vault)
    with pytest.raises(RefusedError, match="no liquidity"):
        desk.exchange.vault_payouts.close(vault.address)
    desk.buy(MAKER, "5", "69900")
    desk.block(lambda exchange: exchange.vault_payouts.close(vault.address))
    assert vault.is_closed
    assert cash(desk, vault.address) == 0
    assert last_delta(desk, FOLLOWER)["type"] == "vaultDistribution"
    assert vault_summaries(desk.exchange) == []
    with pytest.raises(RefusedError, match="not registered"):
        desk.exchange.vaults.deposit(vault.address, FOLLOWER, D(10))
    check_money(desk)


def test_opposite_positions_of_children_are_netted_at_the_mark_without_pnl() -> None:
    desk, parent = desk_with_vault(2_000)
    children: list[Vault] = []
    for name in ("North", "South", "West"):
        desk.block(
            lambda exchange, name=name: children.append(  # type: ignore[misc]
                exchange.vaults.create(LEADER, name, "", D(1_000), parent=parent.address)
            )
        )
        desk.ledger.name(children[-1].address)
    north, south, west = (child.address for child in children)
    desk.sell(MAKER, "0.3", "66000")
    desk.buy(north, "0.2", "66000")
    desk.buy(west, "0.1", "66000")
    desk.buy(MAKER, "0.25", "65000")
    desk.sell(south, "0.25", "65000")
    since = desk.blocks[-1].time_ms + 1
    before = [desk.exchange.vaults.equity(child) for child in children]
    desk.block(lambda exchange: exchange.vault_netting.net(parent.address))
    assert [desk.position(child.address) for child in children] == [0, 0, D("0.05")]
    assert [desk.exchange.vaults.equity(child) for child in children] == before
    fills = desk.fills(south)[-2:]
    assert {(f.dir, f.side, f.closed_pnl, f.hash, f.fee) for f in fills} == {
        ("Net Child Vaults", Side.BUY, D(0), ZERO_HASH, D(0))
    }
    assert desk.blocks[-1].trades == []
    signals = expect(desk.ledger, {south: since}).signals
    assert [(s["kind"], s["direction"], s["size"]) for s in signals] == [
        ("vault", "close", "0.2"),
        ("vault", "close", "0.05"),
    ]
    with pytest.raises(RefusedError, match="below it"):
        desk.exchange.vault_payouts.close(parent.address)
    check_money(desk)


def test_netting_comes_by_itself_when_an_hour_begins() -> None:
    desk, parent = desk_with_vault(2_000)
    north, south = (
        desk.exchange.vaults.create(LEADER, name, "", D(1_000), parent=parent.address).address for name in "NS"
    )
    desk.sell(north, "0.1", "66000")
    desk.buy(south, "0.1", "66000")
    desk.block()
    assert desk.position(north) == D("-0.1")
    desk.exchange.begin_block(GENESIS_MS + 3_600_000)
    desk.exchange.end_block()
    assert desk.position(north) == desk.position(south) == 0


def test_a_vault_as_info_shows_it() -> None:
    desk, vault = desk_with_vault()
    desk.block(lambda exchange: exchange.vaults.deposit(vault.address, FOLLOWER, D(3_000)))
    details = vault_details(desk.exchange, vault.address, FOLLOWER, [])
    assert details is not None
    assert (details["name"], details["leader"], details["leaderFraction"]) == ("Growth", LEADER, 0.25)
    assert details["relationship"] == {"type": "normal"}
    assert details["followerState"] == {
        "user": FOLLOWER, "vaultEquity": "3000.0", "pnl": "0.0", "allTimePnl": "0.0", "daysFollowing": 0,
        "vaultEntryTime": desk.blocks[-1].time_ms, "lockupUntil": desk.blocks[-1].time_ms + DAY_MS,
    }  # fmt: skip
    assert [row["user"] for row in details["followers"]] == ["Leader", FOLLOWER]  # type: ignore[attr-defined]
    assert user_vault_equities(desk.exchange, FOLLOWER)[0]["equity"] == "3000.0"
    assert leading_vaults(desk.exchange, LEADER) == [{"address": vault.address, "name": "Growth"}]
    assert vault_summaries(desk.exchange)[0]["tvl"] == "4000.0"
    assert vault_details(desk.exchange, wallet(9), None, []) is None
