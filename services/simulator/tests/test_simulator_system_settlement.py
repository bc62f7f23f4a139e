"""What the exchange settles by itself: delisted perps and spot dust."""

from decimal import Decimal

import pytest

from hlmonitor.simulator.core.dust import DUSTER
from hlmonitor.simulator.core.orders import ZERO_HASH, Side, Status
from hlmonitor.simulator.oracle.expected import expect
from hlmonitor.simulator.testing import GENESIS_MS, Desk, wallet

A, B, C, MAKER = wallet(1), wallet(2), wallet(3), wallet(4)
USDC, HYPE, PAIR = 0, 150, "@107"
MIDNIGHT = GENESIS_MS - GENESIS_MS % 86_400_000 + 86_400_000
D = Decimal


def test_a_delisted_perp_is_settled_at_the_mark_for_everybody() -> None:
    desk = Desk()
    for address in (A, B):
        desk.fund(address)
    desk.sell(B, "2", "66000")
    desk.buy(A, "2", "66000")
    resting = desk.buy(A, "1", "60000")
    since = desk.blocks[-1].time_ms + 1
    block = desk.block(lambda exchange: exchange.delist("BTC"))
    assert resting.status is Status.DELISTED_CANCELED
    assert desk.position(A) == desk.position(B) == 0
    fills = [desk.fills(address)[-1] for address in (A, B)]
    assert [(f.dir, f.side, f.px, f.sz, f.closed_pnl, f.fee, f.hash) for f in fills] == [
        ("Settlement", Side.SELL, D(66_650), D(2), D(1_300), D(0), ZERO_HASH),
        ("Settlement", Side.BUY, D(66_650), D(2), D(-1_300), D(0), ZERO_HASH),
    ]
    assert len({fill.tid for fill in fills} | {0}) == 3
    assert block.trades == []
    signal = expect(desk.ledger, {A: since}).signals[0]
    assert (signal["kind"], signal["direction"], signal["close_rate"]) == ("settlement", "close", "1")
    assert desk.buy(A, "1", "66000").status is Status.REJECTED
    assert "BTC" not in [i.coin for i in desk.exchange.state.universe.quoted()]
    state = desk.exchange.state
    assert sum(account.on("").cash for account in state.accounts.values()) + state.perp_fees[""] == 2_000_000


def dusty(*amounts: str) -> Desk:
    desk = Desk()
    for address, sz in zip((A, B, C), amounts, strict=False):
        desk.give(address, HYPE, sz)
    desk.give(MAKER, HYPE, 1_000)
    desk.give(MAKER, USDC, 1_000_000)
    desk.sell(MAKER, "10", "39", coin=PAIR)
    desk.buy(MAKER, "10", "38", coin=PAIR)
    return desk


def total(desk: Desk, address: str, token: int) -> Decimal:
    return desk.exchange.state.account(address).balance(token).total


def at_midnight(desk: Desk) -> None:
    desk.exchange.begin_block(MIDNIGHT)
    desk.blocks.append(desk.exchange.end_block())


def check_money(desk: Desk) -> None:
    state = desk.exchange.state
    for token, deposited in state.token_deposits.items():
        owned = sum(account.balance(token).total for account in state.accounts.values())
        assert owned + state.token_fees.get(token, 0) == deposited


def test_dust_is_sold_together_at_midnight_and_shared_by_size() -> None:
    desk = dusty("0.009", "0.006", "5.005")
    desk.block()
    assert desk.fills(A) == []
    at_midnight(desk)
    first, second = desk.fills(A)[0], desk.fills(B)[0]
    for fill, sz in ((first, "0.009"), (second, "0.006")):
        assert (fill.dir, fill.coin, fill.side, fill.tid, fill.hash) == (
            "Spot Dust Conversion", PAIR, Side.SELL, 0, ZERO_HASH,
        )  # fmt: skip
        assert (fill.sz, fill.start_position, fill.fee) == (D(sz), D(sz), D(0))
    assert first.px == second.px
    brought = D("0.38") * (1 - D("0.0007"))
    assert total(desk, A, USDC) == (brought * 9 / 15).quantize(D("0.00000001"))
    assert (total(desk, A, HYPE), total(desk, C, HYPE), desk.fills(C)) == (D(0), D("5.005"), [])
    sold = desk.blocks[-1].trades[0]
    assert (sold.seller, sold.sz, sold.hash) == (DUSTER, D("0.01"), ZERO_HASH)
    signals = expect(desk.ledger, {A: 0}).signals
    assert [(s["kind"], s["direction"], s["size"]) for s in signals] == [("dust", "close", "0.009")]
    check_money(desk)


def test_dust_that_makes_no_lot_is_burned_without_a_fill() -> None:
    desk = dusty("0.004", "0.003")
    at_midnight(desk)
    assert (total(desk, A, HYPE), total(desk, A, USDC), desk.fills(A)) == (D(0), D(0), [])
    check_money(desk)


def test_a_one_sided_book_or_a_wallet_that_keeps_its_dust_is_left_alone() -> None:
    desk = Desk()
    desk.give(A, HYPE, "0.009")
    at_midnight(desk)
    assert total(desk, A, HYPE) == D("0.009")
    kept = dusty("0.009", "0.006")
    kept.exchange.state.account(A).keeps_dust = True
    at_midnight(kept)
    assert (total(kept, A, HYPE), total(kept, B, HYPE)) == (D("0.009"), D(0))


@pytest.mark.parametrize("days", [1, 3])
def test_dust_is_converted_once_a_day(days: int) -> None:
    desk = dusty("0.009", "0.006")
    for day in range(days):
        desk.exchange.begin_block(MIDNIGHT + day * 86_400_000)
        desk.exchange.end_block()
        assert total(desk, A, HYPE) == 0
        desk.give(A, HYPE, "0.009")
        desk.give(B, HYPE, "0.006")
    assert len([fill for fill in desk.fills(A) if fill.tid == 0]) == days
