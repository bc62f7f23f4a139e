"""Orders: which fills belong together, and how one ends."""

from decimal import Decimal

import msgspec
import pytest

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.fills import Fill, Leg, Side
from hlmonitor.domain.orders import Kind, is_terminal, kind_of, order_id, order_key, order_of, twap_ref

ADDRESS = Address("0x" + "ab" * 20)
FILL = Fill(
    address=ADDRESS,
    coin="BTC",
    px=Decimal(100),
    sz=Decimal(1),
    side=Side.BUY,
    time_ms=1_700_000_000_000,
    start_position=Decimal(0),
    dir="Open Long",
    closed_pnl=Decimal(0),
    hash="0x0",
    oid=5,
    fee=Decimal(0),
    fee_token="USDC",
    tid=7,
)


def changed(**fields: object) -> Fill:
    return msgspec.structs.replace(FILL, **fields)


def test_fills_of_one_order_id_are_one_order_whenever_they_came() -> None:
    assert order_of(FILL) == order_of(changed(time_ms=1_800_000_000_000, tid=8, dir="Close Short"))
    assert order_of(FILL).oid == 5


def test_a_twap_is_one_order_whatever_the_ids_of_its_slices() -> None:
    first, second = (order_of(changed(twap_id=3, oid=oid)) for oid in (10, 11))
    assert first == second == twap_ref(ADDRESS, "BTC", 3)
    assert first.oid < 0
    assert first.kind is Kind.TWAP


def test_system_fills_are_an_order_per_moment() -> None:
    first = order_of(changed(dir="Liquidated Isolated Long"))
    later = order_of(changed(dir="Liquidated Isolated Long", time_ms=FILL.time_ms + 1))
    assert first.is_system
    assert first.oid < 0
    assert order_id(first) != order_id(later)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Open Long", Kind.ORDER),
        ("Long > Short", Kind.ORDER),
        ("Buy", Kind.ORDER),
        ("Liquidated Cross Short", Kind.LIQUIDATION),
        ("Auto-Deleveraging", Kind.ADL),
        ("Settlement", Kind.SETTLEMENT),
        ("Spot Dust Conversion", Kind.DUST),
        ("Net Child Vaults", Kind.VAULT),
        ("Split Outcome", Kind.OUTCOME),
        ("Something New", Kind.UNKNOWN),
    ],
)
def test_the_kind_of_an_order_is_told_by_dir(text: str, kind: Kind) -> None:
    assert kind_of(text) is kind


def test_an_unknown_dir_is_not_taken_for_a_system_order() -> None:
    assert not order_of(changed(dir="Something New")).is_system


def test_every_known_end_and_whatever_ends_like_one_is_terminal() -> None:
    texts = ("filled", "canceled", "marginCanceled", "scheduledCancel", "rejected", "moonRejected", "terminated")
    assert all(is_terminal(text, Decimal(1)) for text in texts)


def test_a_live_order_is_not_at_its_end_even_if_nothing_remains() -> None:
    assert not any(is_terminal(text, Decimal(0)) for text in ("open", "triggered", "activated"))


def test_an_unknown_status_ends_an_order_of_which_nothing_remains() -> None:
    assert is_terminal("neverHeardOf", Decimal(0))
    assert not is_terminal("neverHeardOf", Decimal(1))


def test_keys_of_stored_rows_stay_what_they_are() -> None:
    # A changed digest would orphan every stored row: these values may never change.
    ref = order_of(FILL)
    assert order_id(ref).hex() == "224e454d3441045b754a0a3b19d80b4a"
    assert order_key(ref, Leg.OPEN).hex() == "4076372e748b2b7a84a0f4318b298d1e"
    assert order_key(ref, Leg.CLOSE).hex() == "42d4c04dda6017a971c85338697770e3"
    assert twap_ref(ADDRESS, "BTC", 3).oid == -729953194713209956
