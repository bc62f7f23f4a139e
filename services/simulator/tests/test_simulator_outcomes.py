from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlmonitor.simulator.core.errors import RefusedError
from hlmonitor.simulator.core.exchange import Exchange
from hlmonitor.simulator.core.orders import ZERO_HASH, Side, Status, Tif
from hlmonitor.simulator.core.precision import is_valid_px
from hlmonitor.simulator.core.state import ExchangeState
from hlmonitor.simulator.oracle.expected import expect
from hlmonitor.simulator.testing import GENESIS_MS, Desk, request, wallet
from hlmonitor.simulator.wire.books import l2_book
from hlmonitor.simulator.wire.listing import all_mids
from hlmonitor.simulator.wire.outcomes import outcome_change_row, outcome_meta, settled_outcome
from hlmonitor.simulator.wire.spot_states import spot_state

A, B, C = wallet(1), wallet(2), wallet(3)
USDC = 0
YES, NO = "#330", "#331"
D = Decimal


def funded() -> Desk:
    desk = Desk()
    for address in (A, B, C):
        desk.give(address, USDC, 10_000)
    return desk


def held(desk: Desk, address: str, number: int) -> int:
    return int(desk.exchange.state.account(address).balance(100_000_000 + number).total)


def usdc(desk: Desk, address: str) -> Decimal:
    return desk.exchange.state.account(address).balance(USDC).total


def rows(desk: Desk, address: str) -> list[tuple[str, str, Side, Decimal, Decimal]]:
    return [(f.coin, f.dir, f.side, f.px, f.sz) for f in desk.fills(address)]


def check(exchange: Exchange) -> None:
    """Whatever the answers turn out to be, what is kept pays everybody exactly; and no token came from nowhere."""
    state, desk = exchange.state, exchange.outcomes
    owed = D(0)
    for spec in desk.live.values():
        if spec.question is None:
            yes, no = (supply(state, spec.coin(side)) for side in (0, 1))
            assert yes == no
            owed += yes
    for question in desk.questions.values():
        live = [number for number in question.outcomes if number in desk.live]
        owing = {sum(supply(state, f"#{10 * number + (number != winner)}") for number in live) for winner in live}
        assert len(owing) == 1
        owed += owing.pop()
    for settled in desk.settled.values():
        for side, worth in enumerate((settled.fraction, 1 - settled.fraction)):
            owed += supply(state, settled.spec.coin(side)) * worth
    assert state.escrow.get(USDC, D(0)) == owed
    for token, deposited in state.token_deposits.items():
        owned = sum(account.balance(token).total for account in state.accounts.values())
        assert owned + state.token_fees.get(token, 0) == deposited


def supply(state: ExchangeState, coin: str) -> Decimal:
    token = state.universe.get(coin).base
    return sum((account.balance(token).total for account in state.accounts.values()), D(0))


def test_a_split_makes_a_pair_and_a_merge_unmakes_it() -> None:
    desk = funded()
    desk.block(lambda exchange: exchange.outcomes.split(A, 33, D(100)))
    assert (held(desk, A, 330), held(desk, A, 331), usdc(desk, A)) == (100, 100, D(9_900))
    assert rows(desk, A) == [
        (YES, "Split Outcome", Side.BUY, D("0.5"), D(100)),
        (NO, "Split Outcome", Side.BUY, D("0.5"), D(100)),
    ]
    check(desk.exchange)
    desk.block(lambda exchange: exchange.outcomes.merge(A, 33, D(40)))
    assert (held(desk, A, 330), held(desk, A, 331), usdc(desk, A)) == (60, 60, D(9_940))
    assert {(f.dir, f.side, f.hash) for f in desk.fills(A)[2:]} == {("Merge Outcome", Side.SELL, ZERO_HASH)}
    assert all(fill.tid for fill in desk.fills(A))
    check(desk.exchange)


