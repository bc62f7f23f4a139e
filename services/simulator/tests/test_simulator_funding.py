import json
from decimal import Decimal

from hlmonitor.simulator.core.durations import HOUR_MS
from hlmonitor.simulator.core.exchange import Exchange
from hlmonitor.simulator.core.funding import SAMPLE_MS
from hlmonitor.simulator.core.ledger import Ledger
from hlmonitor.simulator.core.listings import default_universe
from hlmonitor.simulator.core.orders import Side
from hlmonitor.simulator.core.state import ExchangeConfig
from hlmonitor.simulator.testing import request, wallet
from hlmonitor.simulator.wire.listing import perp_context
from hlmonitor.simulator.wire.states import clearinghouse_state

A, B, C = wallet(1), wallet(2), wallet(3)
HOUR_0 = 1_700_000_000_000 // HOUR_MS * HOUR_MS


class Hours:
    """An exchange whose blocks are given their times. A is long 2 BTC of B, at the oracle of 66,650."""

    def __init__(self, *, isolated: bool = False) -> None:
        self.ledger = Ledger()
        self.exchange = Exchange(default_universe(), ExchangeConfig(), self.ledger, HOUR_0)
        self.at(1_000)
        for address in (A, B, C):
            self.exchange.deposit(address, Decimal(10_000_000))
        if isolated:
            self.exchange.state.account(A).isolated.add("BTC")
        self.exchange.place(B, request(Side.SELL, "2", "66650"))
        self.exchange.place(A, request(Side.BUY, "2", "66650"))
        self.exchange.end_block()

    def at(self, after_ms: int) -> None:
        self.exchange.begin_block(HOUR_0 + after_ms)

    def block(self, after_ms: int) -> None:
        self.at(after_ms)
        self.exchange.end_block()

    def quote(self, bid: str, ask: str) -> None:
        self.at(1_500)
        self.exchange.place(C, request(Side.BUY, "10", bid), request(Side.SELL, "10", ask))
        self.exchange.end_block()

    def cash(self, address: str) -> Decimal:
        return self.exchange.state.account(address).on("").cash


def test_without_a_premium_longs_pay_the_interest_of_an_hour() -> None:
    hours = Hours()
    before = hours.cash(A), hours.cash(B)
    hours.block(HOUR_MS - 1)
    assert hours.cash(A) == before[0]
    hours.block(HOUR_MS)
    paid = Decimal(2 * 66_650) * Decimal("0.0000125")
    assert (hours.cash(A), hours.cash(B)) == (before[0] - paid, before[1] + paid)
    (payment,) = hours.ledger.of(A).fundings
    assert (payment.usdc, payment.szi, payment.rate) == (-paid, Decimal(2), Decimal("0.0000125"))
    assert payment.time == HOUR_0 + HOUR_MS


def test_a_book_above_the_oracle_makes_longs_pay_more_and_one_below_makes_shorts_pay() -> None:
    rich, cheap = Hours(), Hours()
    rich.quote("67000", "67010")
    cheap.quote("66300", "66310")
    for hours in (rich, cheap):
        hours.block(SAMPLE_MS)
        hours.block(HOUR_MS)
    premium = (Decimal(350) / 66_650).quantize(Decimal("1e-10"))
    high = (premium - Decimal("0.0005")) / 8
    assert rich.ledger.of(A).fundings[0].rate == high.quantize(Decimal("1e-10"))
    assert rich.exchange.funding.history["BTC"][0].premium == premium
    assert cheap.ledger.of(A).fundings[0].usdc > 0


def test_the_rate_is_the_average_of_the_hour_and_never_above_four_percent() -> None:
    hours = Hours()
    hours.block(SAMPLE_MS)
    hours.at(SAMPLE_MS + 1)
    hours.exchange.place(C, request(Side.BUY, "10", "66000"), request(Side.SELL, "10", "66010"))
    hours.exchange.set_oracle("BTC", Decimal(10_000))
    hours.exchange.end_block()
    hours.block(2 * SAMPLE_MS)
    assert hours.exchange.funding.premium("BTC") == Decimal("5.6")
    assert hours.exchange.funding.rate("BTC") == Decimal("0.04")


def test_funding_of_an_isolated_position_comes_out_of_its_own_cash() -> None:
    hours = Hours(isolated=True)
    margin = hours.exchange.state.account(A).on("")
    cross, own = margin.raw_usd, margin.positions["BTC"].raw_usd
    assert own is not None
    hours.block(HOUR_MS)
    assert margin.raw_usd == cross
    assert margin.positions["BTC"].raw_usd == own - Decimal("1.66625")


def test_cumulative_funding_counts_since_ever_since_open_and_since_the_last_change() -> None:
    hours = Hours()
    hours.block(HOUR_MS)
    hours.at(HOUR_MS + 1)
    hours.exchange.place(B, request(Side.SELL, "1", "66650"))
    hours.exchange.place(A, request(Side.BUY, "1", "66650"))
    hours.exchange.end_block()
    hours.block(2 * HOUR_MS)
    state = json.loads(json.dumps(clearinghouse_state(hours.exchange, A, "")))
    (row,) = state["assetPositions"]
    assert row["position"]["cumFunding"] == {"allTime": "4.165625", "sinceOpen": "4.165625", "sinceChange": "2.499375"}


def test_the_context_shows_the_rate_under_way_premium_and_impact_prices() -> None:
    hours = Hours()
    btc = hours.exchange.state.universe.get("BTC")
    assert perp_context(hours.exchange, btc)["premium"] is None
    hours.quote("67000", "67010")
    hours.block(SAMPLE_MS)
    context = perp_context(hours.exchange, btc)
    assert context["impactPxs"] == ["67000.0", "67010.0"]
    assert context["premium"] == "0.0052513128"
    assert context["funding"] == "0.0005939141"


def test_what_rounding_leaves_is_booked_so_that_no_cash_is_lost() -> None:
    hours = Hours()
    hours.at(2_000)
    hours.exchange.place(B, request(Side.SELL, "0.00333", "66651"))
    hours.exchange.place(C, request(Side.BUY, "0.00333", "66651"))
    hours.exchange.set_oracle("BTC", Decimal("66651.37"))
    hours.exchange.end_block()
    hours.block(HOUR_MS)
    state = hours.exchange.state
    assert sum(map(hours.cash, (A, B, C))) + state.perp_fees[""] == state.perp_deposits[""]
