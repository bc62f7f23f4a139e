import random
from decimal import Decimal
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from hlmonitor.simulator.core.events import Block
from hlmonitor.simulator.core.exchange import Exchange
from hlmonitor.simulator.core.market import Market, MarketConfig
from hlmonitor.simulator.core.orders import OrderRequest, Side, Tif
from hlmonitor.simulator.core.population import PopulationConfig
from hlmonitor.simulator.core.state import ExchangeState
from hlmonitor.simulator.core.twap import TwapRequest
from hlmonitor.simulator.testing import GENESIS_MS, Desk, wallet

WALLETS = [wallet(number) for number in range(1, 6)]
COINS = ("BTC", "@142", "xyz:CL")
START = {"BTC": 66650, "@142": 66640, "xyz:CL": 71}


def check_invariants(state: ExchangeState) -> None:
    for coin, book in state.books.items():
        dex = state.universe.get(coin).dex
        sizes = [account.on(dex).szi(coin) for account in state.accounts.values()]
        assert sum(sizes) == 0
        assert sum(max(szi, Decimal(0)) for szi in sizes) == state.open_interest[coin]
        bid, ask = book.best_px(Side.BUY), book.best_px(Side.SELL)
        assert bid is None or ask is None or bid < ask
    for dex, deposited in state.perp_deposits.items():
        margins = [account.on(dex) for account in state.accounts.values()]
        isolated = sum(p.raw_usd or Decimal(0) for margin in margins for p in margin.positions.values())
        cash = sum(margin.raw_usd for margin in margins) + isolated
        assert cash + state.perp_fees.get(dex, 0) == deposited
    for token, deposited in state.token_deposits.items():
        owned = sum(account.balance(token).total for account in state.accounts.values())
        assert owned + state.token_fees.get(token, 0) == deposited


def check_blocks(blocks: list[Block]) -> None:
    positions: dict[tuple[str, str], Decimal] = {}
    for block in blocks:
        assert {fill.time for fill in block.fills} <= {block.time_ms}
        for fill in block.fills:
            if fill.coin.startswith(("@", "#")) or "/" in fill.coin:
                continue
            key = (fill.address, fill.coin)
            assert fill.start_position == positions.get(key, Decimal(0))
            positions[key] = fill.start_position + fill.sz * fill.side.sign
    assert all(one.time_ms < other.time_ms for one, other in pairwise(blocks))


@st.composite
def actions(draw: st.DrawFn) -> tuple[str, str, OrderRequest]:
    coin = draw(st.sampled_from(COINS))
    market = draw(st.booleans())
    px = None if market else Decimal(START[coin] + draw(st.integers(-3, 3)))
    request = OrderRequest(
        coin,
        draw(st.sampled_from(list(Side))),
        Decimal(draw(st.integers(1, 40))) / 10,
        px,
        draw(st.sampled_from([Tif.GTC, Tif.GTC, Tif.IOC, Tif.ALO])),
        draw(st.integers(0, 5)) == 0,
    )
    kind = draw(st.sampled_from(["place", "place", "place", "cancel", "modify", "twap", "shock"]))
    return kind, draw(st.sampled_from(WALLETS)), request


def perform(exchange: Exchange, kind: str, address: str, request: OrderRequest) -> None:
    mine = list(exchange.state.account(address).open_orders)
    if kind == "cancel":
        exchange.cancel_all(address)
    elif kind == "modify" and mine:
        exchange.modify(address, mine[0], request)
    elif kind == "twap":
        exchange.start_twap(address, TwapRequest(request.coin, request.side, request.sz, 300, slice_ms=100))
    elif kind == "shock":
        exchange.set_oracle(request.coin, request.px or Decimal(START[request.coin]) * 11 / 10)
    else:
        exchange.place(address, request)


@settings(max_examples=60)
@given(st.lists(actions(), min_size=1, max_size=60))
def test_random_order_flow_conserves_cash_and_positions(flow: list[tuple[str, str, OrderRequest]]) -> None:
    desk = Desk()
    for address in WALLETS:
        desk.fund(address, 40_000)
        desk.fund(address, 1_000, dex="xyz")
        desk.give(address, 0, 500_000)
        desk.give(address, 197, 5)
    for kind, address, request in flow:
        desk.block(lambda exchange, k=kind, a=address, r=request: perform(exchange, k, a, r))  # type: ignore[misc]
        check_invariants(desk.exchange.state)
    check_blocks(desk.blocks)
    check_statuses(desk)


def check_statuses(desk: Desk) -> None:
    """Every ordinary order's fills add up to what its last status says."""
    for address in WALLETS:
        records = desk.ledger.of(address)
        last = {update.oid: update for update in desk.updates(address)}
        for update in last.values():
            filled = sum(fill.sz for fill in records.fills if fill.oid == update.oid)
            order = records.orders[update.oid]
            assert order.orig_sz - order.remaining == filled
            if not order.is_open:
                assert update.orig_sz - update.sz == filled


def run_market(seed: int, blocks: int) -> tuple[Market, list[Block]]:
    config = MarketConfig(population=PopulationConfig(seed=seed, whales=32, rate=Decimal(60)))
    market = Market(config, lambda name: random.Random(f"{seed}:{name}"), GENESIS_MS)
    return market, [market.step(GENESIS_MS + 100 * number) for number in range(1, blocks + 1)]


def test_the_agents_market_keeps_the_invariants_and_shows_every_kind_of_fill() -> None:
    market, blocks = run_market(seed=7, blocks=200)
    check_invariants(market.exchange.state)
    check_blocks(blocks)
    assert market.population is not None
    whales = {whale.address for whale in market.population.whales}
    mine = [fill for block in blocks for fill in block.fills if fill.address in whales]
    dirs = {fill.dir for fill in mine}
    assert {"Open Long", "Close Short", "Long > Short", "Short > Long", "Buy", "Sell"} <= dirs
    assert dirs & {"Liquidated Cross Long", "Liquidated Cross Short"}
    assert any(fill.twap_id for fill in mine)
    assert any(fill.coin.startswith("xyz:") for fill in mine)
    assert any(not fill.crossed for fill in mine)
    partial = [
        update
        for block in blocks
        for update in block.order_updates
        if update.address in whales and update.status == "canceled" and 0 < update.sz < update.orig_sz
    ]
    assert partial
    assert len({(fill.address, fill.coin, fill.oid) for fill in mine}) > 250


def test_quiesce_leaves_no_open_order_and_no_twap() -> None:
    market, _ = run_market(seed=5, blocks=100)
    before = dict(market.exchange.state.account(market.ledger.named()[1]).on("").positions)
    market.step(GENESIS_MS + 100_000, [market.quiesce])
    after = market.step(GENESIS_MS + 100_100)
    assert not market.is_trading
    assert market.exchange.twaps.active == {}
    assert after.fills == []
    for address in market.ledger.named():
        assert market.exchange.state.account(address).open_orders == {}
    assert dict(market.exchange.state.account(market.ledger.named()[1]).on("").positions) == before
