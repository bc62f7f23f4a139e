from decimal import Decimal
from typing import Any

import msgspec
from venue_replies import REPLIES

from hlmonitor.simulator.core.ledger_updates import CStakingTransfer, Deposit, LedgerUpdate
from hlmonitor.simulator.core.orders import Builder, OrderRequest, Side
from hlmonitor.simulator.testing import Desk, wallet
from hlmonitor.simulator.wire.info import Answerer
from hlmonitor.simulator.wire.info.ledger import PAGE
from hlmonitor.simulator.wire.requests import read_request

A, B, AGENT = wallet(0xA), wallet(0xB), wallet(0xA9)
HYPE = 150
DELTA_ROWS = [["deposit", "usdc"], ["subAccountTransfer", "usdc", "user", "destination"]]


def ask(desk: Desk, kind: str, user: str = A, **fields: object) -> Any:  # noqa: ANN401 any JSON
    body = msgspec.json.encode({"type": kind, "user": user, **fields})
    return Answerer(desk.exchange).answer(read_request(body))


def desk_with_family() -> tuple[Desk, str]:
    desk = Desk()
    desk.fund(A)
    desk.block(lambda exchange: exchange.roles.create_sub_account(A, "scalps"))
    desk.block(lambda exchange: exchange.roles.approve_agent(A, AGENT))
    (sub,) = desk.exchange.roles.of(A)
    return desk, sub.address


def test_an_address_is_a_user_a_sub_account_an_agent_or_missing() -> None:
    desk, sub = desk_with_family()
    assert ask(desk, "userRole") == {"role": "user"}
    assert ask(desk, "userRole", sub) == {"role": "subAccount", "data": {"master": A}}
    assert ask(desk, "userRole", AGENT) == {"role": "agent", "data": {"user": A}}
    assert ask(desk, "userRole", wallet(0xDEAD)) == {"role": "missing"}


def test_sub_accounts_come_with_their_states_and_are_null_without_any() -> None:
    desk, sub = desk_with_family()
    desk.block(lambda exchange: exchange.transfers.transfer_sub_account(A, sub, Decimal(100), to_sub=True))
    (row,) = ask(desk, "subAccounts")
    assert (row["name"], row["subAccountUser"], row["master"]) == ("scalps", sub, A)
    assert row["clearinghouseState"]["marginSummary"]["accountValue"] == "100.0"
    assert row["spotState"]["balances"] == []
    (second,) = ask(desk, "subAccounts2")
    assert second["dexToClearinghouseState"][0] == ("", row["clearinghouseState"])
    assert ask(desk, "subAccounts", B) is None
    assert ask(desk, "subAccounts2", B) is None


def test_agents_are_listed_and_an_agent_itself_owns_nothing() -> None:
    desk, _ = desk_with_family()
    assert [row["address"] for row in ask(desk, "extraAgents")] == [AGENT]
    assert ask(desk, "userFills", AGENT) == []
    assert ask(desk, "clearinghouseState", AGENT)["marginSummary"]["accountValue"] == "0.0"


def test_ledger_updates_are_oldest_first_within_both_bounds() -> None:
    desk, sub = desk_with_family()
    desk.block(lambda exchange: exchange.transfers.transfer_sub_account(A, sub, Decimal(100), to_sub=True))
    rows = ask(desk, "userNonFundingLedgerUpdates", startTime=0, endTime=None)
    assert [[row["delta"]["type"], *list(row["delta"])[1:]] for row in rows] == DELTA_ROWS
    first, second = (row["time"] for row in rows)
    assert ask(desk, "userNonFundingLedgerUpdates", startTime=first + 1) == rows[1:]
    assert ask(desk, "userNonFundingLedgerUpdates", startTime=first, endTime=second - 1) == rows[:1]


def test_a_page_of_ledger_updates_has_five_hundred_rows() -> None:
    desk = Desk()
    for time in range(PAGE + 1):
        desk.ledger.record_update(LedgerUpdate(A, time, "0x", Deposit(Decimal(1))))
    rows = ask(desk, "userNonFundingLedgerUpdates", startTime=0)
    assert [row["time"] for row in rows] == list(range(PAGE))


def test_staked_tokens_are_undelegated_and_their_way_is_told() -> None:
    desk = Desk()
    desk.give(A, HYPE, 10)
    desk.block(lambda exchange: exchange.transfers.stake(A, Decimal(4), is_deposit=True))
    desk.block(lambda exchange: exchange.transfers.stake(A, Decimal(1), is_deposit=False))
    assert ask(desk, "delegatorSummary")["undelegated"] == "3.0"
    deltas = [row["delta"] for row in ask(desk, "delegatorHistory")]
    assert deltas == [{"withdrawal": {"amount": "1.0", "phase": "finalized"}}, {"cDeposit": {"amount": "4.0"}}]
    assert isinstance(desk.ledger.of(A).ledger_updates[-1].delta, CStakingTransfer)


def test_room_to_trade_is_the_free_margin_and_against_a_position_twice_its_margin_more() -> None:
    desk = Desk()
    desk.fund(A, 10_000)
    desk.fund(B)
    data = ask(desk, "activeAssetData", coin="BTC")
    assert data["leverage"] == {"type": "cross", "value": 20}
    assert data["availableToTrade"] == ["10000.0", "10000.0"]
    mark = Decimal(data["markPx"])
    assert Decimal(data["maxTradeSzs"][0]) == (10_000 * 20 / mark).quantize(Decimal("0.00001"), "ROUND_DOWN")
    desk.sell(B, "1", str(mark))
    desk.buy(A, "1", str(mark))
    buy, sell = (Decimal(room) for room in ask(desk, "activeAssetData", coin="BTC")["availableToTrade"])
    assert sell - buy == 2 * mark / 20


