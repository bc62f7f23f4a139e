"""A partition's host whose writer keeps its answers back."""

import asyncio
import gc

import msgspec
import pytest
from aggregates import START_MS, WHALE, Desk, fill_message, status_message
from owning import StoredWriter, owning
from stored import Stored

from hlmonitor.aggregator.core.doubts import FILL_FEEDS
from hlmonitor.aggregator.core.partition import Partition
from hlmonitor.aggregator.core.wallet import GAP_PAUSE_S
from hlmonitor.aggregator.io.host import clock
from hlmonitor.aggregator.io.intake import MAX_WOKEN
from hlmonitor.aggregator.io.owner import Owner
from hlmonitor.aggregator.io.sessions import Session
from hlmonitor.aggregator.io.storage import StaleEpochError
from hlmonitor.domain.partitions import partition_of
from hlmonitor.local.waiting import eventually
from hlmonitor.v1 import events_pb2, storage_pb2

TO_REST_S = 400
ORDERS = MAX_WOKEN + 20


def _resting(count: int) -> Stored:
    """A store with so many orders that rest."""
    desk, stored = Desk(), Stored()
    for oid in range(1, count + 1):
        desk.fill(oid=oid, tid=oid, sz="0.4")
    desk.wait(TO_REST_S)
    desk.commit()
    for batch in desk.batches:
        stored.apply(batch)
    for row in desk.rows:
        stored.published[row.signal_id] = row.number
    return stored


def _end(oid: int) -> events_pb2.Event:
    status = status_message(oid=oid, status="canceled", remaining_sz="0.6", status_time_ms=START_MS + 1)
    return events_pb2.Event(seq=oid, received_at_ms=START_MS + 1, order_status=status)


async def test_partition_is_let_go_while_storage_does_not_answer() -> None:
    writer = StoredWriter(_resting(1))
    async with owning(writer) as owned:
        owned.host.take(Session(), _end(1))
        await eventually(lambda: bool(writer.asked), "storage is asked")
        owned.host.release()
        async with asyncio.timeout(30):
            await owned.running


async def test_order_whose_fills_wait_for_storage_is_not_given_up_as_incomplete() -> None:
    writer, now = StoredWriter(_resting(1)), clock()
    at_ms = now.wall_ms
    first = fill_message(oid=2, tid=21, time_ms=at_ms, sz="0.6", start_position="0.4")
    second = fill_message(oid=2, tid=22, time_ms=at_ms, sz="0.4", start_position="1")
    status = status_message(oid=2, order_time_ms=at_ms, status_time_ms=at_ms)
    async with owning(writer) as owned:
        session = Session()
        owned.host.take(session, events_pb2.Event(seq=1, received_at_ms=at_ms, fill=first.SerializeToString()))
        owned.host.take(session, events_pb2.Event(seq=2, received_at_ms=at_ms, order_status=status))
        owned.host.take(session, _end(1))
        await eventually(lambda: bool(writer.asked), "storage is asked")
        owned.host.take(session, events_pb2.Event(seq=3, received_at_ms=at_ms, fill=second.SerializeToString()))
        owned.host.tick(now._replace(mono_s=now.mono_s + 2 * GAP_PAUSE_S))
        writer.may_answer.set()
        await eventually(lambda: len(writer.stored.signals) > 1, "the order is told of")
        told = [msgspec.json.decode(row.payload) for row in writer.stored.signals.values()]
        assert [(signal["complete"], signal["fills"]) for signal in told if signal["oid"] == 2] == [(True, 2)]


async def test_timers_wait_when_the_stream_of_the_last_gateway_that_serves_a_wallet_ends() -> None:
    async with owning(StoredWriter()) as owned:
        owner = Owner("aggregator-1", owned.host.shared, lambda _: None, {partition_of(WHALE): owned.host})
        first, second = Session(), Session()
        for session in (first, second):
            owned.host.take(session, events_pb2.Event(seq=1, opened=events_pb2.Opened(address=WHALE)))
        for seq, feed in enumerate(FILL_FEEDS, start=2):
            told = events_pb2.CaughtUp(address=WHALE, feed=feed, from_ms=0, through_ms=START_MS)
            owned.host.take(second, events_pb2.Event(seq=seq, caught_up=told))
        assert owned.host.partition is not None
        wallet = owned.host.partition.wallets[WHALE]
        owner.closed(first)
        assert wallet.paused_until_s(owned.now().mono_s) is None
        owner.closed(second)
        assert wallet.paused_until_s(owned.now().mono_s)


async def test_mass_cancel_of_resting_orders_is_asked_in_parts_and_ends_them_all() -> None:
    writer = StoredWriter(_resting(ORDERS))
    async with owning(writer) as owned:
        session = Session()
        for oid in range(1, ORDERS + 1):
            owned.host.take(session, _end(oid))
        await eventually(lambda: bool(writer.asked), "storage is asked")
        writer.may_answer.set()
        await eventually(lambda: all(row.finished for row in writer.stored.rows.values()), "all orders ended")
        sizes = [len(asked.resting_orders) for asked in writer.asked]
        assert (sum(sizes), max(sizes)) == (ORDERS, MAX_WOKEN)
        assert owned.host.open_orders == 0


async def test_owner_whose_batch_is_refused_for_its_epoch_says_that_it_lost_the_partition() -> None:
    stale = storage_pb2.Refused(reason=storage_pb2.Refused.REASON_STALE_EPOCH)
    writer = StoredWriter(_resting(1), refusals=[stale])
    writer.may_answer.set()
    async with owning(writer) as owned:
        owned.host.take(Session(), _end(1))
        with pytest.raises(StaleEpochError):
            await owned.running


async def test_partition_whose_batch_is_refused_as_a_defect_is_loaded_anew() -> None:
    defect = storage_pb2.Refused(reason=storage_pb2.Refused.REASON_INVALID, field="number")
    writer = StoredWriter(_resting(1), refusals=[defect])
    writer.may_answer.set()
    async with owning(writer) as owned:
        host = owned.host
        epoch = host.epoch
        host.take(Session(), _end(1))
        await eventually(lambda: host.epoch > epoch and host.state == "ready", "the partition is loaded anew")


@pytest.mark.parametrize("reads_wait", [False, True])
async def test_what_a_partition_that_is_loaded_anew_knew_is_freed_without_the_collector(*, reads_wait: bool) -> None:
    defect = storage_pb2.Refused(reason=storage_pb2.Refused.REASON_INVALID, field="number")
    writer = StoredWriter(_resting(1), refusals=[defect])
    writer.may_answer.set()
    if reads_wait:
        # Something is under way when the batch is refused.
        writer.may_read.clear()
    async with owning(writer) as owned:
        host, epoch = owned.host, owned.host.epoch
        gc.collect()
        gc.disable()
        try:
            old = id(host.partition)

            def is_gone() -> bool:
                living = (known for known in gc.get_objects() if isinstance(known, Partition))
                return all(id(known) != old or known is host.partition for known in living)

            host.take(Session(), _end(1))
            await eventually(lambda: host.epoch > epoch and host.state == "ready", "the partition is loaded anew")
            await eventually(is_gone, "the old one is gone")
        finally:
            gc.enable()