def test_a_no_becomes_a_yes_of_every_other_answer_and_all_answers_become_a_dollar() -> None:
    desk = funded()
    desk.block(lambda exchange: exchange.outcomes.split(A, 41, D(50)))
    desk.block(lambda exchange: exchange.outcomes.negate(A, 41, D(50)))
    assert [held(desk, A, number) for number in (400, 410, 411, 420)] == [50, 50, 0, 50]
    check(desk.exchange)
    desk.block(lambda exchange: exchange.outcomes.merge_question(A, 5, D(50)))
    assert usdc(desk, A) == 10_000
    assert [dir_ for _, dir_, *_ in rows(desk, A)] == (
        ["Split Outcome"] * 2 + ["Negate Outcome"] * 3 + ["Merge Question"] * 3
    )
    check(desk.exchange)


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (lambda e: e.outcomes.split(A, 99, D(1)), "not listed"),
        (lambda e: e.outcomes.split(A, 33, D("0.5")), "whole numbers"),
        (lambda e: e.outcomes.split(A, 33, D(10_001)), "cannot spare"),
        (lambda e: e.outcomes.merge(A, 33, D(1)), "cannot spare"),
        (lambda e: e.outcomes.negate(A, 33, D(1)), "no question"),
        (lambda e: e.outcomes.negate(A, 41, D(1)), "cannot spare"),
        (lambda e: e.outcomes.merge_question(A, 6, D(1)), "not listed"),
        (lambda e: e.outcome_settler.settle(33, D("1.5")), "between 0 and 1"),
        (lambda e: e.outcome_settler.settle(41, D("0.5")), "0 or 1"),
        (lambda e: e.outcome_settler.settle(99, D(1)), "not listed"),
    ],
)
def test_what_cannot_be_is_refused(act: object, why: str) -> None:
    desk = funded()
    with pytest.raises(RefusedError, match=why):
        act(desk.exchange)  # type: ignore[operator]
    check(desk.exchange)


def test_two_buyers_of_opposite_sides_make_a_pair() -> None:
    desk = funded()
    maker = desk.buy(B, "100", "0.4", coin=NO)
    taker = desk.buy(A, "60", "0.65", coin=YES)
    assert (taker.status, maker.remaining) == (Status.FILLED, D(40))
    mine, other = desk.fills(A)[0], desk.fills(B)[0]
    assert (mine.coin, mine.dir, mine.px, mine.fee, mine.fee_token) == (YES, "Buy", D("0.6"), D(0), "USDC")
    assert (other.coin, other.dir, other.px, other.tid) == (NO, "Buy", D("0.4"), mine.tid)
    assert (usdc(desk, A), usdc(desk, B)) == (D(9_964), D(9_976))
    trade = desk.blocks[-1].trades[0]
    assert (trade.coin, trade.side, trade.px, trade.buyer, trade.seller) == (YES, Side.BUY, D("0.6"), A, B)
    check(desk.exchange)


def test_two_sellers_of_opposite_sides_give_a_pair_back() -> None:
    desk = funded()
    for address in (A, B):
        desk.block(lambda exchange, address=address: exchange.outcomes.split(address, 33, D(100)))  # type: ignore[misc]
    desk.sell(B, "100", "0.3", coin=NO)
    desk.sell(A, "100", "0.7", coin=YES)
    assert (held(desk, A, 330), held(desk, B, 331)) == (0, 0)
    assert (usdc(desk, A), usdc(desk, B)) == (D(9_970), D(9_930))
    assert desk.exchange.state.escrow[USDC] == 100
    check(desk.exchange)


def test_at_one_price_sell_orders_come_before_the_buy_orders_of_the_other_side() -> None:
    desk = funded()
    desk.block(lambda exchange: exchange.outcomes.split(C, 33, D(100)))
    dual = desk.buy(B, "50", "0.4", coin=NO)
    direct = desk.sell(C, "50", "0.6", coin=YES)
    desk.buy(A, "50", "0.6", coin=YES)
    assert (direct.status, dual.status) == (Status.FILLED, Status.OPEN)
    better = desk.buy(C, "50", "0.41", coin=NO)
    desk.buy(A, "60", "0.6", coin=YES)
    assert (better.status, dual.remaining) == (Status.FILLED, D(40))


def test_both_books_show_the_same_orders() -> None:
    desk = funded()
    desk.buy(A, "100", "0.35", coin=YES)
    desk.buy(B, "30", "0.6", coin=NO)
    desk.buy(B, "20", "0.65", coin=NO, tif=Tif.ALO)
    yes, no = (l2_book(desk.exchange, coin)["levels"] for coin in (YES, NO))
    assert yes == [
        [{"px": "0.35", "sz": "100.0", "n": 1}],
        [{"px": "0.4", "sz": "30.0", "n": 1}],
    ]
    assert no == [
        [{"px": "0.6", "sz": "30.0", "n": 1}],
        [{"px": "0.65", "sz": "100.0", "n": 1}],
    ]
    mids = all_mids(desk.exchange, desk.exchange.state.universe.dexes[0])
    assert (mids[YES], mids[NO]) == ("0.375", "0.625")
    assert desk.updates(B)[-1].status is Status.BAD_ALO_PX_REJECTED