def test_states_of_a_batch_are_in_the_order_of_the_addresses() -> None:
    desk = Desk()
    desk.fund(A, 1)
    desk.fund(B, 2)
    rows = ask(desk, "batchClearinghouseStates", users=[B, A, wallet(0xC)])
    assert [row["marginSummary"]["accountValue"] for row in rows] == ["2.0", "1.0", "0.0"]


def test_the_old_web_page_still_gets_everything() -> None:
    desk = Desk()
    desk.fund(A, 10_000)
    desk.buy(A, "0.01", "60000")
    desk.buy(A, "1", "70", coin="xyz:CL")
    data = ask(desk, "webData2")
    assert [order["coin"] for order in data["openOrders"]] == ["BTC"]
    assert len(data["meta"]["universe"]) == len(data["assetCtxs"])
    assert (data["cumLedger"], data["user"], data["isVault"]) == ("10000.0", A, False)


def desk_with_vault() -> tuple[Desk, str]:
    desk = Desk()
    desk.fund(A, 10_000)
    desk.fund(B, 10_000)
    desk.block(lambda exchange: exchange.vaults.create(A, "Momentum", "buys what rises", Decimal(1_000)))
    (vault,) = desk.exchange.vaults.led_by(A)
    desk.block(lambda exchange: exchange.vaults.deposit(vault.address, B, Decimal(3_000)))
    return desk, vault.address


def test_a_vault_is_told_with_its_followers_and_what_the_asker_holds() -> None:
    desk, vault = desk_with_vault()
    details = ask(desk, "vaultDetails", B, vaultAddress=vault)
    msgspec.json.decode(msgspec.json.encode(details), type=REPLIES["vaultDetails"])
    assert (details["name"], details["leader"], details["leaderFraction"]) == ("Momentum", A, 0.25)
    assert [(row["user"], row["vaultEquity"]) for row in details["followers"]] == [("Leader", "1000.0"), (B, "3000.0")]
    assert details["followerState"] == details["followers"][1]
    assert ask(desk, "vaultDetails", wallet(0xC), vaultAddress=vault)["followerState"] is None
    assert ask(desk, "vaultDetails", vaultAddress=B) is None


def test_vaults_are_listed_led_and_held() -> None:
    desk, vault = desk_with_vault()
    assert ask(desk, "userRole", vault) == {"role": "vault"}
    (summary,) = ask(desk, "vaultSummaries")
    assert (summary["vaultAddress"], summary["tvl"]) == (vault, "4000.0")
    assert ask(desk, "leadingVaults") == [{"address": vault, "name": "Momentum"}]
    assert [row["equity"] for row in ask(desk, "userVaultEquities", B)] == ["3000.0"]
    assert ask(desk, "webData2", B)["totalVaultEquity"] == "3000.0"
    assert ask(desk, "webData2", vault)["isVault"]


def test_what_goes_into_a_vault_is_in_its_ledger_and_no_profit_of_it() -> None:
    desk, vault = desk_with_vault()
    types = [row["delta"]["type"] for row in ask(desk, "userNonFundingLedgerUpdates", vault)]
    assert types == ["vaultCreate", "vaultDeposit"]
    desk.block(lambda exchange: exchange.vault_payouts.withdraw(vault, A, Decimal(100)))
    past = dict(ask(desk, "portfolio", vault))["allTime"]
    assert {value for _, value in past["pnlHistory"]} == {"0.0"}
    assert (past["accountValueHistory"][0][1], past["accountValueHistory"][-1][1]) == ("0.0", "3900.0")
    assert ask(desk, "webData2", vault)["cumLedger"] == "3900.0"


def test_builders_are_told_what_they_may_take_and_what_they_took() -> None:
    desk, builder = desk_with_family()[0], wallet(0xB1)
    desk.fund(B)
    desk.block(lambda exchange: exchange.approve_builder(A, builder, 100))
    assert (ask(desk, "maxBuilderFee", builder=builder), ask(desk, "maxBuilderFee", builder=B)) == (100, 0)
    assert ask(desk, "approvedBuilders") == [builder]
    desk.sell(B, "1", "60000")
    buy = OrderRequest("BTC", Side.BUY, Decimal(1), Decimal(60_000), builder=Builder(builder, 100))
    desk.send(A, buy)
    assert ask(desk, "referral", builder)["builderRewards"] == "60.0"
    assert ask(desk, "referral")["referrerState"] == {"stage": "needToCreateCode"}
    assert ask(desk, "referral", builder)["referrerState"]["stage"] == "needToTrade"


def test_caps_of_a_dex_are_listed_with_it() -> None:
    desk = Desk()
    desk.block(lambda exchange: exchange.set_open_interest_cap("xyz:CL", Decimal(5_000_000)))
    dexes = Answerer(desk.exchange).answer(read_request(b'{"type":"perpDexs"}'))
    assert isinstance(dexes, list)
    assert dexes[1]["assetToStreamingOiCap"] == [("xyz:CL", "5000000.0")]


def test_whether_collateral_follows_orders_is_told_once_the_wallet_said_so() -> None:
    desk, _ = desk_with_family()
    assert ask(desk, "userDexAbstraction") is None
    desk.exchange.state.account(A).abstracts_dexes = True
    assert ask(desk, "userDexAbstraction") is True
