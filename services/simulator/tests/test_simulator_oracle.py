from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlmonitor.simulator.core.events import Fill
from hlmonitor.simulator.core.orders import Side
from hlmonitor.simulator.core.twap import TwapRequest
from hlmonitor.simulator.oracle.amounts import canonical, rounded
from hlmonitor.simulator.oracle.expected import expect, signals_of
from hlmonitor.simulator.oracle.orders import name_of
from hlmonitor.simulator.oracle.parts import split
from hlmonitor.simulator.testing import BLOCK_MS, Desk, request, wallet

A, B, C = wallet(0xA), wallet(0xB), wallet(0xC)

ROW = Fill(
    address=A,
    coin="BTC",
    px=Decimal(100),
    sz=Decimal(3),
    side=Side.SELL,
    time=1000,
    start_position=Decimal(1),
    dir="Long > Short",
    closed_pnl=Decimal(7),
    hash="0x1",
    oid=5,
    crossed=True,
    fee=Decimal("0.3"),
    fee_token="USDC",
    tid=77,
)


def signals(*fills: Fill) -> list[dict[str, object]]:
    return signals_of(name_of(fills[0]), fills)


def test_a_flip_is_split_exactly_at_zero() -> None:
    close, opened = signals(ROW)
    assert (close["id"], opened["id"]) == (f"{A}:BTC:5:close:1000-77", f"{A}:BTC:5:open:1000-77")
    assert (close["side"], close["size"], close["close_rate"]) == ("LONG", "1", "1")
    assert (opened["side"], opened["size"], opened["close_rate"]) == ("SHORT", "2", None)
    assert (close["start_position"], close["end_position"]) == ("1", "0")
    assert (opened["start_position"], opened["end_position"]) == ("0", "-2")
    assert (close["fee"], opened["fee"]) == ("0.1", "0.2")
    assert (close["closed_pnl"], opened["closed_pnl"]) == ("7", "0")


def test_one_order_may_close_flip_and_open() -> None:
    rows = (
        replace(ROW, sz=Decimal(1), start_position=Decimal(2), dir="Close Long", tid=1, px=Decimal(101)),
        replace(ROW, sz=Decimal(2), start_position=Decimal(1), tid=2),
        replace(ROW, sz=Decimal(1), start_position=Decimal(-1), dir="Open Short", tid=3, closed_pnl=Decimal(0)),
    )
    close, opened = signals(rows[2], rows[0], rows[1])
    assert (close["fills"], close["size"], close["price"], close["close_rate"]) == (2, "2", "100.5", "1")
    assert (opened["fills"], opened["size"], opened["end_position"]) == (2, "2", "-2")
    assert close["id"] == f"{A}:BTC:5:close:1000-1"
    assert opened["id"] == f"{A}:BTC:5:open:1000-2"
    assert close["closed_pnl"] == "14"


def test_the_price_is_rounded_half_even_to_twelve_decimals() -> None:
    rows = (
        replace(ROW, sz=Decimal(1), start_position=Decimal(0), px=Decimal(1), dir="Open Short"),
        replace(ROW, sz=Decimal(2), start_position=Decimal(-1), px=Decimal(2), tid=78, dir="Open Short"),
    )
    (signal,) = signals(*rows)
    assert (signal["price"], signal["price_exact"]) == ("1.666666666667", "5/3")


def test_a_partial_close_has_the_rate_of_the_position_before_its_first_fill() -> None:
    (close,) = signals(replace(ROW, sz=Decimal(1), start_position=Decimal(3), dir="Close Long"))
    assert (close["close_rate"], close["end_position"]) == ("0.333333333", "2")


def test_spot_is_never_split() -> None:
    buy = replace(ROW, coin="@107", side=Side.BUY, dir="Buy", start_position=Decimal(-1))
    (opened,) = signals(buy)
    assert (opened["direction"], opened["side"], opened["end_position"]) == ("open", "LONG", "2")
    (close,) = signals(replace(buy, coin="PURR/USDC", side=Side.SELL, dir="Sell", start_position=Decimal(4)))
    assert (close["direction"], close["side"], close["close_rate"]) == ("close", "LONG", "0.75")


def test_a_zero_hash_alone_is_no_system_fill() -> None:
    assert signals(replace(ROW, hash="0x" + "0" * 64))[0]["oid"] == 5


def test_a_liquidation_is_one_order_per_time_with_a_hashed_number() -> None:
    row = replace(ROW, dir="Liquidated Cross Long", sz=Decimal(1))
    digest = blake2b(f"system:{A}:BTC:5:1000".encode(), digest_size=8).digest()
    (signal,) = signals(row)
    assert signal["oid"] == -(int.from_bytes(digest, "big") >> 1)
    assert signal["kind"] == "liquidation"
    assert name_of(row) != name_of(replace(row, time=1001))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Auto-Deleveraging", "adl"),
        ("Settlement", "settlement"),
        ("Net Child Vaults", "vault"),
        ("Spot Dust Conversion", "dust"),
        ("Merge Question", "outcome"),
        ("Open Long", "order"),
        ("Something New", "unknown"),
    ],
)
def test_the_kind_follows_the_dir(text: str, kind: str) -> None:
    assert name_of(replace(ROW, dir=text)).kind == kind