def test_outcome_prices_lie_between_zero_and_one_and_nobody_sells_what_it_lacks() -> None:
    desk = funded()
    yes = desk.exchange.state.universe.get(YES)
    valid = {px: is_valid_px(yes, D(px)) for px in ("0.00001", "0.99999", "1", "1.2", "0.123456")}
    assert valid == {"0.00001": True, "0.99999": True, "1": False, "1.2": False, "0.123456": False}
    desk.exchange.state.account(A).house = True
    assert desk.sell(A, "100", "0.5", coin=YES).status is Status.INSUFFICIENT_SPOT_BALANCE_REJECTED


def test_settlement_cancels_orders_renames_balances_and_pays_in_the_next_block() -> None:
    desk = funded()
    desk.block(lambda exchange: exchange.outcomes.split(A, 33, D(100)))
    order = desk.sell(A, "40", "0.9", coin=YES)
    assert spot_state(desk.exchange, A)["balances"][1] == {  # type: ignore[index]
        "coin": "+330", "total": "100.0", "hold": "40.0", "entryNtl": "50.0",
    }  # fmt: skip
    block = desk.block(lambda exchange: exchange.outcome_settler.settle(33, D(1), "BTC above"))
    assert order.status is Status.OUTCOME_SETTLED_CANCELED
    assert A in block.spot_changed
    assert [row["coin"] for row in spot_state(desk.exchange, A)["balances"]] == ["USDC", "o330", "o331"]  # type: ignore[attr-defined]
    assert desk.buy(B, "40", "0.9", coin=YES).status is Status.REJECTED
    check(desk.exchange)
    won, lost = desk.fills(A)[-2:]
    assert (won.coin, won.dir, won.px, won.closed_pnl) == (YES, "Settlement", D(1), D(50))
    assert (lost.coin, lost.dir, lost.px, lost.closed_pnl) == (NO, "Settlement", D(0), D(-50))
    assert usdc(desk, A) == 10_000
    assert desk.exchange.state.escrow[USDC] == 0
    answer = settled_outcome(desk.exchange, 33)
    assert answer is not None
    assert (answer["settleFraction"], answer["details"]) == ("1.0", "BTC above")
    assert settled_outcome(desk.exchange, 41) is None
    check(desk.exchange)


def test_the_right_answer_settles_its_whole_question() -> None:
    desk = funded()
    desk.block(lambda exchange: exchange.outcomes.split(A, 41, D(10)))
    desk.block(lambda exchange: exchange.outcomes.split(B, 42, D(10)))
    block = desk.block(lambda exchange: exchange.outcome_settler.settle(42, D(0)))
    changes = [outcome_change_row(desk.exchange, change) for change in block.outcome_changes]
    assert changes[0] == {"outcomeSettled": 42}
    assert changes[1]["questionUpdated"]["settledNamedOutcomes"] == [42]  # type: ignore[index]
    assert settled_outcome(desk.exchange, 42)["question"]["question"] == {"active": 5}  # type: ignore[index]
    check(desk.exchange)
    block = desk.block(lambda exchange: exchange.outcome_settler.settle(41, D(1)))
    assert {"questionSettled": 5} in [outcome_change_row(desk.exchange, change) for change in block.outcome_changes]
    desk.block()
    assert (usdc(desk, A), usdc(desk, B)) == (D(10_000), D(10_000))
    assert settled_outcome(desk.exchange, 40)["settleFraction"] == "0.0"  # type: ignore[index]
    assert outcome_meta(desk.exchange)["questions"] == []
    check(desk.exchange)


def test_the_last_answer_cannot_be_wrong() -> None:
    desk = funded()
    for outcome in (40, 41):
        desk.block(lambda exchange, outcome=outcome: exchange.outcome_settler.settle(outcome, D(0)))  # type: ignore[misc]
    with pytest.raises(RefusedError, match="last answer"):
        desk.exchange.outcome_settler.settle(42, D(0))


def test_a_standalone_outcome_may_settle_in_between() -> None:
    desk = funded()
    desk.buy(B, "100", "0.4", coin=NO)
    desk.buy(A, "100", "0.6", coin=YES)
    desk.block(lambda exchange: exchange.outcome_settler.settle(33, D("0.25")))
    desk.block()
    assert (usdc(desk, A), usdc(desk, B)) == (D(9_965), D(10_035))
    check(desk.exchange)


