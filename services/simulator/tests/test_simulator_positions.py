from decimal import Decimal

from hlmonitor.simulator.core.events import TwapStatus
from hlmonitor.simulator.core.orders import ZERO_HASH, Origin, Side, Status
from hlmonitor.simulator.core.state import ExchangeConfig
from hlmonitor.simulator.core.twap import TwapRequest
from hlmonitor.simulator.testing import Desk, request, wallet

A, B, C = wallet(1), wallet(2), wallet(3)
UBTC, USDC = 197, 0


def funded() -> Desk:
    desk = Desk()
    for address in (A, B, C):
        desk.fund(address)
    return desk


def test_a_flip_is_one_row_with_the_pnl_of_its_closing_part() -> None:
    desk = funded()
    desk.sell(B, "1", "66000")
    desk.buy(A, "1")
    desk.buy(B, "3", "66500")
    desk.sell(A, "3")
    flip = desk.fills(A)[-1]
    assert (flip.dir, flip.start_position, flip.sz) == ("Long > Short", Decimal(1), Decimal(3))
    assert flip.closed_pnl == Decimal(500)
    assert desk.position(A) == Decimal(-2)
    assert desk.fills(B)[-1].dir == "Short > Long"


def test_the_dir_texts_of_a_position_through_its_life() -> None:
    desk = funded()
    for side, sz in ((Side.BUY, "2"), (Side.BUY, "1"), (Side.SELL, "1"), (Side.SELL, "2"), (Side.SELL, "1")):
        desk.send(B, request(side.opposite, sz, "66000"))
        desk.send(A, request(side, sz, "66000"))
    desk.send(B, request(Side.SELL, "1", "66000"))
    desk.send(A, request(Side.BUY, "1", "66000"))
    assert [fill.dir for fill in desk.fills(A)] == [
        "Open Long",
        "Open Long",
        "Close Long",
        "Close Long",
        "Open Short",
        "Close Short",
    ]
    positions = [fill.start_position for fill in desk.fills(A)]
    assert positions == [Decimal(n) for n in (0, 2, 3, 2, 0, -1)]


def test_fees_are_the_takers_and_makers_rate_and_double_on_a_builder_dex() -> None:
    desk = funded()
    for address in (A, B):
        desk.fund(address, dex="xyz")
    desk.sell(B, "1", "60000")
    desk.buy(A, "1")
    assert desk.fills(A)[0].fee == Decimal("27.00")
    assert desk.fills(B)[0].fee == Decimal("9.00")
    desk.sell(B, "10", "71", coin="xyz:CL")
    desk.buy(A, "10", coin="xyz:CL")
    assert desk.fills(A)[1].fee == Decimal("0.639")
    assert desk.position(A, "xyz:CL") == Decimal(10)


def test_reduce_only_never_opens() -> None:
    desk = funded()
    none = desk.send(A, request(Side.SELL, "1", "66000", reduce_only=True))[0]
    assert none.status is Status.REDUCE_ONLY_REJECTED
    desk.sell(B, "1", "66000")
    desk.buy(A, "1")
    desk.buy(B, "5", "66000")
    trimmed = desk.send(A, request(Side.SELL, "3", reduce_only=True))[0]
    assert (trimmed.status, trimmed.remaining) == (Status.REDUCE_ONLY_CANCELED, Decimal(2))
    assert desk.position(A) == 0


def test_a_resting_reduce_only_order_is_cancelled_when_its_position_is_gone() -> None:
    desk = funded()
    desk.sell(B, "1", "66000")
    desk.buy(A, "1")
    resting = desk.send(A, request(Side.SELL, "1", "70000", reduce_only=True))[0]
    desk.buy(B, "1", "66000")
    desk.sell(A, "1")
    assert resting.status is Status.REDUCE_ONLY_CANCELED


def test_a_spot_buy_pays_its_fee_in_the_token_and_a_sell_in_the_quote() -> None:
    desk = Desk()
    desk.give(A, USDC, 1_000_000)
    desk.give(B, UBTC, 10)
    desk.sell(B, "1", "60000", coin="@142")
    desk.buy(A, "1", coin="@142")
    bought, sold = desk.fills(A)[0], desk.fills(B)[0]
    assert (bought.dir, bought.fee, bought.fee_token) == ("Buy", Decimal("0.0007"), "UBTC")
    assert (sold.dir, sold.fee, sold.fee_token) == ("Sell", Decimal("24.0"), "USDC")
    assert (bought.start_position, sold.start_position) == (Decimal(0), Decimal(10))
    assert desk.exchange.state.account(A).balance(UBTC).total == Decimal("0.9993")
    assert desk.blocks[-1].spot_changed == {A, B}


