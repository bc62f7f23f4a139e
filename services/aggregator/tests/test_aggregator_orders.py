"""What docs/semantics.md does not show by example: what is stored and asked for, and permutations."""

from aggregates import START_MS, WHALE, Desk, fill_message

from hlmonitor.aggregator.core.convert import fill_input
from hlmonitor.aggregator.core.recall import AskFor
from hlmonitor.v1 import events_pb2

SELL = events_pb2.SIDE_SELL


def test_price_of_very_long_numbers_is_exact() -> None:
    desk = Desk()
    desk.fill(sz="1000000000000.00000001", px="9876543210.12345678", tid=1)
    desk.fill(sz="0.00000001", px="0.00000001", tid=2, start_position="1000000000000.00000001")
    desk.status(orig_sz="1000000000000.00000002")
    (signal,) = desk.signals()
    assert signal["notional_usd"] == "9876543210123456780098.7654321012345679"


def test_rejected_order_without_fills_stores_nothing() -> None:
    desk = Desk()
    desk.status(status="iocCancelRejected", remaining_sz="1")
    assert desk.partition.outbox.is_idle
    assert desk.partition.wallet(next(iter(desk.partition.wallets))).orders == {}


def test_what_an_end_lacks_has_as_long_to_come_when_it_could_be_asked_for_only_late() -> None:
    desk = Desk()
    desk.caught_up()
    desk.fill(sz="0.4")
    desk.status()
    # SQL is away: no timer runs meanwhile.
    desk.now_s += 9.5
    desk.wait(0.5)
    assert len(desk.partition.take_requests()) == 1
    desk.wait(8)
    assert desk.signals() == []
    desk.fill(sz="0.6", tid=2, start_position="0.4", replayed=True)
    (signal,) = desk.signals()
    assert (signal["complete"], signal["fills"]) == (True, 2)


def test_what_waited_behind_each_other_longer_than_the_grace_is_taken_in_whole() -> None:
    desk = Desk()
    desk.caught_up()
    desk.fill(sz="0.4")
    desk.status()
    desk.wait(1)
    # The rest came, and waited for SQL.
    desk.now_s += 20
    desk.fill(sz="0.3", tid=2, start_position="0.4", replayed=True)
    assert desk.signals() == []
    desk.fill(sz="0.3", tid=3, start_position="0.7", replayed=True)
    (signal,) = desk.signals()
    assert (signal["complete"], signal["fills"]) == (True, 3)


def test_partial_that_is_due_waits_for_the_fills_behind_the_one_that_was_heard() -> None:
    desk = Desk(order_timeout_s=5)
    desk.caught_up()
    desk.fill(sz="0.4")
    desk.now_s += 6
    desk.fill(sz="0.6", tid=2, start_position="0.4")
    assert desk.signals() == []
    desk.wait(0.5)
    (signal,) = desk.signals()
    assert (signal["trigger"], signal["fills"]) == ("timeout", 2)


def test_status_whose_fills_are_missing_asks_for_backfill_then_goes_out_incomplete() -> None:
    desk = Desk()
    desk.fill(sz="0.4")
    desk.status()
    desk.wait(1.5)
    (request,) = desk.partition.take_requests()
    assert (request.address, request.feed) == (desk.partition.wallets.popitem()[0], events_pb2.FEED_USER_FILLS)


def test_status_for_the_id_of_a_liquidation_that_is_told_already_is_taken_back() -> None:
    desk = Desk()
    liquidation = {"sz": "2", "start_position": "2", "oid": 9, "side": SELL, "dir": "Liquidated Cross Long"}
    desk.fill(**liquidation)
    desk.wait(2)
    # A new owner knows the fill's identity, not the order id that it came with.
    desk.partition.wallet(WHALE).system_oids.clear()
    desk.status(oid=9, orig_sz="2")
    desk.wait(2)
    desk.fill(**liquidation)
    desk.wait(15)
    assert [signal["kind"] for signal in desk.signals()] == ["liquidation"]
    assert [gap for batch in desk.batches for gap in batch.gaps] == []


