"""Orders of which everything was sent rest in SQL, and come back with what happens to them."""

import pickle
from hashlib import blake2b

import pytest
from aggregates import START_MS, WHALE, Desk, fill_message, status_message
from stored import Stored

from hlmonitor.aggregator.core.convert import fill_input, status_of
from hlmonitor.aggregator.core.recall import AskFor
from hlmonitor.aggregator.core.resting import Resting
from hlmonitor.aggregator.core.restore import Restorer
from hlmonitor.domain.orders import OrderId
from hlmonitor.domain.partitions import PARTITIONS

IDENTITY = fill_input(fill_message().SerializeToString()).order_id
TO_REST_S = 400


class Sleeper:
    """A desk with storage behind it, and one order that filled in part and rests."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.stored = Stored()
        self.desk.fill(sz="0.4")
        self.pass_time(TO_REST_S)

    def pass_time(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.desk.wait(1)
            self.save()

    def save(self) -> None:
        before = len(self.desk.batches)
        self.desk.commit()
        for batch in self.desk.batches[before:]:
            self.stored.apply(batch)

    def asks(self) -> list[AskFor]:
        """What SQL is asked before the order's end is taken in; it is answered."""
        return self.stored.answer(self.desk.partition, status_of(status_message()), START_MS, self.desk.now)

    def sizes(self) -> list[tuple[str, str, bool]]:
        return [(signal["size"], signal["trigger"], signal["complete"]) for signal in self.desk.signals()]


@pytest.fixture
def sleeper() -> Sleeper:
    return Sleeper()


def test_order_that_was_sent_and_is_quiet_leaves_memory(sleeper: Sleeper) -> None:
    assert sleeper.desk.partition.wallets[WHALE].orders == {}
    assert sleeper.sizes() == [("0.4", "timeout", False)]


def test_order_whose_fills_are_not_sent_yet_stays() -> None:
    desk = Desk()
    desk.fill(sz="0.4")
    desk.wait(200)
    assert IDENTITY in desk.partition.wallets[WHALE].orders


def test_order_whose_batch_is_not_committed_yet_stays() -> None:
    desk = Desk()
    desk.fill(sz="0.4")
    desk.wait(TO_REST_S)
    assert IDENTITY in desk.partition.wallets[WHALE].orders
    desk.commit()
    desk.wait(11)
    assert desk.partition.wallets[WHALE].orders == {}


def test_repeat_of_a_resting_orders_fill_is_known_without_a_question(sleeper: Sleeper) -> None:
    repeat = fill_input(fill_message(sz="0.4").SerializeToString())
    assert sleeper.desk.partition.question(repeat, START_MS) is None
    sleeper.desk.fill(sz="0.4")
    assert sleeper.desk.partition.take_tally().duplicates == 1


def test_resting_order_goes_on_with_the_rest_when_its_end_comes(sleeper: Sleeper) -> None:
    assert sleeper.asks() == [AskFor.REST]
    sleeper.desk.fill(sz="0.6", tid=2, start_position="0.4", time_ms=START_MS + 1)
    sleeper.desk.status()
    sleeper.save()
    assert sleeper.sizes() == [("0.4", "timeout", False), ("0.6", "status", True)]
    assert [row.total_size for row in sleeper.stored.rows.values()] == ["1"]
    assert all(row.finished for row in sleeper.stored.rows.values())


def test_order_that_is_woken_for_nothing_rests_again(sleeper: Sleeper) -> None:
    assert sleeper.asks() == [AskFor.REST]
    assert IDENTITY in sleeper.desk.partition.wallets[WHALE].orders
    sleeper.pass_time(70)
    assert sleeper.desk.partition.wallets[WHALE].orders == {}
    assert len(sleeper.sizes()) == 1


def test_next_owner_is_told_which_orders_rest_and_loads_none_of_them(sleeper: Sleeper) -> None:
    sleeper.desk = Desk()
    restorer = Restorer(sleeper.desk.partition, sleeper.desk.now)
    for item in sleeper.stored.load():
        restorer.take(item)
    restorer.finish()
    assert sleeper.desk.partition.wallets[WHALE].orders == {}
    assert sleeper.asks() == [AskFor.REST]
    sleeper.desk.fill(sz="0.6", tid=2, start_position="0.4", time_ms=START_MS + 1)
    sleeper.desk.status()
    assert sleeper.sizes() == [("0.6", "status", True)]


def test_order_that_only_looks_like_a_resting_one_costs_one_question(sleeper: Sleeper) -> None:
    stranger = fill_input(fill_message(oid=2, tid=7).SerializeToString())
    partition = sleeper.desk.partition
    partition.decider.resting.add(stranger.order_id)
    assert sleeper.stored.answer(partition, stranger, START_MS, sleeper.desk.now) == [AskFor.REST]


def test_memory_for_resting_orders_is_the_same_for_a_hundred_thousand(sleeper: Sleeper) -> None:
    resting = sleeper.desk.partition.decider.resting
    before = len(pickle.dumps(resting))
    for number in range(100_000):
        resting.add(_digest(number))
    assert len(pickle.dumps(resting)) == before
    assert all(resting.must_ask(_digest(number)) for number in range(0, 100_000, 1_000))


def test_with_a_million_resting_orders_hardly_another_is_taken_for_one() -> None:
    resting = Resting()
    for number in range(1_000_000 // PARTITIONS):
        resting.add(_digest(number))
    assert sum(resting.must_ask(_digest(-number)) for number in range(1, 20_000)) <= 1


def _digest(number: int) -> OrderId:
    return OrderId(blake2b(str(number).encode(), digest_size=16).digest())


def test_end_told_twice_while_the_first_is_on_its_way_to_storage_is_a_repeat(sleeper: Sleeper) -> None:
    sleeper.asks()
    sleeper.desk.fill(sz="0.6", tid=2, start_position="0.4", time_ms=START_MS + 1)
    sleeper.save()
    sleeper.desk.status()
    # Its end is not committed: storage still says that the order is open, and that nobody took the second fill.
    assert sleeper.asks() == []
    sleeper.desk.status()
    sleeper.save()
    assert sleeper.sizes() == [("0.4", "timeout", False), ("0.6", "status", True)]


def test_resting_orders_of_a_removed_wallet_are_finished(sleeper: Sleeper) -> None:
    sleeper.desk.partition.watch({}, sleeper.desk.now)
    sleeper.save()
    assert all(row.finished for row in sleeper.stored.rows.values())


def test_order_that_rests_over_its_wallets_removal_goes_on_when_the_wallet_comes_back(sleeper: Sleeper) -> None:
    sleeper.desk.partition.watch({}, sleeper.desk.now)
    sleeper.save()
    sleeper.desk.watch()
    assert sleeper.asks() == [AskFor.REST]
    sleeper.desk.fill(sz="0.6", tid=2, start_position="0.4", time_ms=START_MS + 1)
    sleeper.desk.status()
    sleeper.save()
    assert sleeper.sizes() == [("0.4", "timeout", False), ("0.6", "status", True)]
    assert all(row.finished for row in sleeper.stored.rows.values())


def test_order_that_wakes_again_and_again_is_remembered_once(sleeper: Sleeper) -> None:
    sleeper.asks()
    sleeper.pass_time(70)
    before = len(pickle.dumps(sleeper.desk.partition.memory.finished(IDENTITY)))
    for _ in range(3):
        sleeper.asks()
        sleeper.pass_time(70)
    assert len(pickle.dumps(sleeper.desk.partition.memory.finished(IDENTITY))) == before
