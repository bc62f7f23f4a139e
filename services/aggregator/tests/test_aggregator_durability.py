"""Batches, acknowledgements, publishing order, and what a new owner knows."""

from decimal import Decimal

import msgspec
import pytest
from aggregates import START_MS, WHALE, Desk, FixedMarkets, fill_message
from stored import Stored

from hlmonitor.aggregator.core.acks import AckLedger
from hlmonitor.aggregator.core.batch import Outbox
from hlmonitor.aggregator.core.convert import FieldError, fill_of, input_of
from hlmonitor.aggregator.core.doubts import FILL_FEEDS
from hlmonitor.aggregator.core.partition import Partition
from hlmonitor.aggregator.core.payload import legacy_json
from hlmonitor.aggregator.core.publishing import PublishQueue
from hlmonitor.aggregator.core.requests import BackfillRequest, ResumeRequest
from hlmonitor.aggregator.core.restore import Restorer
from hlmonitor.aggregator.core.triggers import Patience
from hlmonitor.domain.fills import digest_of
from hlmonitor.domain.orders import order_id, order_of, void_id
from hlmonitor.domain.watch import WatchEntry
from hlmonitor.v1 import events_pb2, storage_pb2


def test_batch_in_flight_is_frozen_and_the_next_waits_for_it() -> None:
    desk = Desk()
    outbox = desk.partition.outbox
    desk.fill(tid=1, sz="0.4")
    first = outbox.freeze(desk.now_s)
    assert first is not None
    before = first.message.SerializeToString(deterministic=True)
    desk.fill(tid=2, sz="0.6", start_position="0.4")
    desk.status()
    assert outbox.freeze(desk.now_s) is None
    assert first.message.SerializeToString(deterministic=True) == before
    assert outbox.done(1, []) == []
    second = outbox.freeze(desk.now_s)
    assert second is not None
    assert [row.number for row in outbox.done(2, [])] == [1]


def test_signal_carries_the_marks_of_all_its_fills() -> None:
    desk = Desk()
    desk.fill(tid=1, sz="0.4")
    desk.commit()
    desk.fill(tid=2, sz="0.6", start_position="0.4")
    desk.status()
    desk.commit()
    unit = desk.batches[-1].units[0]
    stored = digest_of(fill_of(fill_message(tid=1, sz="0.4").SerializeToString()))
    assert [(mark.digest, mark.number) for mark in unit.marks] == [(stored, 1)]
    assert [row.open_number for row in unit.fills] == [1]
    assert (unit.rows[0].finished, unit.rows[0].signal_sent, unit.rows[0].direction) == (True, True, "Open Long")
    assert len(msgspec.json.decode(unit.rows[0].fills_json)) == 2


def test_answer_to_another_batch_releases_nothing() -> None:
    desk = Desk()
    desk.fill()
    desk.status()
    desk.partition.outbox.freeze(desk.now_s)
    assert desk.partition.outbox.done(7, []) == []
    assert [row.number for row in desk.partition.outbox.done(1, [])] == [1]


def test_void_is_published_in_the_place_of_a_dead_lettered_signal() -> None:
    desk = Desk()
    for oid in (1, 2):
        desk.fill(oid=oid, tid=oid)
        desk.status(oid=oid)
    batch = desk.partition.outbox.freeze(desk.now_s)
    assert batch is not None
    void = storage_pb2.SignalRow(signal_id=void_id(WHALE, 1), address=WHALE, number=1)
    letter = storage_pb2.DeadLetter(reason="22003", signal_ids=[batch.signals[0].signal_id], voids=[void])
    assert desk.partition.outbox.done(1, [letter]) == [batch.signals[1], void]