def test_kind_does_not_hang_on_whether_a_fill_before_the_watch_came_first_or_last() -> None:
    seen = []
    early = {"sz": "0.4", "tid": 1, "time_ms": START_MS - 5, "dir": "Teleported Long"}
    late = {"sz": "0.6", "tid": 2, "start_position": "0.4"}
    for fills in ([early, late], [late, early]):
        desk = Desk(watch_from_ms=START_MS)
        desk.status()
        for fields in fills:
            desk.fill(**fields)
        seen += [(signal["kind"], signal["size"]) for signal in desk.signals()]
    assert seen == [("unknown", "0.6"), ("unknown", "0.6")]


def test_order_of_the_venue_itself_has_a_negative_id() -> None:
    desk = Desk()
    desk.fill(side=SELL, start_position="1", dir="Liquidated Cross Long", hash="0x0")
    desk.wait(1)
    assert [signal["oid"] < 0 for signal in desk.signals()] == [True]


def test_numbers_are_dense_over_orders() -> None:
    desk = Desk()
    for oid in range(1, 6):
        desk.fill(oid=oid, tid=oid, sz="2", start_position="-1", dir="Short > Long")
        desk.status(oid=oid, orig_sz="2")
    assert [signal["number"] for signal in desk.signals()] == list(range(1, 11))


def test_same_signals_for_any_order_of_fills_within_a_millisecond() -> None:
    fields = [
        {"sz": "1", "tid": 9, "start_position": "0"},
        {"sz": "2", "tid": 3, "start_position": "1"},
        {"sz": "3", "tid": 5, "start_position": "3"},
    ]
    seen = set()
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        desk = Desk()
        for index in order:
            desk.fill(**fields[index])
        desk.status(orig_sz="6")
        (signal,) = desk.signals()
        seen.add((signal["id"], signal["start_position"], signal["end_position"]))
    assert seen == {(f"{desk.rows[0].address}:BTC:1:open:{START_MS}-9", "0", "6")}


def test_shorter_timeout_holds_for_orders_that_wait_already() -> None:
    for timeout_s in (0.0, 5.0):
        desk = Desk()
        desk.fill(sz="0.4")
        desk.wait(10)
        desk.watch(order_timeout_s=timeout_s)
        assert [signal["trigger"] for signal in desk.signals()] == ["timeout"]


def test_live_repeat_of_a_fill_that_memory_had_to_forget_is_asked_of_sql() -> None:
    desk = Desk()
    desk.partition.memory.budget.limit = 1
    for oid in (1, 2):
        desk.fill(oid=oid, tid=oid)
        desk.status(oid=oid)
    repeat = fill_input(fill_message().SerializeToString())
    # Not committed yet: the batch that gathers knows it.
    assert desk.partition.question(repeat, 0) is None
    desk.fill()
    assert len(desk.signals()) == 2
    assert desk.partition.question(repeat, 0) == (AskFor.FILL, repeat.digest)
    desk.learn(fills=[repeat.digest], stored={repeat.digest: repeat.order_id})
    desk.fill()
    desk.fill(oid=3, tid=3, time_ms=START_MS + 1)
    desk.status(oid=3)
    assert [signal["oid"] for signal in desk.signals()] == [1, 2, 3]


def test_answer_of_sql_holds_until_its_fill_is_told_however_little_memory_there_is() -> None:
    desk = Desk()
    desk.partition.memory.budget.limit = 1
    repeats = [fill_input(fill_message(oid=oid, tid=oid, replayed=True).SerializeToString()) for oid in (1, 2, 3)]
    stored = {repeat.digest: repeat.order_id for repeat in repeats}
    desk.learn(fills=list(stored), stored=stored)
    for oid in (1, 2, 3):
        desk.fill(oid=oid, tid=oid, replayed=True)
        desk.status(oid=oid, status_time_ms=START_MS)
    assert desk.partition.take_tally().duplicates == 3


def test_liquidated_wallet_is_told_by_its_address_whatever_the_dir() -> None:
    for victim, kinds in ((WHALE, ["liquidation"]), ("0x" + "cd" * 20, [])):
        desk = Desk()
        told = events_pb2.Liquidation(liquidated_user=victim, mark_px="90", method="market")
        desk.fill(sz="1", start_position="1", side=SELL, dir="Close Long", liquidation=told)
        desk.wait(3)
        assert [signal["kind"] for signal in desk.signals()] == kinds
