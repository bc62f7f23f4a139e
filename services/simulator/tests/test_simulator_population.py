"""Who trades: styles, their shares, their pace, and what a block costs."""

import random
from collections import Counter
from decimal import Decimal

import pytest

from hlmonitor.runtime.settings import load_settings
from hlmonitor.simulator.core.agenda import Agenda
from hlmonitor.simulator.core.agents.mix import LIVELY, NATURAL, STYLES, MixError, deal, read_mix
from hlmonitor.simulator.core.events import Block
from hlmonitor.simulator.core.market import Market, MarketConfig
from hlmonitor.simulator.core.orders import Status
from hlmonitor.simulator.core.population import PopulationConfig
from hlmonitor.simulator.core.state import ExchangeConfig
from hlmonitor.simulator.settings import SimulatorSettings
from hlmonitor.simulator.testing import GENESIS_MS


def market_of(config: PopulationConfig, block_ms: int = 100) -> Market:
    exchange = ExchangeConfig(block_ms=block_ms)
    return Market(MarketConfig(exchange, config), lambda name: random.Random(f"{config.seed}:{name}"), GENESIS_MS)


def run(market: Market, blocks: int, block_ms: int = 100) -> list[Block]:
    last = market.exchange.state.now_ms
    return [market.step(last + block_ms * number) for number in range(1, blocks + 1)]


def test_turns_come_by_due_time_and_at_one_time_by_entry() -> None:
    agenda: Agenda[str] = Agenda()
    for due_ms, who in ((20, "late"), (10, "first"), (10, "second"), (99, "later")):
        agenda.put(due_ms, who)
    assert list(agenda.due(20)) == [(10, "first"), (10, "second"), (20, "late")]
    assert len(agenda) == 1


def test_a_turn_that_is_due_again_within_the_block_is_taken_again() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.put(1, "busy")
    taken = []
    for due_ms, who in agenda.due(10):
        taken.append(due_ms)
        agenda.put(due_ms + 4, who)
    assert taken == [1, 5, 9]


def test_a_mix_is_dealt_evenly_from_the_first_wallet_on() -> None:
    styles = [part.split("=")[0] for part in LIVELY.split(",")]
    assert list(deal(read_mix("lively"), 2 * len(styles))) == styles * 2
    natural = Counter(deal(read_mix("natural"), 10_000))
    assert natural == {style: share * 10 for style, share in read_mix(NATURAL).items()}
    assert Counter(deal(read_mix("scalper=1,dormant=3"), 6)) == {"dormant": 4, "scalper": 2}


@pytest.mark.parametrize(
    ("text", "named"), [("scalper", "scalper"), ("shark=1", "shark"), ("scalper=0", "shares"), ("", "style")]
)
def test_a_mix_that_cannot_be_read_is_refused_by_its_part(text: str, named: str) -> None:
    with pytest.raises(MixError, match=named):
        read_mix(text)


def test_a_wrong_mix_stops_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    settings = load_settings("simulator", SimulatorSettings, ["--mix", "natural", "--activity", "0.5"])
    assert settings.market().population == PopulationConfig(mix="natural", activity=Decimal("0.5"))
    with pytest.raises(SystemExit):
        load_settings("simulator", SimulatorSettings, ["--mix", "shark=1"])
    assert "shark" in capsys.readouterr().err


@pytest.mark.parametrize("style", sorted(STYLES))
def test_every_style_trades_by_itself(style: str) -> None:
    market = market_of(PopulationConfig(whales=4, rate=Decimal(10), mix=f"{style}=1"))
    run(market, 100)
    assert market.population is not None
    assert any(market.ledger.of(whale.address).fills for whale in market.population.whales)


def test_a_market_maker_has_thousands_of_order_updates_a_minute() -> None:
    market = market_of(PopulationConfig(whales=1, mix="maker=1"))
    assert market.population is not None
    maker = market.population.whales[0].address
    updates = [update for block in run(market, 100) for update in block.order_updates if update.address == maker]
    assert 1_000 < len(updates) * 6 < 10_000