def test_event_is_acknowledged_when_everything_open_at_its_receipt_is_committed() -> None:
    desk = Desk()
    outbox, ledger = desk.partition.outbox, AckLedger()
    desk.fill(tid=1, sz="0.4")
    ledger.receive(1, outbox.needs_batch)
    outbox.freeze(desk.now_s)
    desk.fill(tid=1, sz="0.4")
    ledger.receive(2, outbox.needs_batch)
    desk.fill(tid=2, sz="0.6", start_position="0.4")
    ledger.receive(3, outbox.needs_batch)
    assert ledger.committed(outbox.committed) is None
    outbox.done(1, [])
    assert ledger.committed(outbox.committed) == 2
    outbox.freeze(desk.now_s)
    outbox.done(2, [])
    assert ledger.committed(outbox.committed) == 3


def test_window_that_is_sent_again_is_acknowledged_again() -> None:
    ledger = AckLedger()
    for seq in (1, 2, 3):
        ledger.receive(seq, 1)
    for seq in (1, 2, 3):
        ledger.receive(seq, 2)
    assert ledger.committed(1) is None
    assert ledger.committed(2) == 3


def _row(number: int) -> storage_pb2.SignalRow:
    return storage_pb2.SignalRow(signal_id=str(number), address=WHALE, number=number)


def test_signals_are_published_in_number_order_whatever_the_order_of_commits() -> None:
    queue = PublishQueue()
    queue.add(_row(2))
    assert queue.head() is None
    queue.add(_row(1))
    assert queue.head() == _row(1)
    queue.confirmed(10)
    assert (queue.head(), queue.last_seq) == (_row(2), 10)


def test_refusal_tells_which_signals_the_stream_holds() -> None:
    queue = PublishQueue(next_number=5)
    for number in (5, 6, 7):
        queue.add(_row(number))
    queue.refused({"of another database": 40}, last_seq=40)
    assert (queue.head_seq, queue.last_seq) == (None, 40)
    queue.refused({"5": 41, "6": 42}, last_seq=42)
    for seq in (41, 42):
        assert queue.head_seq == seq
        queue.confirmed(seq)
    assert (queue.head_seq, queue.head(), queue.last_seq) == (None, _row(7), 42)


def _reborn(desk: Desk, *, watch_from_ms: int = 0, is_watched: bool = True) -> Desk:
    """A new owner that has what the writer would return of the desk's commits."""
    desk.commit()
    heir = Desk(watch_from_ms=watch_from_ms, now_s=desk.now_s)
    heir.partition = Partition(0, Outbox(0, 2), FixedMarkets())
    entries = {WHALE: WatchEntry(address=WHALE, watch_from_ms=watch_from_ms)} if is_watched else {}
    heir.partition.watch(entries, heir.now)
    restorer = Restorer(heir.partition, heir.now)
    storage = Stored()
    for batch in desk.batches:
        storage.apply(batch)
    for item in storage.load():
        restorer.take(item)
    restorer.finish()
    heir.stored = storage
    return heir


def test_new_owner_finishes_what_the_old_one_began() -> None:
    desk = Desk()
    desk.fill(sz="0.4", tid=1)
    heir = _reborn(desk)
    heir.fill(sz="0.4", tid=1)
    heir.fill(sz="0.6", tid=2, start_position="0.4")
    heir.status()
    (signal,) = heir.signals()
    assert (signal["size"], signal["complete"], signal["number"]) == ("1", True, 1)


def test_new_owner_knows_a_status_that_came_before_its_fills() -> None:
    desk = Desk()
    desk.status()
    heir = _reborn(desk)
    heir.fill()
    (signal,) = heir.signals()
    assert (signal["complete"], signal["trigger"]) == (True, "status")


def test_new_owner_repeats_no_signal() -> None:
    desk = Desk()
    desk.fill()
    desk.status()
    heir = _reborn(desk)
    heir.fill()
    heir.status()
    heir.wait(20)
    assert heir.signals() == []
    assert [gap for batch in heir.batches for gap in batch.gaps] == []


def test_new_owner_waits_for_nothing_of_an_order_that_ended_before_the_watch() -> None:
    desk = Desk(watch_from_ms=START_MS)
    desk.status()
    desk.fill(time_ms=START_MS - 5)
    heir = _reborn(desk, watch_from_ms=START_MS)
    assert heir.partition.wallets[WHALE].orders == {}
    heir.fill(time_ms=START_MS - 5)
    heir.status()
    assert (heir.partition.wallets[WHALE].orders, heir.signals()) == ({}, [])


