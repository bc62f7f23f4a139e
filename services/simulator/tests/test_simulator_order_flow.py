"""Whatever wallets do in whatever order, no order is lost, none is in two places, and all say what they filled."""

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from hlmonitor.simulator.core.errors import RefusedError
from hlmonitor.simulator.core.events import TwapTrigger
from hlmonitor.simulator.core.exchange import Exchange
from hlmonitor.simulator.core.orders import Builder, Grouping, Order, OrderRequest, Side, Status, Tif, Tpsl, Trigger
from hlmonitor.simulator.core.state import ExchangeConfig, ExchangeState
from hlmonitor.simulator.core.twap import TwapRequest
from hlmonitor.simulator.testing import Desk, wallet

WALLETS = [wallet(number) for number in range(1, 5)]
BUILDER = wallet(0xB)
START = {"BTC": 66650, "ETH": 3420}
LIVELY = ExchangeConfig(
    open_orders=6,
    most_open_orders=12,
    volume_per_open_order=Decimal(200_000),
    scheduled_cancel_volume=Decimal(50_000),
)
Action = tuple[str, str, OrderRequest, int]


@st.composite
def requests(draw: st.DrawFn) -> OrderRequest:
    coin = draw(st.sampled_from(list(START)))
    side = draw(st.sampled_from(list(Side)))
    start = START[coin]
    px = Decimal(start + draw(st.integers(-30, 30))) if draw(st.booleans()) else None
    trigger = None
    if draw(st.integers(0, 2)) == 0:
        tpsl, is_market = draw(st.sampled_from(list(Tpsl))), px is None
        trigger = Trigger(Decimal(start + draw(st.integers(-40, 40))), tpsl, is_market)
    return OrderRequest(
        coin,
        side,
        Decimal(draw(st.integers(1, 40))) / 10,
        px,
        draw(st.sampled_from([Tif.GTC, Tif.GTC, Tif.IOC, Tif.ALO])),
        draw(st.booleans()),
        draw(st.sampled_from([None, "0x" + "1" * 32])),
        trigger,
        Builder(BUILDER, 10) if draw(st.integers(0, 5)) == 0 else None,
    )


KINDS = [
    *("place", "entry", "position", "oracle", "modify") * 3,
    *("place", "cancel", "cancel_all", "twap", "schedule", "shock", "cap", "withdraw", "leverage"),
]
actions = st.tuples(st.sampled_from(KINDS), st.sampled_from(WALLETS), requests(), st.integers(0, 40))


def protections(request: OrderRequest, side: Side, sz: Decimal, number: int) -> list[OrderRequest]:
    start = START[request.coin]
    sign = side.sign
    legs = [(Tpsl.TAKE_PROFIT, start - sign * (1 + number % 20)), (Tpsl.STOP_LOSS, start + sign * (1 + number % 30))]
    return [
        OrderRequest(request.coin, side, sz, reduce_only=True, trigger=Trigger(Decimal(px), tpsl))
        for tpsl, px in legs[: 1 + number % 2]
    ]


def entry(exchange: Exchange, address: str, request: OrderRequest, number: int) -> None:
    parent = OrderRequest(request.coin, request.side, request.sz, Decimal(START[request.coin] + number - 20))
    children = protections(request, request.side.opposite, request.sz, number)
    exchange.place(address, parent, *children, grouping=Grouping.NORMAL)


def position(exchange: Exchange, address: str, request: OrderRequest, number: int) -> None:
    exchange.place(address, *protections(request, request.side, Decimal(0), number), grouping=Grouping.POSITION)


def chosen(exchange: Exchange, address: str, number: int) -> Order | None:
    mine = list(exchange.state.account(address).all_open())
    return mine[number % len(mine)] if mine else None


def cancel(exchange: Exchange, address: str, number: int) -> None:
    order = chosen(exchange, address, number)
    if order is not None:
        exchange.cancel(address, order.cloid or order.oid, *list(exchange.state.account(address).held_back)[:1])


def modify(exchange: Exchange, address: str, request: OrderRequest, number: int) -> None:
    order = chosen(exchange, address, number)
    if order is not None:
        exchange.modify(address, order.oid, request)