def test_sizes_and_rates_of_wallets_are_heavy_tailed() -> None:
    market = market_of(PopulationConfig(whales=60, rate=Decimal(60), mix="scalper=1"))
    assert market.population is not None
    run(market, 150)
    records = [market.ledger.of(whale.address) for whale in market.population.whales]
    turns = sorted((len(r.orders) for r in records), reverse=True)
    assert sum(turns[:12]) > 0.4 * sum(turns)
    sizes = sorted((o.orig_sz * o.limit_px for r in records for o in r.orders.values()), reverse=True)
    assert sizes[0] > 6 * sizes[len(sizes) // 2]


def test_the_rate_is_that_of_all_wallets_together_however_many_there_are() -> None:
    for whales in (10, 1_000):
        market = market_of(PopulationConfig(whales=whales, rate=Decimal(20), mix="scalper=1"))
        run(market, 200)
        assert market.population is not None
        orders = sum(len(market.ledger.of(whale.address).orders) for whale in market.population.whales)
        assert 300 < orders < 500


def test_a_wallet_that_never_acts_has_no_account() -> None:
    market = market_of(PopulationConfig(whales=100_000, rate=Decimal(10), mix="natural"))
    run(market, 3)
    assert market.population is not None
    assert len(market.population.whales) == 100_000
    assert len(market.exchange.state.accounts) < 500


def test_activity_slows_everybody_and_zero_leaves_only_the_prices() -> None:
    orders = []
    for activity in ("1", "0.25", "0"):
        market = market_of(PopulationConfig(activity=Decimal(activity)))
        start = market.ledger.orders_total
        before = dict(market.exchange.state.oracle)
        run(market, 200)
        orders.append(market.ledger.orders_total - start)
        assert market.exchange.state.oracle != before
    assert orders[0] > 2 * orders[1] > 0 == orders[2]


def test_a_day_of_long_blocks_moves_prices_as_far_as_one_of_short_blocks() -> None:
    spread = {}
    for block_ms in (500, 5_000):
        market = market_of(PopulationConfig(whales=0, activity=Decimal(0)), block_ms)
        start = market.exchange.state.universe.get("BTC").start_px
        moves = []
        for _ in range(1_000_000 // block_ms):
            run(market, 1, block_ms)
            moves.append(float(market.exchange.state.oracle["BTC"] / start - 1))
        spread[block_ms] = (sum(move * move for move in moves) / len(moves)) ** 0.5
    assert 0.5 < spread[500] / spread[5_000] < 2


def test_a_late_block_does_not_bring_all_the_turns_that_were_missed() -> None:
    market = market_of(PopulationConfig(whales=10, rate=Decimal(100), mix="scalper=1"))
    run(market, 10)
    before = market.ledger.orders_total
    market.step(market.exchange.state.now_ms + 60_000)
    assert market.ledger.orders_total - before < 1_000


def test_a_cautious_wallet_shows_all_that_can_become_of_stops_and_profits() -> None:
    config = PopulationConfig(seed=7, whales=10, mix="cautious=1", rate=Decimal(20))
    blocks = run(market_of(config), 1_000)
    updates = [update for block in blocks for update in block.order_updates if update.order.trigger is not None]
    assert {"open", "triggered", "filled", "canceled", "siblingFilledCanceled", "reduceOnlyCanceled"} <= {
        update.status.value for update in updates
    }
    assert {update.order.is_position_tpsl for update in updates if update.status is Status.FILLED} == {True, False}


def test_a_bet_on_isolated_margin_is_lost_alone() -> None:
    market = market_of(PopulationConfig(whales=6, rate=Decimal(20), mix="isolated=1"))
    dirs = {fill.dir for block in run(market, 400) for fill in block.fills}
    assert dirs & {"Liquidated Isolated Long", "Liquidated Isolated Short"}