def test_new_owner_goes_on_with_an_order_that_had_finished_in_the_batch_of_its_late_fill() -> None:
    desk = Desk()
    fields = {"side": events_pb2.SIDE_SELL, "dir": "Liquidated Cross Long"}
    desk.fill(tid=1, start_position="2", **fields)
    desk.wait(2)
    desk.fill(tid=2, start_position="1", **fields)
    heir = _reborn(desk)
    heir.wait(2)
    (signal,) = heir.signals()
    assert (signal["size"], signal["number"]) == ("1", 2)


def test_new_owner_knows_the_status_of_an_order_that_a_late_fill_opened_again() -> None:
    desk = Desk()
    desk.fill(sz="0.4", tid=1)
    desk.status()
    desk.wait(11)
    desk.commit()
    desk.fill(sz="0.3", tid=2, start_position="0.4")
    heir = _reborn(desk)
    heir.caught_up()
    heir.wait(11)
    (signal,) = heir.signals()
    assert (signal["size"], signal["trigger"], signal["status"]) == ("0.3", "grace", "filled")
    assert heir.partition.wallets[WHALE].orders == {}
    assert all(row.resolved for batch in heir.batches for unit in batch.units for row in unit.statuses)


@pytest.mark.parametrize("is_new_owner", [True, False])
def test_an_end_without_its_fills_is_no_gap_before_a_gateway_has_caught_up(is_new_owner: bool) -> None:  # noqa: FBT001
    desk = Desk()
    desk.status()
    if is_new_owner:
        desk = _reborn(desk)
    else:
        desk.caught_up()
        desk.partition.lost_gateway(WHALE, desk.now)
    desk.wait(30)
    desk.partition.opened(WHALE)
    desk.wait(25)
    desk.fill()
    desk.cover()
    (signal,) = desk.signals()
    assert (signal["complete"], signal["trigger"]) == (True, "status")
    assert [gap for batch in desk.batches for gap in batch.gaps] == []


def test_an_end_without_its_fills_waits_until_somebody_has_read_the_feed_through_it() -> None:
    desk = Desk()
    desk.status()
    heir = _reborn(desk)
    heir.wait(120)
    heir.caught_up(through_ms=START_MS - 1)
    heir.wait(30)
    assert isinstance(heir.partition.take_requests()[-1], BackfillRequest)
    heir.fill()
    (signal,) = heir.signals()
    assert (signal["complete"], signal["trigger"]) == (True, "status")
    assert [gap for batch in heir.batches for gap in batch.gaps] == []


@pytest.mark.parametrize("is_late", [True, False])
def test_an_end_without_its_fills_cannot_be_proven_once_the_feed_was_read_without_them(is_late: bool) -> None:  # noqa: FBT001
    desk = Desk()
    desk.caught_up()
    desk.status()
    desk.wait(30 if is_late else 1)
    desk.cover(from_ms=START_MS, through_ms=START_MS)
    desk.wait(11)
    desk.commit()
    (gap,) = (gap for batch in desk.batches for gap in batch.gaps)
    assert (gap.state, gap.from_ms, gap.to_ms) == ("unprovable", START_MS, START_MS)


def test_an_end_without_its_fills_that_the_venue_shows_no_more_cannot_be_proven() -> None:
    desk = Desk()
    desk.caught_up()
    desk.status()
    fills = events_pb2.FEED_USER_FILLS
    lost = events_pb2.Gap(address=WHALE, feed=fills, from_ms=0, to_ms=START_MS + 50, reason="too old")
    desk.partition.gap(lost, desk.now)
    _cover(desk, fills, START_MS + 50, START_MS + 90)
    desk.wait(11)
    assert desk.partition.wallets[WHALE].orders == {}
    desk.commit()
    assert [gap.reason for batch in desk.batches for gap in batch.gaps] == ["too old", "no fill of order 1 was seen"]


