"""What Hypothesis may draw: markets, watch lists, and what happens on the way to the aggregator."""

from fractions import Fraction
from typing import Protocol, TypeVar

from harness import World
from hypothesis import strategies as st
from market import START_MS, SYSTEM_DIRS, Market
from oracle import Fortune, TrueOrder, is_spot

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.watch import WatchEntry

T = TypeVar("T")


class Draw(Protocol):
    """Draws a value, inside a strategy or a test."""

    def __call__(self, strategy: st.SearchStrategy[T], label: object = ...) -> T:
        """A value of the strategy."""
        ...


WALLETS = (Address("0x" + "ab" * 20), Address("0x" + "0c" * 20))
COINS = ("BTC", "@107", "PURR/USDC", "xyz:CL", "flx:CL", "#330")
CANCELS = (
    "canceled", "marginCanceled", "vaultWithdrawalCanceled", "openInterestCapCanceled", "selfTradeCanceled",
    "reduceOnlyCanceled", "siblingFilledCanceled", "delistedCanceled", "liquidatedCanceled", "outcomeSettledCanceled",
    "scheduledCancel", "internalCancel",
)  # fmt: skip
REJECTS = (
    "rejected", "tickRejected", "minTradeNtlRejected", "minTradeSpotNtlRejected", "perpMarginRejected",
    "reduceOnlyRejected", "badAloPxRejected", "iocCancelRejected", "badTriggerPxRejected",
    "marketOrderNoLiquidityRejected", "positionIncreaseAtOpenInterestCapRejected",
    "positionFlipAtOpenInterestCapRejected", "tooAggressiveAtOpenInterestCapRejected", "openInterestIncreaseRejected",
    "insufficientSpotBalanceRejected", "oracleRejected", "perpMaxPositionRejected", "tooManyOpenOrdersRejected",
)  # fmt: skip
ENDS = ("filled", "filled", *CANCELS, "iocCancelRejected", "marketOrderNoLiquidityRejected", "vanished")
"""How an order may end that filled, in part at least; the last text is one that nobody knows."""
REFUSALS = (*REJECTS, *CANCELS, "vanished")
TWAP_ENDS = ("finished", "terminated", "stopped", "error")

usual = st.builds(lambda n, k: Fraction(n, 10**k), st.integers(1, 10**5), st.sampled_from((0, 1, 2, 5)))
wide = st.builds(lambda n, k: Fraction(n, 10**k), st.integers(10**12, 10**14), st.sampled_from((0, 3, 8)))
amounts = st.one_of(usual, usual, usual, wide)
fees = st.builds(lambda n: Fraction(n, 10**6), st.integers(-500, 10**6))
profits = st.builds(lambda n: Fraction(n, 10**4), st.integers(-(10**6), 10**6))
pauses_ms = st.sampled_from((0, 0, 0, 1, 7, 400, 3_000))


values = st.one_of(st.just(Fraction(0)), usual, usual, usual.map(lambda value: -value))
whole_values = st.fixed_dictionaries({"": values, "xyz": values, "flx": values})
whole_balances = st.fixed_dictionaries({"USDC": usual, "USDH": usual, "HYPE": usual, "PURR": usual})
modes = st.sampled_from(("default", "disabled", "unifiedAccount", "unifiedAccount", "portfolioMargin", "later"))
fortunes = st.one_of(
    st.builds(Fortune, values=whole_values, balances=whole_balances, mode=modes),
    st.builds(
        Fortune,
        values=st.none() | st.dictionaries(st.sampled_from(("", "xyz", "flx")), values),
        balances=st.none() | st.dictionaries(st.sampled_from(("USDC", "USDH", "HYPE", "PURR")), usual),
        mode=modes,
    ),
)


def live(market: Market) -> list[TrueOrder]:
    """Orders that may still be filled."""
    return [order for order in market.orders if not order.is_system and order.end is None]


def place(draw: Draw, market: Market) -> TrueOrder:
    """An order of any wallet in any coin, often for the coin that has a position."""
    held = [key for key, position in market.positions.items() if position]
    keys: st.SearchStrategy[tuple[str, str]] = st.tuples(st.sampled_from(WALLETS), st.sampled_from(COINS))
    address, coin = draw(st.one_of(st.sampled_from(held), keys)) if held else draw(keys)
    return market.place(
        address,
        coin,
        draw(st.sampled_from("BA")),
        cloid=draw(st.booleans()),
        twap=draw(st.integers(0, 4)) == 0,
    )


