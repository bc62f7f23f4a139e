from decimal import Decimal

from hlmonitor.simulator.core.agents.unwinder import unwind
from hlmonitor.simulator.core.events import Liquidation
from hlmonitor.simulator.core.liquidation import LIQUIDATOR
from hlmonitor.simulator.core.orders import ZERO_HASH, Status
from hlmonitor.simulator.oracle.expected import expect
from hlmonitor.simulator.testing import BLOCK_MS, GENESIS_MS, Desk, wallet

A, B, C = wallet(1), wallet(2), wallet(3)


def long_desk(stake: int, sz: str, *, isolated: bool = False, extra: int = 0, checked: bool = True) -> Desk:
    """A is long BTC from 66,000 at 40x with this stake; B holds the other side. The book is empty."""
    desk = Desk(checked=checked)
    desk.fund(A, stake + extra)
    for address in (B, C):
        desk.fund(address, 10_000_000)
    if isolated:
        desk.exchange.state.account(A).isolated.add("BTC")
    desk.exchange.set_leverage(A, "BTC", 40)
    desk.sell(B, sz, "66000")
    desk.buy(A, sz, "66000")
    return desk


def crash(desk: Desk, px: str) -> None:
    desk.block(lambda exchange: exchange.set_oracle("BTC", Decimal(px)))


def value(desk: Desk, address: str) -> Decimal:
    return desk.exchange.margin.value(desk.exchange.state.account(address), "")


def events(desk: Desk) -> list[Liquidation]:
    return [event for block in desk.blocks for event in block.liquidations]


def test_a_large_position_is_sold_by_a_fifth_and_for_thirty_seconds_after_that_whole() -> None:
    desk = long_desk(17_500, "10")
    desk.buy(C, "50", "65000")
    crash(desk, "65040")
    assert [fill.sz for fill in desk.fills(A)[1:]] == [Decimal(2)]
    crash(desk, "64900")
    assert [fill.sz for fill in desk.fills(A)[1:]] == [Decimal(2), Decimal(8)]
    assert [event.method for event in events(desk)] == ["market", "market"]
    assert events(desk)[0].positions == (("BTC", Decimal(10)),)
    assert desk.position(A) == 0
    assert value(desk, A) > 0


def test_a_fifth_that_brings_the_account_back_above_maintenance_is_all_that_is_sold() -> None:
    desk = long_desk(17_900, "10")
    desk.buy(C, "50", "65030")
    crash(desk, "65040")
    crash(desk, "65039")
    assert desk.position(A) == Decimal(8)
    assert len(events(desk)) == 1


def test_without_a_rescue_in_the_book_the_vault_takes_positions_and_cash_over() -> None:
    desk = long_desk(2_200, "1")
    resting = desk.sell(A, "0.5", "70000")
    crash(desk, "64300")
    took, gave = desk.fills(LIQUIDATOR)[0], desk.fills(A)[-1]
    assert (gave.dir, took.dir) == ("Liquidated Cross Long", "Open Long")
    assert (gave.px, gave.fee, gave.hash) == (Decimal(64_300), Decimal(0), ZERO_HASH)
    assert gave.liquidation is not None
    assert gave.liquidation == took.liquidation
    assert (gave.liquidation.method, gave.liquidation.liquidated_user) == ("backstop", A)
    assert desk.position(A) == value(desk, A) == 0
    assert desk.position(LIQUIDATOR) == 1
    assert value(desk, LIQUIDATOR) == events(desk)[0].account_value > 0
    assert resting.status is Status.LIQUIDATED_CANCELED
    assert expect(desk.ledger, {A: 0}).signals[-1]["kind"] == "liquidation"


def test_below_maintenance_but_above_two_thirds_of_it_the_vault_waits() -> None:
    desk = long_desk(2_200, "1")
    crash(desk, "64550")
    assert desk.position(A) == 1
    assert events(desk) == []
    desk.buy(C, "1", "64450")
    assert desk.position(A) == 0
    assert events(desk)[0].method == "market"