def test_an_end_without_its_fills_leaves_the_gap_open_that_begins_with_the_order() -> None:
    desk = Desk()
    desk.caught_up()
    desk.status()
    desk.cover(from_ms=START_MS, through_ms=START_MS)
    gap = events_pb2.Gap(address=WHALE, feed=events_pb2.FEED_USER_FILLS, from_ms=START_MS, reason="closed")
    desk.partition.gap(gap, desk.now)
    desk.wait(90)
    desk.commit()
    told = [(gap.state, gap.from_ms) for batch in desk.batches for gap in batch.gaps]
    assert sorted(told) == [("open", START_MS), ("unprovable", START_MS - 1)]


def test_a_reading_that_begins_within_a_gap_proves_nothing_of_an_end_without_its_fills() -> None:
    desk = Desk()
    desk.caught_up()
    fills = events_pb2.FEED_USER_FILLS
    desk.partition.gap(events_pb2.Gap(address=WHALE, feed=fills, from_ms=START_MS - 9, reason="closed"), desk.now)
    desk.status()
    _cover(desk, fills, START_MS, START_MS)
    desk.wait(90)
    assert desk.partition.wallets[WHALE].orders
    _cover(desk, fills, START_MS - 9, START_MS)
    desk.wait(11)
    assert desk.partition.wallets[WHALE].orders == {}


def test_an_end_of_an_order_that_is_older_than_the_watch_records_no_gap() -> None:
    desk = Desk(watch_from_ms=START_MS)
    desk.caught_up()
    desk.status(order_time_ms=START_MS - 1)
    desk.cover(from_ms=START_MS, through_ms=START_MS)
    desk.wait(11)
    desk.commit()
    assert desk.partition.wallets[WHALE].orders == {}
    assert [gap for batch in desk.batches for gap in batch.gaps] == []


def test_an_end_without_its_fills_asks_now_and_then_even_without_any_grace() -> None:
    desk = Desk()
    desk.partition.decider.patience = Patience(status_grace_s=0)
    desk.status()
    desk.partition.tick(desk.now)
    desk.wait(25)
    assert len([it for it in desk.partition.take_requests() if isinstance(it, BackfillRequest)]) == 3


def test_an_end_without_its_fills_of_a_wallet_that_nobody_watches_waits_for_nobody() -> None:
    desk = Desk()
    desk.status()
    desk.commit()
    heir = _reborn(desk, is_watched=False)
    heir.wait(71)
    heir.commit()
    assert [gap.state for batch in heir.batches for gap in batch.gaps] == ["unprovable"]


def test_fills_that_nobody_waits_for_longer_do_not_wait_for_a_gateway() -> None:
    desk = Desk(order_timeout_s=0)
    heir = _reborn(desk)
    heir.fill(hash="0x" + "0" * 64, dir="Liquidated Cross Long", oid=7)
    heir.wait(2)
    assert [signal["trigger"] for signal in heir.signals()] == ["system"]


def test_new_owner_of_a_partial_sends_just_the_remainder() -> None:
    desk = Desk(order_timeout_s=5)
    desk.fill(sz="0.4", tid=1)
    desk.wait(6)
    heir = _reborn(desk)
    heir.fill(sz="0.6", tid=2, start_position="0.4")
    heir.status()
    (signal,) = heir.signals()
    assert (signal["size"], signal["number"], signal["complete"]) == ("0.6", 2, True)


def _cover(desk: Desk, feed: events_pb2.Feed.ValueType, from_ms: int, through_ms: int) -> None:
    told = events_pb2.CaughtUp(address=WHALE, feed=feed, from_ms=from_ms, through_ms=through_ms)
    desk.partition.caught_up(told, desk.now)