def size_of_fill(draw: Draw, market: Market, order: TrueOrder) -> Fraction:
    """Often just what closes the position, half of it, or more."""
    position = abs(market.positions.get((order.address, order.coin), Fraction(0)))
    choice = draw(st.integers(0, 4)) if position and not is_spot(order.coin) else 4
    if choice == 0:
        return position
    if choice == 1:
        return Fraction(max(1, position.numerator // 2), position.denominator)
    if choice == 2:
        return position + draw(usual)
    return draw(amounts)


def fill(draw: Draw, market: Market, order: TrueOrder) -> None:
    """One execution of an order."""
    text = "Teleported" if draw(st.integers(0, 19)) == 0 else ""
    sz = size_of_fill(draw, market, order)
    market.execute(order, sz, draw(amounts), draw(fees), draw(profits), draw(pauses_ms), text)


def end(draw: Draw, market: Market, order: TrueOrder) -> None:
    """The order's last status: all filled, or something remains."""
    if order.twap_id is not None:
        text = draw(st.sampled_from(TWAP_ENDS))
    else:
        text = draw(st.sampled_from(ENDS if order.executions else REFUSALS))
    remains = Fraction(0)
    if not order.executions or text not in {"filled", "finished", "vanished"}:
        remains = draw(usual)
    market.say(order, text, remains)


def intervene(draw: Draw, market: Market) -> None:
    """The venue acts on a position by itself."""
    text = draw(st.sampled_from(sorted(SYSTEM_DIRS)))
    kind = SYSTEM_DIRS[text]
    coins = {"dust": ("@107", "PURR/USDC"), "outcome": ("#330",)}.get(kind, ("BTC", "xyz:CL"))
    sizes = draw(st.lists(usual, min_size=1, max_size=3))
    order = market.intervene(draw(st.sampled_from(WALLETS)), draw(st.sampled_from(coins)), text, sizes, draw(usual))
    if draw(st.integers(0, 3)) == 0 and kind == "liquidation":
        # The venue may speak of the order id of its own order; that says nothing of an order of the wallet.
        market.say(order, "filled")


def step(draw: Draw, market: Market) -> None:
    """One thing that happens at the venue."""
    orders = live(market)
    choice = draw(st.integers(0, 9))
    if not orders or choice == 0:
        fill(draw, market, place(draw, market))
    elif choice == 1:
        intervene(draw, market)
    elif choice == 2:
        text = draw(st.sampled_from(("open", "triggered", "suspended")))
        market.say(draw(st.sampled_from(orders)), text, Fraction(1))
    elif choice == 3:
        end(draw, market, place(draw, market))
    elif choice <= 6:
        end(draw, market, draw(st.sampled_from(orders)))
    else:
        fill(draw, market, draw(st.sampled_from(orders)))


@st.composite
def markets(draw: st.DrawFn, *, max_steps: int = 14) -> Market:
    """A market after some steps; what is alive then is ended."""
    market = Market()
    for _ in range(draw(st.integers(1, max_steps))):
        step(draw, market)
    for order in live(market):
        if draw(st.integers(0, 7)):
            end(draw, market, order)
    return market


@st.composite
def watch_lists(draw: st.DrawFn) -> dict[Address, WatchEntry]:
    """Both wallets, each watched from the beginning or from later on, patiently or not."""
    return {
        address: WatchEntry(
            address=address,
            watch_from_ms=START_MS + draw(st.sampled_from((0, 0, 0, 1, 2, 408, 5_000))),
            order_timeout_s=draw(st.sampled_from((None, None, None, 0.0, 5.0))),
            backfill_from_ms=draw(st.none() | st.none() | st.integers(START_MS - 1, START_MS + 1_000)),
        )
        for address in WALLETS
    }


@st.composite
def worlds(draw: st.DrawFn, of: st.SearchStrategy[Market]) -> World:
    """An aggregator that was told nothing yet, near the venue's time or behind it, with much memory or little."""
    world = World(
        draw(of),
        draw(watch_lists()),
        lag_ms=draw(st.sampled_from((0, 120_000))),
        forgets=draw(st.booleans()),
        # Everything in time but for long pauses, a part of it, or nothing at all.
        horizon_s=draw(st.sampled_from((6 * 86_400.0, 6 * 86_400.0, 6 * 86_400.0, 121.0, 2.0, 60.0))),
        memory=draw(st.sampled_from((1, 4, 200_000))),
    )
    for address in WALLETS:
        world.own(address, draw(fortunes))
    return world