def test_a_spot_order_needs_a_free_balance() -> None:
    desk = Desk()
    desk.give(A, USDC, 100_000)
    assert desk.buy(A, "1", "60000", coin="@142").status is Status.OPEN
    assert desk.buy(A, "1", "60000", coin="@142").status is Status.INSUFFICIENT_SPOT_BALANCE_REJECTED


def test_a_liquidation_closes_at_market_without_order_updates() -> None:
    desk = funded()
    desk.fund(wallet(9), 2_200)
    gambler = wallet(9)
    desk.block(lambda exchange: exchange.set_leverage(gambler, "BTC", 40))
    desk.sell(B, "1", "66000")
    desk.buy(gambler, "1", "66000")
    resting = desk.buy(gambler, "0.001", "60000")
    desk.buy(C, "5", "64000")
    known = len(desk.updates(gambler))
    block = desk.block(lambda exchange: exchange.set_oracle("BTC", Decimal(64500)))
    fill, other = desk.fills(gambler)[-1], desk.fills(C)[-1]
    assert (fill.dir, fill.hash, fill.crossed) == ("Liquidated Cross Long", ZERO_HASH, True)
    assert fill.liquidation is not None
    assert fill.liquidation.liquidated_user == gambler
    assert other.liquidation == fill.liquidation
    assert (other.dir, other.hash) == ("Open Long", ZERO_HASH)
    assert [u.status for u in desk.updates(gambler)[known:]] == [Status.LIQUIDATED_CANCELED]
    assert not resting.is_open
    assert fill.oid not in {update.oid for update in block.order_updates}
    assert desk.ledger.of(gambler).orders[fill.oid].origin is Origin.LIQUIDATION
    assert desk.position(gambler) == 0


def test_twap_slices_have_their_own_oids_zero_hashes_and_no_order_updates() -> None:
    desk = funded()
    maker = desk.sell(B, "10", "66650")
    twap = desk.twap(A, TwapRequest("BTC", Side.BUY, Decimal(3), 300, slice_ms=100))
    for _ in range(3):
        desk.block()
    fills = desk.fills(A)
    assert [fill.sz for fill in fills] == [Decimal(1)] * 3
    assert {fill.twap_id for fill in fills} == {twap.twap_id}
    assert len({fill.oid for fill in fills}) == 3
    assert {fill.hash for fill in fills} == {ZERO_HASH}
    assert desk.updates(A) == []
    hit = desk.fills(B)[0]
    assert (hit.oid, hit.hash, hit.dir, hit.twap_id) == (maker.oid, ZERO_HASH, "Open Short", None)


def test_twap_history_is_in_seconds_and_shows_progress_only_at_the_end() -> None:
    desk = funded()
    desk.sell(B, "10", "66650")
    desk.twap(A, TwapRequest("BTC", Side.BUY, Decimal(2), 200, slice_ms=100))
    desk.block()
    rows = list(desk.ledger.of(A).twap_rows)
    assert [row.status for row in rows] == [TwapStatus.ACTIVATED, TwapStatus.FINISHED]
    assert [row.state.executed_sz for row in rows] == [Decimal(0), Decimal(2)]
    assert rows[0].time_s == desk.blocks[0].time_ms // 1000


def test_a_terminated_twap_stops_and_one_without_liquidity_catches_up() -> None:
    desk = funded()
    twap = desk.twap(A, TwapRequest("BTC", Side.BUY, Decimal(4), 400, slice_ms=100))
    desk.sell(B, "10", "66650")
    assert desk.fills(A)[0].sz == Decimal(2)
    desk.block(lambda exchange: exchange.twaps.terminate(twap.twap_id))
    desk.block()
    assert [row.status for row in desk.ledger.of(A).twap_rows] == [TwapStatus.ACTIVATED, TwapStatus.TERMINATED]
    assert twap.executed_sz == Decimal(2)


def test_the_default_slice_interval_is_thirty_seconds() -> None:
    assert ExchangeConfig().twap_slice_ms == 30_000