def twap(exchange: Exchange, address: str, request: OrderRequest, number: int) -> None:
    start = START[request.coin]
    wanted = TwapRequest(
        request.coin,
        request.side,
        request.sz,
        300,
        request.reduce_only,
        randomize=number % 2 == 0,
        slice_ms=100,
        stop_px=Decimal(start + request.side.sign * 20) if number % 4 == 0 else None,
        trigger=TwapTrigger(Decimal(start + number - 20), above=number % 2 == 0) if number % 3 == 0 else None,
    )
    exchange.start_twap(address, wanted)


PERFORM: dict[str, Callable[[Exchange, str, OrderRequest, int], object]] = {
    "place": lambda e, a, r, _: e.place(a, r),
    "entry": entry,
    "position": position,
    "cancel": lambda e, a, _, n: cancel(e, a, n),
    "cancel_all": lambda e, a, _r, _n: e.cancel_all(a),
    "modify": modify,
    "twap": twap,
    "schedule": lambda e, a, _, n: e.schedule_cancel(a, e.state.now_ms + 5_000 if n % 4 else None),
    "oracle": lambda e, _, r, n: e.set_oracle(r.coin, Decimal(START[r.coin] + n - 20)),
    "shock": lambda e, _, r, n: e.set_oracle(r.coin, Decimal(START[r.coin]) * (90 + n % 20) / 100),
    "cap": lambda e, _, r, n: e.set_open_interest_cap(r.coin, Decimal(START[r.coin]) * (n % 8) if n % 3 else None),
    "withdraw": lambda e, a, r, _: e.withdraw_orders(Status.INTERNAL_CANCEL, coin=r.coin, address=a),
    "leverage": lambda e, a, r, n: e.set_leverage(a, r.coin, 1 + n),
}


def tried(action: Action) -> Callable[[Exchange], None]:
    def run(exchange: Exchange) -> None:
        kind, address, request, number = action
        with suppress(RefusedError):
            PERFORM[kind](exchange, address, request, number)

    return run


@settings(max_examples=80)
@given(st.lists(st.lists(actions, min_size=1, max_size=3), min_size=1, max_size=40))
def test_orders_are_where_their_status_says_and_say_what_they_filled(flow: list[list[Action]]) -> None:
    desk = Desk(LIVELY)
    for address in WALLETS:
        desk.fund(address, 300_000)
        desk.block(lambda exchange, mine=address: exchange.approve_builder(mine, BUILDER, 10))  # type: ignore[misc]
    for together in flow:
        desk.block(*map(tried, together))
        check_places(desk.exchange.state)
    for _ in range(60):
        desk.block()
    check_places(desk.exchange.state)
    check_lives(desk)


def check_places(state: ExchangeState) -> None:
    assert not state.linked_ends
    booked = {
        order.oid
        for book in state.books.values()
        for side in Side
        for _, orders in book.levels(side)
        for order in orders
    }
    assert booked == {oid for account in state.accounts.values() for oid in account.open_orders}
    waiting = [order for account in state.accounts.values() for order in account.waiting.values()]
    assert len(waiting) == sum(len(book) for book in state.trigger_books.values())
    for account in state.accounts.values():
        assert not account.open_orders.keys() & account.waiting.keys()
        for order in account.all_open():
            assert order.status is Status.OPEN
            check_open(state, order)
        for child in account.held_back.values():
            parents = [order for order in account.all_open() if child in order.children]
            assert len(parents) == 1


def check_open(state: ExchangeState, order: Order) -> None:
    assert order.remaining > 0 or (order.is_position_tpsl and not order.orig_sz)
    if order.reduce_only:
        szi = state.accounts[order.address].on("").szi(order.coin)
        assert szi * order.side.sign < 0
    assert all(order in sibling.siblings for sibling in order.siblings)


def check_lives(desk: Desk) -> None:
    for address in WALLETS:
        fills = desk.ledger.of(address).fills
        for oid, order in desk.ledger.of(address).orders.items():
            assert order.filled == sum(fill.sz for fill in fills if fill.oid == oid)
            told = [update for update in desk.updates(address) if update.oid == oid]
            if not told:
                assert order.origin.value != "order"
                continue
            statuses = [update.status for update in told]
            assert all(status.is_live for status in statuses[:-1])
            assert statuses[-1].is_live == order.is_open
            assert statuses[-1] is order.status
            if order.orig_sz:
                assert told[-1].orig_sz - told[-1].sz == order.filled or order.is_open
            assert all(one.status_ms <= other.status_ms for one, other in pairwise(told))
            assert (statuses[-1] is Status.FILLED) <= (order.remaining == 0)
