"""Rare things have the facts' shapes too: movements of money, vaults, outcomes, isolated margin, stops, delisting."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from msgspec import json
from venue_frames import parse

from hlmonitor.simulator.core.candles import Interval
from hlmonitor.simulator.core.exchange import Exchange
from hlmonitor.simulator.core.faults import FaultBoard
from hlmonitor.simulator.core.market import MarketConfig
from hlmonitor.simulator.core.orders import Side, Tif
from hlmonitor.simulator.core.state import ExchangeConfig
from hlmonitor.simulator.core.twap import TwapRequest
from hlmonitor.simulator.io.clock import TimeConfig
from hlmonitor.simulator.io.config import ServerConfig
from hlmonitor.simulator.io.server import Simulator
from hlmonitor.simulator.testing import GENESIS_MS, request, wallet
from hlmonitor.simulator.wire.frames import Frame
from hlmonitor.simulator.wire.subscriptions import SPECS, CoinKind, Subscription, normalise

A, B = wallet(0xA), wallet(0xB)
HYPE, USDC = 150, 0


def fund(exchange: Exchange, user: str) -> None:
    exchange.deposit(user, Decimal(1_000_000))
    exchange.deposit_token(user, USDC, Decimal(1_000_000))
    exchange.deposit_token(user, HYPE, Decimal(1_000))


class Witness:
    """A market in which A and B do what a test says; every frame about them is parsed and kept."""

    def __init__(self) -> None:
        market = MarketConfig(ExchangeConfig(block_ms=1_000), agents=False)
        config = ServerConfig(time=TimeConfig(speed=0, genesis_ms=GENESIS_MS))
        self.simulator = Simulator(market, config, seed=1)
        self.exchange = self.simulator.market.exchange
        self.frames: list[Any] = []
        for user in (A, B):
            self.block(partial(fund, user=user))
            self.watch(user)

    def watch(self, user: str) -> None:
        """Subscribe to everything about a user."""
        for kind, spec in SPECS.items():
            if spec.user:
                coin = {"coin": "BTC"} if spec.coin is CoinKind.PERP else {}
                wanted = normalise({"type": kind, "user": user, **coin}, self.exchange.state.universe)
                self.simulator.hub.add(self, wanted, self.simulator.faults)

    def send(self, frame: Frame, _faults: FaultBoard, _now_ms: int, _about: Subscription) -> None:
        parse(frame.data)
        self.frames.append(json.decode(frame.data))

    def block(self, action: Callable[[Exchange], object] = lambda _: None) -> list[Any]:
        """Make a block with an action; return its frames."""
        before = len(self.frames)
        failures: list[Exception] = []

        def run(exchange: Exchange) -> None:
            try:
                action(exchange)
            except Exception as error:  # noqa: BLE001 shown to the test below
                failures.append(error)

        self.simulator._commands.append(run)
        self.simulator.step(self.simulator.clock.next_ms())
        if failures:
            raise failures[0]
        return self.frames[before:]

    def deltas(self) -> set[str]:
        """Return the types of ledger updates that were sent."""
        rows = [row for f in self.frames if "Ledger" in f["channel"] for row in f["data"]["nonFundingLedgerUpdates"]]
        return {row["delta"]["type"] for row in rows}

    def dirs(self) -> set[str]:
        """Return the `dir` texts that were sent."""
        return {row["dir"] for f in self.frames if f["channel"] == "userFills" for row in f["data"]["fills"]}


def test_movements_of_money() -> None:
    witness = Witness()
    subs: list[Any] = []
    witness.block(lambda ex: subs.append(ex.roles.create_sub_account(A, "sub")))
    for act in (
        lambda ex: ex.transfers.withdraw(A, Decimal(10)),
        lambda ex: ex.transfers.send_usd(A, B, Decimal(10)),
        lambda ex: ex.transfers.transfer_sub_account(A, subs[0].address, Decimal(10), to_sub=True),
        lambda ex: ex.transfers.transfer_class(A, Decimal(10), to_perp=True),
        lambda ex: ex.transfers.send_token(A, B, HYPE, Decimal("0.5")),
        lambda ex: ex.transfers.send_token(A, wallet(0xC), USDC, Decimal(10)),
        lambda ex: ex.deposit(A, Decimal(500), "xyz"),
        lambda ex: ex.transfers.claim_rewards(A, HYPE, Decimal(1)),
        lambda ex: ex.transfers.pay_deploy_gas(A, HYPE, Decimal(1)),
        lambda ex: ex.transfers.stake(A, Decimal(1), is_deposit=True),
        lambda ex: ex.transfers.give_genesis(A, 1, Decimal(1)),
    ):
        assert witness.block(act)
    assert witness.deltas() >= {
        *("deposit", "withdraw", "internalTransfer", "subAccountTransfer", "accountClassTransfer", "spotTransfer"),
        *("send", "rewardsClaim", "deployGasAuction", "cStakingTransfer", "spotGenesis"),
    }


def test_a_vault_from_its_making_to_its_end() -> None:
    witness = Witness()
    vaults: list[Any] = []
    witness.block(lambda ex: vaults.append(ex.vaults.create(A, "Vault", "of A", Decimal(1_000))))
    address = vaults[0].address
    witness.watch(address)
    witness.block(lambda ex: ex.vaults.deposit(address, B, Decimal(500)))
    witness.block(lambda ex: ex.place(B, request(Side.SELL, "0.01", "66650")))
    witness.block(lambda ex: ex.place(address, request(Side.BUY, "0.01", "66650", tif=Tif.IOC)))
    for _ in range(6):
        witness.block()
    leading = [f for f in witness.frames if f["channel"] == "webData3" and f["data"]["userState"]["user"] == A][-1]
    assert leading["data"]["perpDexStates"][0]["leadingVaults"][0]["address"] == address
    assert witness.deltas() >= {"vaultCreate", "vaultDeposit"}


def test_isolated_positions_stops_and_twaps() -> None:
    witness = Witness()
    witness.block(lambda ex: ex.set_leverage(A, "BTC", 5, isolated=True))
    witness.block(lambda ex: ex.place(B, request(Side.SELL, "5", "66650")))
    witness.block(lambda ex: ex.place(A, request(Side.BUY, "1", "66650", tif=Tif.IOC)))
    witness.block(lambda ex: ex.start_twap(A, TwapRequest("BTC", Side.BUY, Decimal(1), 300_000, randomize=True)))
    for _ in range(70):
        witness.block()
    states = [f["data"]["clearinghouseState"] for f in witness.frames if f["channel"] == "clearinghouseState"]
    held = [position for state in states for position in state["assetPositions"]]
    assert "isolated" in {position["position"]["leverage"]["type"] for position in held}
    assert {"userTwapSliceFills", "twapStates", "userTwapHistory"} <= {f["channel"] for f in witness.frames}


def test_outcomes_from_splitting_to_settling() -> None:
    witness = Witness()
    outcome = next(iter(witness.exchange.outcomes.live))
    witness.block(lambda ex: ex.outcomes.split(A, outcome, Decimal(100)))
    coin = f"#{10 * outcome}"
    witness.block(lambda ex: ex.place(A, request(Side.SELL, "40", "0.5", coin=coin)))
    witness.block(lambda ex: ex.place(B, request(Side.BUY, "40", "0.5", coin=coin, tif=Tif.IOC)))
    witness.block(lambda ex: ex.outcomes.merge(A, outcome, Decimal(10)))
    witness.block(lambda ex: ex.outcome_settler.settle(outcome, Decimal(1)))
    for _ in range(10):
        witness.block()
    assert {"Split Outcome", "Merge Outcome", "Settlement", "Buy", "Sell"} <= witness.dirs()


def test_the_settlement_of_a_delisted_coin() -> None:
    witness = Witness()
    witness.block(lambda ex: ex.place(B, request(Side.SELL, "1", "3420.5", coin="ETH")))
    witness.block(lambda ex: ex.place(A, request(Side.BUY, "1", "3420.5", coin="ETH", tif=Tif.IOC)))
    witness.block(lambda ex: ex.place(A, request(Side.BUY, "1", "3000", coin="ETH")))
    for kind in ("trades", "l2Book", "bbo", "activeAssetCtx"):
        wanted = normalise({"type": kind, "coin": "ETH"}, witness.exchange.state.universe)
        witness.simulator.hub.add(witness, wanted, witness.simulator.faults)
    witness.block(lambda ex: ex.delist("ETH"))
    for _ in range(10):
        witness.block()
    assert "Settlement" in witness.dirs()
    updates = [row for f in witness.frames if f["channel"] == "orderUpdates" for row in f["data"]]
    assert "delistedCanceled" in {row["status"] for row in updates}


def test_intervals_are_those_of_the_models() -> None:
    witness = Witness()
    for interval in Interval:
        wanted = normalise({"type": "candle", "coin": "BTC", "interval": interval}, witness.exchange.state.universe)
        witness.simulator.hub.add(witness, wanted, witness.simulator.faults)
    witness.block(lambda ex: ex.place(B, request(Side.SELL, "1", "66650")))
    frames = witness.block(lambda ex: ex.place(A, request(Side.BUY, "1", "66650", tif=Tif.IOC)))
    assert [f["data"]["i"] for f in frames if f["channel"] == "candle"] == [interval.value for interval in Interval]