def test_an_account_worth_less_than_nothing_is_deleveraged_at_the_mark_before() -> None:
    desk = long_desk(2_200, "1")
    crash(desk, "60000")
    lost, won = desk.fills(A)[-1], desk.fills(B)[-1]
    assert (lost.dir, won.dir) == ("Auto-Deleveraging", "Auto-Deleveraging")
    assert lost.px == won.px > 65_000
    assert desk.position(A) == desk.position(B) == 0
    assert events(desk)[0].method == "adl"
    assert value(desk, A) >= 0
    assert expect(desk.ledger, {A: 0}).signals[-1]["kind"] == "liquidation"
    assert expect(desk.ledger, {B: 0}).signals[-1]["kind"] == "adl"


def test_the_most_profitable_and_most_leveraged_are_deleveraged_first() -> None:
    desk = Desk()
    desk.fund(A, 4_000)
    desk.fund(B, 100_000)
    desk.fund(C, 10_000)
    desk.exchange.set_leverage(A, "BTC", 40)
    for address in (B, C):
        desk.sell(address, "1", "66000")
        desk.buy(A, "1", "66000")
    crash(desk, "65400")
    assert desk.position(A) == 2
    crash(desk, "62000")
    winners = [fill.address for fill in desk.blocks[-1].fills if fill.address != A]
    assert winners == [C, B]


def test_an_isolated_liquidation_leaves_the_cross_margin_alone() -> None:
    desk = long_desk(1_650, "1", isolated=True, extra=50_000)
    cross = desk.exchange.state.account(A).on("").raw_usd
    crash(desk, "64800")
    fill = desk.fills(A)[-1]
    assert fill.dir == "Liquidated Isolated Long"
    assert fill.liquidation is not None
    assert fill.liquidation.method == "backstop"
    assert desk.exchange.state.account(A).on("").raw_usd == cross
    assert events(desk)[0].leverage_type == "Isolated"


def test_an_isolated_liquidation_in_the_book_gives_back_what_is_left() -> None:
    desk = long_desk(1_650, "1", isolated=True, extra=50_000)
    cross = desk.exchange.state.account(A).on("").raw_usd
    desk.buy(C, "1", "65100")
    crash(desk, "65105")
    assert desk.fills(A)[-1].dir == "Liquidated Isolated Long"
    assert desk.exchange.state.account(A).on("").raw_usd > cross


def test_an_account_far_from_danger_is_not_looked_at_when_prices_move() -> None:
    desk = long_desk(100_000, "1", checked=False)
    looked: list[str] = []
    margin = desk.exchange.margin
    inner = margin.pools
    margin.pools = lambda account, dex: looked.append(account.address) or inner(account, dex)  # type: ignore[method-assign,func-returns-value]
    for px in ("65000", "64000", "63000"):
        crash(desk, px)
    assert looked == []


def test_a_gap_of_one_block_never_hides_a_fallen_account() -> None:
    desk = long_desk(30_000, "1")
    for step in range(34):
        crash(desk, str(65_990 - 1_000 * step))
        if events(desk):
            break
    account = desk.exchange.state.account(A)
    assert not account.on("").positions
    assert desk.blocks[-1].time_ms == GENESIS_MS + BLOCK_MS * len(desk.blocks)


def test_the_vault_sells_what_it_took_over_a_little_at_a_time() -> None:
    desk = long_desk(2_200, "1")
    crash(desk, "64300")
    desk.buy(C, "5", "64300")
    desk.block(lambda exchange: unwind(exchange, 0))
    sold = desk.fills(LIQUIDATOR)[-1]
    assert sold.dir == "Close Long"
    assert Decimal(24_990) < sold.sz * sold.px <= 25_000
    for _ in range(2):
        desk.block(lambda exchange: unwind(exchange, 0))
    assert desk.position(LIQUIDATOR) == 0
