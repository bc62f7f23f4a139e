"""Legs: how a fill is split by start position, side and size alone."""

from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.fills import Fill, Leg, Part, Side, digest_of, is_spot, signed_size, split

ADDRESS = Address("0x" + "ab" * 20)
SIZES = st.decimals(min_value="0.00001", max_value=10**9, places=5)
POSITIONS = st.decimals(min_value=-(10**9), max_value=10**9, places=5)
PERPS = st.sampled_from(["BTC", "xyz:CL", "kPEPE"])
SPOTS = st.sampled_from(["@107", "PURR/USDC", "#330"])


def a_fill(
    coin: str = "BTC", side: Side = Side.BUY, sz: Decimal = Decimal(1), start: Decimal = Decimal(0), tid: int = 7
) -> Fill:
    return Fill(
        address=ADDRESS,
        coin=coin,
        px=Decimal(100),
        sz=sz,
        side=side,
        time_ms=1_700_000_000_000,
        start_position=start,
        dir="",
        closed_pnl=Decimal(0),
        hash="0x0",
        oid=5,
        fee=Decimal(0),
        fee_token="USDC",
        tid=tid,
    )


FILLS = st.builds(
    a_fill, coin=st.one_of(PERPS, SPOTS), side=st.sampled_from(Side), sz=SIZES, start=POSITIONS, tid=st.integers(0)
)
PERP_FILLS = st.builds(a_fill, coin=PERPS, side=st.sampled_from(Side), sz=SIZES, start=POSITIONS)


@given(FILLS)
def test_parts_sum_to_the_fill_and_chain_from_its_start_to_its_end(fill: Fill) -> None:
    parts = split(fill)
    assert sum(part.sz for part in parts) == fill.sz
    assert all(part.sz > 0 for part in parts)
    assert parts[0].before == fill.start_position
    assert parts[-1].after == fill.start_position + signed_size(fill)
    assert all(earlier.after == later.before for earlier, later in pairwise(parts))


@given(PERP_FILLS)
def test_no_part_of_a_perp_fill_crosses_zero(fill: Fill) -> None:
    assert all(part.before * part.after >= 0 for part in split(fill))


@given(PERP_FILLS)
def test_a_closing_part_shrinks_the_position_and_an_opening_part_grows_it(fill: Fill) -> None:
    for part in split(fill):
        assert (abs(part.after) < abs(part.before)) == (part.leg is Leg.CLOSE)
        assert part.long == (part.before + part.after > 0)


@given(FILLS)
def test_close_comes_before_open_and_each_at_most_once(fill: Fill) -> None:
    assert [part.leg for part in split(fill)] in ([Leg.OPEN], [Leg.CLOSE], [Leg.CLOSE, Leg.OPEN])


def test_fill_crossing_zero_is_split_exactly_at_zero() -> None:
    flip = a_fill(side=Side.SELL, sz=Decimal("3.5"), start=Decimal("1.25"))
    assert split(flip) == (
        Part(Leg.CLOSE, Decimal("1.25"), Decimal("1.25"), Decimal(0), long=True),
        Part(Leg.OPEN, Decimal("2.25"), Decimal(0), Decimal("-2.25"), long=False),
    )


def test_closing_a_position_to_zero_opens_nothing() -> None:
    whole = a_fill(side=Side.BUY, sz=Decimal(2), start=Decimal(-2))
    assert split(whole) == (Part(Leg.CLOSE, Decimal(2), Decimal(-2), Decimal(0), long=False),)


@given(st.builds(a_fill, coin=SPOTS, side=st.sampled_from(Side), sz=SIZES, start=POSITIONS))
def test_a_spot_buy_opens_and_a_spot_sale_closes_whole(fill: Fill) -> None:
    (part,) = split(fill)
    assert part.leg is (Leg.OPEN if fill.side is Side.BUY else Leg.CLOSE)
    assert part.sz == fill.sz
    assert part.long


def test_spot_pairs_and_outcomes_are_told_from_perps_by_their_names() -> None:
    assert [coin for coin in ("@107", "PURR/USDC", "#330", "BTC", "xyz:CL") if is_spot(coin)] == [
        "@107",
        "PURR/USDC",
        "#330",
    ]


def test_the_identity_of_a_fill_is_where_when_which_trade_and_which_side() -> None:
    fill = a_fill()
    same = a_fill(sz=Decimal(9), start=Decimal(4))
    other_side = a_fill(side=Side.SELL)
    assert digest_of(fill) == digest_of(same)
    assert digest_of(fill) != digest_of(other_side)
    assert digest_of(fill).hex() == "b3c7d2dfe3006cb7583c95fd9be4ac8e"


def test_fills_without_a_trade_id_are_told_apart_by_their_start_position() -> None:
    dust = a_fill(tid=0, start=Decimal(1))
    assert digest_of(dust) == digest_of(a_fill(tid=0, start=Decimal("1.000")))
    assert digest_of(dust) != digest_of(a_fill(tid=0, start=Decimal(2)))
