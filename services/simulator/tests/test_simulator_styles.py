"""What the rarer wallets do: outcomes, vaults, shared collateral, sub-accounts; all of it by the exchange's rules."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import pytest

from hlmonitor.simulator.core.events import Block, Fill
from hlmonitor.simulator.core.instruments import USDC
from hlmonitor.simulator.core.invariants import Invariants
from hlmonitor.simulator.core.ledger_updates import (
    BorrowLend,
    SubAccountTransfer,
    VaultDeposit,
    VaultDistribution,
    VaultWithdraw,
)
from hlmonitor.simulator.core.market import Market, MarketConfig
from hlmonitor.simulator.core.orders import Status
from hlmonitor.simulator.core.population import PopulationConfig, address_of
from hlmonitor.simulator.core.state import ExchangeConfig
from hlmonitor.simulator.oracle.expected import expect
from hlmonitor.simulator.testing import GENESIS_MS


@dataclass
class Run:
    """A market that was watched, block by block."""

    market: Market
    address: str
    blocks: list[Block]

    @property
    def fills(self) -> list[Fill]:
        return [fill for block in self.blocks for fill in block.fills if fill.address == self.address]

    def statuses(self) -> set[Status]:
        updates = (update for block in self.blocks for update in block.order_updates)
        return {update.status for update in updates if update.address == self.address}

    def deltas(self, address: str) -> set[type]:
        return {type(update.delta) for update in self.market.ledger.of(address).ledger_updates}


@pytest.fixture(scope="module")
def lived() -> Callable[[str], Run]:
    """Let a single wallet of a style live for half a minute, with the exchange's rules checked at every block."""
    known: dict[str, Run] = {}

    def live(style: str) -> Run:
        if style not in known:
            config = PopulationConfig(seed=5, whales=1, rate=Decimal(16), mix=f"{style}=1")
            market = Market(MarketConfig(ExchangeConfig(), config), lambda name: random.Random(f"5:{name}"), GENESIS_MS)
            invariants = Invariants(market.exchange, full_every=50)
            assert market.population is not None
            known[style] = run = Run(market, market.population.whales[0].address, [])
            for _ in range(300):
                run.blocks.append(market.step(market.exchange.state.now_ms + 100))
                invariants.check(run.blocks[-1])
        return known[style]

    return live


def test_an_outcome_trader_does_all_that_can_be_done_with_outcomes(lived: Callable[[str], Run]) -> None:
    run = lived("outcome")
    assert {fill.dir for fill in run.fills} == {
        "Buy", "Sell", "Split Outcome", "Merge Outcome", "Merge Question", "Negate Outcome", "Settlement",
    }  # fmt: skip
    assert {Status.FILLED, Status.OUTCOME_SETTLED_CANCELED} <= run.statuses()
    kinds = {str(signal["kind"]) for signal in expect(run.market.ledger, {run.address: 0}).signals}
    assert kinds == {"order", "outcome", "settlement"}


def test_markets_that_end_are_followed_by_others_with_the_same_makers(lived: Callable[[str], Run]) -> None:
    run = lived("outcome")
    settled = run.market.exchange.outcomes.settled
    assert len(settled) >= 5
    assert {spec.fraction for spec in settled.values()} >= {Decimal(0), Decimal(1)}
    traded = {trade.coin for block in run.blocks for trade in block.trades if trade.coin.startswith("#")}
    assert len(traded) > 5
    before_and_after = len(run.market.exchange.state.accounts)
    while len(settled) < 12:
        run.market.step(run.market.exchange.state.now_ms + 100)
    assert len(run.market.exchange.state.accounts) == before_and_after


def test_a_vault_is_traded_netted_and_withdrawn_from(lived: Callable[[str], Run]) -> None:
    run = lived("vault")
    vault, leader = run.market.exchange.vaults.get(run.address), address_of(5, "whale", 0)
    assert vault.leader == leader
    assert {"Open Long", "Open Short", "Net Child Vaults"} <= {fill.dir for fill in run.fills}
    assert {Status.OPEN, Status.VAULT_WITHDRAWAL_CANCELED} <= run.statuses()
    assert any(order.is_vault_close for order in run.market.ledger.of(run.address).orders.values())
    assert {VaultDeposit, VaultWithdraw, VaultDistribution} <= run.deltas(run.address)
    assert not run.market.ledger.of(leader).fills


@pytest.mark.parametrize("style", ["unified", "portfolio"])
def test_one_balance_carries_two_dexes_and_spot(lived: Callable[[str], Run], style: str) -> None:
    run = lived(style)
    state = run.market.exchange.state
    account = state.account(run.address)
    assert account.is_unified
    assert {state.universe.get(fill.coin).kind.value for fill in run.fills} == {"perp", "spot"}
    assert {state.universe.get(fill.coin).dex for fill in run.fills} == {"", "xyz"}
    assert account.balance(USDC).total > 1_000_000 > account.on("").cash
    assert (BorrowLend in run.deltas(run.address)) == (style == "portfolio")


def test_fees_are_in_the_collateral_of_the_dex(lived: Callable[[str], Run]) -> None:
    paid = {(fill.coin, fill.fee_token) for fill in lived("collateral").fills}
    assert paid == {("flx:TSLA", "USDH"), ("hyna:BTC", "USDE")}


def test_a_sub_account_trades_with_the_money_of_its_master(lived: Callable[[str], Run]) -> None:
    run, master = lived("sub"), address_of(5, "whale", 0)
    assert run.market.exchange.roles.sub_accounts[run.address].master == master
    assert run.fills
    assert not run.market.ledger.of(master).fills
    directions = {
        update.delta.destination
        for update in run.market.ledger.of(run.address).ledger_updates
        if isinstance(update.delta, SubAccountTransfer)
    }
    assert directions == {run.address, master}