def test_orders_whose_timers_a_pause_held_up_are_told_as_soon_as_it_ends_and_no_sooner() -> None:
    desk = Desk(order_timeout_s=5)
    feed = events_pb2.FEED_USER_FILLS
    desk.fill(oid=1, tid=1, sz="0.4")
    desk.fill(oid=2, tid=2, sz="0.4", start_position="0.4")
    desk.partition.gap(events_pb2.Gap(address=WHALE, feed=feed, from_ms=START_MS, reason="reconnect"), desk.now)
    desk.wait(30)
    assert desk.signals() == []
    _cover(desk, feed, START_MS, START_MS + 90)
    desk.partition.tick(desk.now)
    assert [signal["trigger"] for signal in desk.signals()] == ["timeout", "timeout"]


def test_a_pause_that_gets_shorter_holds_up_nothing_longer() -> None:
    desk = Desk(order_timeout_s=5)
    fills, slices = FILL_FEEDS
    desk.partition.gap(events_pb2.Gap(address=WHALE, feed=slices, from_ms=START_MS, reason="reconnect"), desk.now)
    desk.wait(50)
    desk.partition.gap(events_pb2.Gap(address=WHALE, feed=fills, from_ms=START_MS, reason="reconnect"), desk.now)
    desk.fill(sz="0.4")
    desk.wait(2)
    _cover(desk, fills, START_MS, START_MS + 90)
    desk.wait(7.5)
    assert desk.signals() == []
    desk.wait(1)
    assert [signal["trigger"] for signal in desk.signals()] == ["timeout"]


def test_orders_that_are_due_at_once_are_told_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hlmonitor.aggregator.core.batch.MOST_ORDERS", 2)
    desk = Desk(order_timeout_s=5)
    for oid in range(1, 6):
        desk.fill(oid=oid, tid=oid, sz="0.4")
    desk.commit()
    desk.now_s += 6
    told: list[int] = []
    for _ in range(4):
        desk.partition.tick(desk.now)
        told.append(len(desk.signals()) - sum(told))
    assert told == [2, 2, 1, 0]


def test_caught_up_moves_the_watermark_and_closes_the_gap_it_covers() -> None:
    desk = Desk(watch_from_ms=START_MS)
    feed = events_pb2.FEED_USER_FILLS
    desk.partition.gap(events_pb2.Gap(address=WHALE, feed=feed, from_ms=START_MS + 10, reason="reconnect"), desk.now)
    _cover(desk, feed, START_MS + 20, START_MS + 90)
    assert desk.partition.wallets[WHALE].gaps
    _cover(desk, feed, START_MS, START_MS + 90)
    assert not desk.partition.wallets[WHALE].gaps
    desk.commit()
    assert [gap.state for gap in desk.batches[-1].gaps] == ["open", "covered"]
    assert [row.watermark_ms for row in desk.batches[-1].watermarks] == [START_MS + 90]
    desk.partition.opened(WHALE)
    resumes = desk.partition.take_requests()
    assert [request.watermark_ms for request in resumes if isinstance(request, ResumeRequest)] == [
        START_MS + 90,
        START_MS,
    ]


def test_open_gap_of_a_gateway_that_is_gone_is_inherited_by_the_wallets_next_one() -> None:
    desk = Desk(watch_from_ms=START_MS)
    feed = events_pb2.FEED_USER_FILLS
    desk.partition.gap(events_pb2.Gap(address=WHALE, feed=feed, from_ms=START_MS + 10, reason="closed"), desk.now)
    desk.commit()
    for owner in (desk, _reborn(desk)):
        owner.partition.opened(WHALE)
        told = [request for request in owner.partition.take_requests() if isinstance(request, ResumeRequest)]
        assert {request.feed: request.gaps for request in told}[feed] == ((START_MS + 10, "closed"),)


