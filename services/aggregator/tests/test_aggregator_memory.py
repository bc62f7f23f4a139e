"""What is forgotten is asked of SQL before it is taken for new."""

from collections.abc import Iterable

from aggregates import START_MS, WHALE, Desk, fill_message, status_message

from hlmonitor.aggregator.core.convert import fill_input, status_of
from hlmonitor.aggregator.core.memory import ORDER_WEIGHT, Budget, Memory
from hlmonitor.aggregator.core.orders import OrderState, hold
from hlmonitor.aggregator.core.recall import AskFor
from hlmonitor.domain.fills import FillDigest
from hlmonitor.domain.orders import OrderId

OLD_FILL = fill_input(fill_message(replayed=True).SerializeToString())
LATE_MS = START_MS + 60_000


def _order(oid: int, fills: int) -> OrderState:
    raws = [fill_message(oid=oid, tid=oid * 100 + number).SerializeToString() for number in range(fills)]
    heard = [fill_input(raw) for raw in raws]
    order = OrderState(heard[0].ref, heard[0].order_id)
    for one in heard:
        order.add(hold(one, 0, uncounted=False), 0)
    return order


def test_old_fill_is_asked_for_once_and_a_live_one_never() -> None:
    desk = Desk()
    live = fill_input(fill_message(tid=2).SerializeToString())
    assert desk.partition.question(live, LATE_MS) is None
    digest = OLD_FILL.digest
    assert desk.partition.question(OLD_FILL, LATE_MS) == (AskFor.FILL, digest)
    desk.learn(fills=[digest])
    assert desk.partition.question(OLD_FILL, LATE_MS) is None
    desk.fill(replayed=True)
    desk.status()
    assert [signal["size"] for signal in desk.signals()] == ["1"]
    assert desk.partition.question(OLD_FILL, LATE_MS) is None


def test_old_fill_that_is_stored_gives_no_second_signal() -> None:
    desk = Desk()
    digest = OLD_FILL.digest
    desk.learn(fills=[digest], stored={digest: OLD_FILL.order_id})
    desk.fill(replayed=True)
    desk.wait(400)
    assert desk.signals() == []
    assert desk.partition.take_tally().duplicates == 1


def test_old_fill_from_before_the_watch_needs_no_question() -> None:
    desk = Desk(watch_from_ms=START_MS + 1)
    assert desk.partition.question(OLD_FILL, LATE_MS) is None


def test_old_status_of_a_finished_order_is_dropped() -> None:
    desk = Desk()
    status = status_of(status_message())
    identity = OLD_FILL.order_id
    assert desk.partition.question(status, START_MS + 100) is None, "a live status is of an order that memory knows"
    assert desk.partition.question(status, LATE_MS) == (AskFor.END, identity)
    desk.learn(orders=[identity], finished=[identity])
    desk.status()
    desk.wait(20)
    assert desk.signals() == []
    assert [gap for batch in desk.batches for gap in batch.gaps] == []


def test_status_is_withdrawn_when_its_fills_turn_out_to_be_told() -> None:
    desk = Desk()
    desk.status()
    digest = OLD_FILL.digest
    desk.learn(fills=[digest], stored={digest: OLD_FILL.order_id})
    desk.fill(replayed=True)
    desk.wait(20)
    assert desk.signals() == []
    assert [gap for batch in desk.batches for gap in batch.gaps] == []
    assert desk.partition.wallets[WHALE].orders == {}
    assert [row.resolved for batch in desk.batches for unit in batch.units for row in unit.statuses][-1]


def _digests(orders: Iterable[OrderState]) -> list[FillDigest]:
    return [digest for order in orders for digest in order.fills]


def test_memory_is_bounded_over_all_partitions_and_forgets_the_oldest_first() -> None:
    each = 3 + ORDER_WEIGHT
    budget = Budget(limit=3 * each)
    first, second = Memory(budget), Memory(budget)
    orders = [_order(oid, 3) for oid in range(1, 5)]
    first.remember(orders[0])
    for order in orders[1:]:
        second.remember(order)
    assert budget.used == 3 * each
    assert [second.order_of(digest) is None for digest in _digests(orders[1:2])] == [True] * 3
    assert all(second.order_of(digest) for digest in _digests(orders[2:]))
    first.close()
    assert budget.used == 2 * each


def test_finished_orders_without_fills_take_their_share_of_the_memory() -> None:
    memory = Memory(Budget(limit=5 * ORDER_WEIGHT))
    ids = [OrderId(bytes([number]) * 16) for number in range(9)]
    for identity in ids:
        memory.remember_finished(identity)
    assert [memory.finished(identity) is not None for identity in ids] == [False] * 4 + [True] * 5


def test_late_fill_joins_what_is_remembered_of_its_order() -> None:
    memory = Memory()
    order = _order(1, 2)
    memory.remember(order)
    memory.remember_stored(OrderId(order.id), FillDigest(b"x" * 16), 0)
    assert len(memory) == 3
    finished = memory.finished(order.id)
    assert finished is not None
    assert finished.filled == 2