def test_without_a_tid_the_id_ends_in_the_fills_digest() -> None:
    row = replace(ROW, coin="@1", dir="Spot Dust Conversion", tid=0, start_position=Decimal("1.50"))
    text = f"{A}|@1|1000|0|A|5|1.5"
    digest = blake2b(text.encode(), digest_size=16).hexdigest()
    assert str(signals(row)[0]["id"]).endswith(f":close:1000-{digest[:16]}")


def test_a_twap_is_one_order_over_all_its_slices() -> None:
    desk = Desk()
    for address in (A, B):
        desk.fund(address)
    desk.sell(B, "10", "66650")
    twap = desk.twap(A, TwapRequest("BTC", Side.BUY, Decimal(3), 300, slice_ms=100))
    assert expect(desk.ledger, {A: 0}).pending == 1
    for _ in range(3):
        desk.block()
    (signal,) = expect(desk.ledger, {A: 0}).signals
    digest = blake2b(f"twap:{A}:{twap.twap_id}".encode(), digest_size=8).digest()
    assert signal["oid"] == -(int.from_bytes(digest, "big") >> 1)
    assert (signal["kind"], signal["fills"], signal["size"]) == ("twap", 3, "3")


def test_only_fills_from_watch_from_on_count_and_open_orders_give_nothing() -> None:
    desk = Desk()
    for address in (A, B):
        desk.fund(address)
    order = desk.sell(B, "3", "66650")
    desk.buy(A, "1", "66650")
    since = desk.blocks[-1].time_ms + 1
    desk.buy(A, "1", "66650")
    assert expect(desk.ledger, {B: since}).signals == []
    desk.block(lambda exchange: exchange.cancel(B, order.oid))
    result = expect(desk.ledger, {B: since})
    assert (result.orders, result.fills) == (1, 1)
    assert (result.signals[0]["size"], result.signals[0]["start_position"]) == ("1", "-1")
    assert expect(desk.ledger, {B: since + BLOCK_MS}).orders == 0
    assert len(expect(desk.ledger, {A: 0}).signals) == 2


def test_orders_that_outlive_the_timeout_are_set_aside() -> None:
    desk = Desk()
    for address in (A, B):
        desk.fund(address)
    desk.sell(B, "2", "66650")
    desk.buy(A, "1", "66650")
    desk.buy(A, "1", "66650")
    result = expect(desk.ledger, {B: 0}, order_timeout_ms=BLOCK_MS - 1)
    assert (result.timed_out, result.signals) == (1, [])
    assert len(expect(desk.ledger, {B: 0}, order_timeout_ms=BLOCK_MS).signals) == 1


def test_a_liquidated_wallet_and_its_counterparty() -> None:
    desk = Desk()
    desk.fund(A, 2_200)
    for address in (B, C):
        desk.fund(address)
    desk.block(lambda exchange: exchange.set_leverage(A, "BTC", 40))
    desk.sell(B, "1", "66000")
    desk.buy(A, "1", "66000")
    desk.send(C, request(Side.BUY, "0.4", "64001"), request(Side.BUY, "5", "64000"))
    desk.block(lambda exchange: exchange.set_oracle("BTC", Decimal(64500)))
    liquidation = expect(desk.ledger, {A: 0}).signals[-1]
    assert (liquidation["kind"], liquidation["fills"], liquidation["close_rate"]) == ("liquidation", 2, "1")
    (bought,) = expect(desk.ledger, {C: 0}).signals
    assert (bought["kind"], bought["direction"], bought["size"]) == ("order", "open", "0.4")


@given(st.decimals(-1000, 1000, places=5), st.decimals("0.00001", 1000, places=5), st.sampled_from(list(Side)))
def test_the_parts_of_a_fill_add_up_and_none_crosses_zero(start: Decimal, sz: Decimal, side: Side) -> None:
    fill = replace(ROW, start_position=start, sz=sz, side=side)
    parts = split(fill)
    assert sum(part.size for part in parts) == Fraction(sz)
    assert sum(part.fee for part in parts) == Fraction(fill.fee)
    assert sum(part.pnl for part in parts) == Fraction(fill.closed_pnl)
    assert parts[0].start == Fraction(start)
    assert parts[-1].end == Fraction(start) + Fraction(sz) * side.sign
    assert all(part.start * part.end >= 0 for part in parts)


@given(st.decimals(-(10**9), 10**9, places=9))
def test_amounts_are_written_exactly_and_without_trailing_zeros(value: Decimal) -> None:
    text = canonical(Fraction(value))
    assert Decimal(text) == value
    assert "E" not in text
    assert not ("." in text and text.endswith("0"))


def test_rounding_is_half_even_and_an_endless_fraction_is_refused() -> None:
    assert canonical(rounded(Fraction("0.25"), 1)) == "0.2"
    assert canonical(rounded(Fraction("-0.35"), 1)) == "-0.4"
    with pytest.raises(ValueError, match="round it first"):
        canonical(Fraction(1, 3))