def test_stretch_that_the_venue_cannot_show_is_recorded_and_the_rest_is_covered() -> None:
    desk = Desk(watch_from_ms=START_MS)
    feed = events_pb2.FEED_USER_FILLS
    desk.partition.gap(events_pb2.Gap(address=WHALE, feed=feed, from_ms=START_MS, reason="reconnect"), desk.now)
    lost = events_pb2.Gap(address=WHALE, feed=feed, from_ms=START_MS, to_ms=START_MS + 50, reason="too old")
    desk.partition.gap(lost, desk.now)
    _cover(desk, feed, START_MS + 50, START_MS + 90)
    desk.commit()
    rows = [(gap.from_ms - START_MS, gap.state, gap.reason) for gap in desk.batches[-1].gaps]
    assert rows[1:] == [(0, "unprovable", "too old"), (50, "open", "reconnect"), (50, "covered", "reconnect")]
    assert not desk.partition.wallets[WHALE].gaps
    assert desk.batches[-1].watermarks[0].watermark_ms == START_MS + 90


def test_legacy_message_has_the_originals_fields_as_numbers() -> None:
    desk = Desk()
    desk.fill(sz="0.3", px="100.5", start_position="-1", dir="Close Short")
    desk.status(orig_sz="0.3")
    desk.commit()
    text = legacy_json(desk.rows[0].payload).decode()
    assert text == (
        f'{{"address":"{WHALE}","asset_type":"futures","symbol":"BTCUSDC","coin_type":"A","direction":"close",'
        f'"side":"SHORT","position_rate":100,"close_rate":0.3,"size":0.3,"price":100.5,"timestamp":{START_MS}}}'
    )


def test_position_rate_is_percent_of_the_account_value_of_the_coins_dex() -> None:
    desk = Desk()
    dexes = [events_pb2.DexState(dex="", account_value="1000"), events_pb2.DexState(dex="xyz", account_value="10")]
    perps = events_pb2.AccountSnapshot.Perps(dexes=dexes)
    desk.partition.snapshot(events_pb2.AccountSnapshot(address=WHALE, perps=perps), 1)
    desk.fill(oid=1, tid=1)
    desk.status(oid=1)
    desk.fill(oid=2, tid=2, coin="xyz:CL", px="5")
    desk.status(oid=2, coin="xyz:CL")
    assert [signal["position_rate"] for signal in desk.signals()] == ["10", "50"]


def test_snapshot_with_an_unusable_number_changes_nothing() -> None:
    desk = Desk()
    good = events_pb2.AccountSnapshot.Spot(balances=[events_pb2.SpotBalance(coin="USDC", total="5")])
    bad = events_pb2.AccountSnapshot.Spot(balances=[events_pb2.SpotBalance(coin="USDC", total="many")])
    desk.partition.snapshot(events_pb2.AccountSnapshot(address=WHALE, spot=good), 1)
    desk.partition.snapshot(events_pb2.AccountSnapshot(address=WHALE, spot=bad), 2)
    assert desk.partition.wallets[WHALE].account.spot_total_usd(FixedMarkets()) == Decimal(5)
    assert desk.partition.take_tally().snapshot_errors == {"spot": 1}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"px": "abc"}, "px"),
        ({"sz": "0"}, "sz"),
        ({"sz": "NaN"}, "sz"),
        ({"fee": "1e99"}, "fee"),
        ({"side": events_pb2.SIDE_UNSPECIFIED}, "side"),
        ({"address": "0x12"}, "address"),
        ({"coin": ""}, "coin"),
        ({"start_position": None}, "start_position"),
        ({"oid": None}, "oid"),
    ],
)
def test_unusable_fill_is_refused_with_the_field_named(fields: dict[str, object], field: str) -> None:
    with pytest.raises(FieldError) as refusal:
        fill_of(fill_message(**fields).SerializeToString())
    assert refusal.value.field == field


def test_event_without_content_and_broken_bytes_are_refused() -> None:
    for event in (events_pb2.Event(), events_pb2.Event(fill=b"\xff\xff")):
        with pytest.raises(FieldError):
            input_of(event)


def test_status_of_a_twap_and_of_its_fills_name_the_same_order() -> None:
    fill = fill_of(fill_message(twap_id=5, oid=99).SerializeToString())
    desk = Desk()
    desk.status(oid=0, twap_id=5)
    assert list(desk.partition.wallets[WHALE].orders) == [order_id(order_of(fill))]