def test_the_daily_market_settles_by_the_mark_and_the_next_begins() -> None:
    desk = funded()
    outcomes = outcome_meta(desk.exchange)["outcomes"]
    assert isinstance(outcomes, list)
    assert outcomes[0] == {
        "outcome": 33,
        "name": "Recurring",
        "description": "class:priceBinary|underlying:BTC|expiry:20231115-0600|targetPrice:66650|period:1d",
        "sideSpecs": [{"name": "Yes"}, {"name": "No"}],
        "quoteToken": "USDC",
    }  # fmt: skip
    desk.block(lambda exchange: exchange.set_oracle("BTC", D(66_000)))
    expiry = GENESIS_MS - GENESIS_MS % 86_400_000 + 30 * 3_600_000
    desk.exchange.begin_block(expiry - 1)
    assert desk.exchange.end_block().outcome_changes == []
    desk.exchange.begin_block(expiry)
    block = desk.exchange.end_block()
    first, second = (outcome_change_row(desk.exchange, change) for change in block.outcome_changes)
    assert first == {"outcomeSettled": 33}
    created = second["outcomeCreated"]
    assert isinstance(created, dict)
    assert (created["outcome"], "expiry:20231116-0600|targetPrice:66000" in created["description"]) == (43, True)
    assert settled_outcome(desk.exchange, 33)["settleFraction"] == "0.0"  # type: ignore[index]
    assert [i.coin for i in desk.exchange.state.universe.quoted() if i.is_outcome] == ["#430"]


def test_the_oracle_of_signals_takes_conversions_for_system_orders_and_trades_for_balances() -> None:
    desk = funded()
    desk.block(lambda exchange: exchange.outcomes.split(A, 33, D(100)))
    desk.buy(B, "50", "0.6", coin=YES)
    desk.send(A, request(Side.SELL, "50", "0.6", coin=YES))
    desk.block(lambda exchange: exchange.outcome_settler.settle(33, D(1)))
    desk.block()
    signals = expect(desk.ledger, {A: 0}).signals
    kinds = [(s["coin"], s["kind"], s["direction"], s["side"], s["size"]) for s in signals]
    assert kinds == [
        (YES, "outcome", "open", "LONG", "100"),
        (NO, "outcome", "open", "LONG", "100"),
        (YES, "order", "close", "LONG", "50"),
        (YES, "settlement", "close", "LONG", "50"),
        (NO, "settlement", "close", "LONG", "100"),
    ]


@st.composite
def steps(draw: st.DrawFn) -> tuple[str, str, int, int, int]:
    kind = draw(st.sampled_from(["split", "merge", "negate", "question", "buy", "buy", "sell", "sell", "wrong"]))
    address = draw(st.sampled_from([A, B, C]))
    return kind, address, draw(st.sampled_from([33, 40, 41, 42])), draw(st.integers(1, 80)), draw(st.integers(1, 9))


def perform(exchange: Exchange, step: tuple[str, str, int, int, int]) -> None:
    kind, address, outcome, amount, tenths = step
    match kind:
        case "split":
            exchange.outcomes.split(address, outcome, D(amount))
        case "merge":
            exchange.outcomes.merge(address, outcome, D(amount))
        case "negate":
            exchange.outcomes.negate(address, outcome, D(amount))
        case "question":
            exchange.outcomes.merge_question(address, 5, D(amount))
        case "wrong":
            exchange.outcome_settler.settle(outcome, D(0))
        case _:
            side = Side.BUY if kind == "buy" else Side.SELL
            coin = f"#{10 * outcome + amount % 2}"
            exchange.place(address, request(side, str(amount * 2), f"0.{tenths}", coin=coin))


@settings(max_examples=80)
@given(st.lists(steps(), min_size=1, max_size=40), st.sampled_from([40, 41, 42]))
def test_what_is_kept_always_pays_everybody(flow: list[tuple[str, str, int, int, int]], winner: int) -> None:
    desk = funded()
    for step in flow:

        def attempt(exchange: Exchange, step: tuple[str, str, int, int, int] = step) -> None:
            with suppress(RefusedError):
                perform(exchange, step)

        desk.block(attempt)
        check(desk.exchange)
        for outcome in desk.exchange.outcomes.live:
            book = desk.exchange.state.books[f"#{10 * outcome}"]
            bid, ask = book.best_px(Side.BUY), book.best_px(Side.SELL)
            assert bid is None or ask is None or bid < ask
    if winner in desk.exchange.outcomes.live:
        desk.block(lambda exchange: exchange.outcome_settler.settle(winner, D(1)))
    if 33 in desk.exchange.outcomes.live:
        desk.block(lambda exchange: exchange.outcome_settler.settle(33, D("0.3")))
    desk.block()
    check(desk.exchange)
    balances: dict[tuple[str, str], Decimal] = {}
    for address in (A, B, C):
        for fill in desk.fills(address):
            assert fill.start_position == balances.get((address, fill.coin), D(0))
            balances[address, fill.coin] = fill.start_position + fill.sz * fill.side.sign
