import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from unittest.mock import AsyncMock

import grpc
import pytest
from writer_builders import NOON_MS, PARTITION, WALLET, batch, digest, fill, order, signal, status, unit
from writer_harness import Writer, only, running_writer

from hlmonitor.storage.dao import partitions
from hlmonitor.v1 import events_pb2, storage_pb2
from hlmonitor.writer.io.service import DETAIL_KEY

Reason = storage_pb2.Refused.Reason


def whole_unit(number: int = 1) -> storage_pb2.OrderUnit:
    return unit(
        fills=[fill(1, open_number=number)],
        rows=[order(fills_json="[1]")],
        statuses=[status()],
        signals=[signal(number)],
    )


async def count(writer: Writer, table: str) -> int:
    ((found,),) = await writer.rows(f"SELECT count(*) FROM {table}")
    return int(found)


async def test_everything_of_a_batch_is_committed_together(writer: Writer) -> None:
    assert await writer.acquire(PARTITION) == 1
    feed = events_pb2.FEED_USER_FILLS
    (reply,) = await writer.commit(
        batch(
            1,
            whole_unit(),
            watermarks=[storage_pb2.Watermark(address=WALLET, feed=feed, watermark_ms=NOON_MS)],
            gaps=[storage_pb2.GapRow(address=WALLET, feed=feed, from_ms=5, reason="closed", state="open")],
            position_cache=[storage_pb2.PositionCacheRow(address=WALLET, account_value="10", updated_at_ms=NOON_MS)],
        )
    )
    assert reply.WhichOneof("result") == "done"
    assert not reply.done.dead_letters
    for table in ("hl_fill", "hl_order_aggregation", "hl_order_status", "hl_address_signals", "hl_watermark", "hl_gap"):
        assert await count(writer, table) == 1, table
    assert await writer.rows("SELECT account_value, spot_total_usd FROM hl_position_cache") == [("10", "0")]
    assert await writer.rows("SELECT epoch, last_batch FROM hl_partition") == [(1, 1)]
    assert await writer.rows("SELECT next_number FROM hl_address_counter") == [(2,)]
    assert writer.metric("batch_write_size_count") == 1


async def test_amounts_are_stored_exactly(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    row = fill(1, px="0.000000000123456789", sz="12345678901234567890.123456789012345678", start_position="-1.5")
    (reply,) = await writer.commit(batch(1, unit(fills=[row])))
    assert not reply.done.dead_letters
    ((px, sz, end),) = await writer.rows("SELECT px, sz, end_position FROM hl_fill")
    assert [Decimal(px), Decimal(sz), Decimal(end)] == [
        Decimal("0.000000000123456789"),
        Decimal("12345678901234567890.123456789012345678"),
        Decimal("12345678901234567888.623456789012345678"),
    ]


async def test_what_is_told_of_a_trade_later_is_added_once_and_its_marks_stay(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    trade = fill(1, oid=None, start_position=None, fee="", dir="", open_number=1)
    await writer.commit(batch(1, unit(fills=[trade], signals=[signal()])))
    assert only(await writer.load(PARTITION, 1), "last_position") == []
    await writer.commit(batch(2, enriched=[fill(1, start_position="-1.5"), fill(2)]))
    (reply,) = await writer.commit(batch(3, enriched=[fill(1, oid=78, fee="9")]))
    assert not reply.done.dead_letters
    ((oid, fee, end, number),) = await writer.rows("SELECT oid, fee, end_position, open_number FROM hl_fill")
    assert (oid, Decimal(fee), Decimal(end), number) == (77, Decimal("1.25"), Decimal(-1), 1)
    (position,) = only(await writer.load(PARTITION, 1), "last_position")
    assert position.position == "-1"


async def test_a_batch_sent_again_is_done_and_doubles_nothing(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    first = batch(1, whole_unit())
    await writer.commit(first)
    (reply,) = await writer.commit(first)
    assert reply.WhichOneof("result") == "done"
    assert await count(writer, "hl_fill") == await count(writer, "hl_address_signals") == 1


async def test_a_fill_that_is_stored_already_is_counted_and_kept(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    await writer.commit(batch(1, unit(fills=[fill(1)])))
    await writer.commit(batch(2, unit(fills=[fill(1, px="1", open_number=1), fill(2)], signals=[signal(1)])))
    assert writer.metric("batch_dedup_cache_hit_total", table="hl_fill") == 1
    found = await writer.rows("SELECT px, open_number FROM hl_fill ORDER BY time_ms")
    assert [(Decimal(px), number) for px, number in found] == [(Decimal("60000.1"), 1), (Decimal("60000.1"), None)]


async def test_a_stale_owner_is_refused_alone(writer: Writer) -> None:
    other = (PARTITION + 1) % 64
    await writer.acquire(PARTITION)
    await writer.acquire(other)
    assert await writer.acquire(PARTITION) == 2
    stale, good = await writer.commit(batch(1, whole_unit()), batch(1, partition=other))
    assert stale.refused.reason == Reason.REASON_STALE_EPOCH
    assert (stale.refused.current_epoch, stale.refused.last_batch) == (2, 0)
    assert good.WhichOneof("result") == "done"
    assert await count(writer, "hl_fill") == 0
    assert writer.metric("commits_refused_total", reason="stale_epoch") == 1


async def test_a_batch_out_of_order_is_refused(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    (reply,) = await writer.commit(batch(2, whole_unit()))
    assert reply.refused.reason == Reason.REASON_OUT_OF_ORDER
    assert await count(writer, "hl_fill") == 0


async def test_a_partition_that_nobody_acquired_takes_nothing(writer: Writer) -> None:
    (reply,) = await writer.commit(batch(1, whole_unit()))
    assert reply.refused.reason == Reason.REASON_STALE_EPOCH
    assert reply.refused.current_epoch == 0


async def test_acquiring_begins_batches_anew(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    await writer.commit(batch(1), batch(2))
    await writer.acquire(PARTITION)
    assert await writer.rows("SELECT epoch, last_batch FROM hl_partition") == [(2, 0)]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (unit("bad", fills=[fill(9, order="bad", px="cheap")]), "fill.px is 'cheap'"),
        (unit("bad", fills=[fill(9, order="bad", px="1e30")]), "more than 20 digits"),
        (unit("bad", fills=[storage_pb2.FillRow(digest=b"short", order_id=digest("bad"))]), ""),
        (unit("bad", rows=[order("bad", oid=77)]), "under another order key"),
        (unit("bad", wallet="whale"), "'whale' is not an address"),
    ],
)
async def test_a_unit_with_bad_data_is_kept_aside_while_the_rest_commits(
    writer: Writer, bad: storage_pb2.OrderUnit, reason: str
) -> None:
    await writer.acquire(PARTITION)
    await writer.commit(batch(1, unit(rows=[order(oid=77)])))
    (reply,) = await writer.commit(
        batch(2, unit("good-1", fills=[fill(1, order="good-1")]), bad, unit("good-2", fills=[fill(2, order="good-2")]))
    )
    (letter,) = reply.done.dead_letters
    assert letter.order_id == digest("bad")
    assert reason in letter.reason
    assert await count(writer, "hl_fill") == 2
    assert await writer.rows("SELECT kind, batch FROM hl_dead_letter") == [("order", 2)]
    assert writer.metric("dead_letters_total") == 1


async def test_the_number_of_a_bad_signal_is_used_and_its_void_waits_to_be_published(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    bad = unit("bad", signals=[signal(1, price="cheap")])
    poisoned = batch(1, bad, unit(signals=[signal(2)]))
    (reply,) = await writer.commit(poisoned)
    (letter,) = reply.done.dead_letters
    assert letter.signal_ids == [signal(1).signal_id]
    assert await writer.commit(poisoned) == [reply]
    waiting = only(await writer.load(PARTITION, 1), "unpublished")
    assert [row.signal_id for row in waiting] == [f"{WALLET}:1:void", signal(2).signal_id]
    (counter,) = only(await writer.load(PARTITION, 1), "counter")
    assert counter.next_number == 3
    assert [(row.signal_id, row.payload) for row in letter.voids] == [(waiting[0].signal_id, waiting[0].payload)]
    await writer.commit(
        batch(2, published=[storage_pb2.PublishedMark(signal_id=waiting[0].signal_id, published_seq=40)])
    )
    assert [row.number for row in only(await writer.load(PARTITION, 1), "unpublished")] == [2]


async def test_other_content_under_a_signals_id_is_reported_and_the_first_kept(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    await writer.commit(batch(1, unit(signals=[signal(1)])))
    other = signal(2, payload=b'{"other":true}')
    other.signal_id = signal(1).signal_id
    again = batch(2, unit(signals=[other, signal(3)]))
    (reply,) = await writer.commit(again)
    (letter,) = reply.done.dead_letters
    assert list(letter.signal_ids) == [other.signal_id]
    assert [void.number for void in letter.voids] == [2]
    assert await writer.commit(again) == [reply]
    stored = await writer.rows("SELECT payload FROM hl_address_signals ORDER BY number")
    assert stored == [(b'{"number":1}',), (b'{"number":3}',)]
    assert [row.number for row in only(await writer.load(PARTITION, 1), "unpublished")] == [1, 2, 3]
    assert writer.metric("signal_conflicts_total") == 1


async def test_a_hole_in_a_wallets_numbers_is_refused(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    (reply,) = await writer.commit(batch(1, unit(signals=[signal(2)])))
    assert reply.refused.reason == Reason.REASON_INVALID
    assert reply.refused.field == "units.signals.number"
    assert await count(writer, "hl_address_signals") == 0


async def test_published_marks_are_kept_with_the_highest_number(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    await writer.commit(batch(1, unit(signals=[signal(1), signal(2), signal(3)])))
    marks = [
        storage_pb2.PublishedMark(signal_id=signal(number).signal_id, published_seq=number * 10) for number in (2, 1)
    ]
    await writer.commit(batch(2, published=marks))
    items = await writer.load(PARTITION, 1)
    assert [row.number for row in only(items, "unpublished")] == [3]
    (counter,) = only(items, "counter")
    assert (counter.next_number, counter.published_number, counter.published_seq) == (4, 2, 20)


async def test_a_watermark_never_moves_back(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    for number, at in enumerate((NOON_MS, NOON_MS - 5000), start=1):
        row = storage_pb2.Watermark(address=WALLET, feed=events_pb2.FEED_USER_FILLS, watermark_ms=at)
        await writer.commit(batch(number, watermarks=[row]))
    assert await writer.rows("SELECT feed, watermark_ms FROM hl_watermark") == [("userFills", NOON_MS)]


async def test_a_mark_is_never_overwritten(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    await writer.commit(batch(1, unit(fills=[fill(1, open_number=1)], signals=[signal(1)])))
    mark = storage_pb2.FillMark(digest=fill(1).digest, leg=storage_pb2.LEG_OPEN, number=2)
    other = storage_pb2.FillMark(digest=fill(1).digest, leg=storage_pb2.LEG_CLOSE, number=2)
    await writer.commit(batch(2, unit(marks=[mark, other], signals=[signal(2)])))
    assert await writer.rows("SELECT open_number, close_number FROM hl_fill") == [(1, 2)]


async def test_the_fills_of_a_leg_stay_until_new_ones_are_written(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    await writer.commit(batch(1, unit(rows=[order(fills_json='[{"tid":1}]')])))
    await writer.commit(batch(2, unit(rows=[order(finished=True)])))
    ((fills, finished),) = await writer.rows("SELECT fills, finished FROM hl_order_aggregation")
    assert (str(fills).replace(" ", "").replace("'", '"'), bool(finished)) == ('[{"tid":1}]', True)


async def test_a_partition_comes_back_as_it_was_committed(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    feed = events_pb2.FEED_USER_FILLS
    now = NOON_MS
    await writer.commit(
        batch(
            1,
            unit(fills=[fill(1), fill(2, start_position="0.5")], rows=[order()], statuses=[status()]),
            unit(
                "done", fills=[fill(3, order="done", oid=78, coin="ETH")], rows=[order("done", oid=78, finished=True)]
            ),
            unit("old", fills=[fill(4, order="old", oid=79, uncounted=True)]),
            watermarks=[storage_pb2.Watermark(address=WALLET, feed=feed, watermark_ms=now)],
            gaps=[
                storage_pb2.GapRow(address=WALLET, feed=feed, from_ms=5, reason="closed", state="open"),
                storage_pb2.GapRow(address=WALLET, feed=feed, from_ms=1, to_ms=2, reason="closed", state="covered"),
            ],
            position_cache=[
                storage_pb2.PositionCacheRow(
                    address=WALLET,
                    spot_balances_json="[]",
                    spot_total_usd="1",
                    futures_positions_json='[{"coin":"BTCUSDC"}]',
                    account_value="10",
                    total_margin_used="2",
                    total_ntl_pos="3",
                    withdrawable="4",
                    updated_at_ms=now + 123,
                )
            ],
        ),
        batch(2, unit("waiting", statuses=[status("waiting")]), unit("gone", statuses=[status("gone", resolved=True)])),
    )
    items = await writer.load(PARTITION, 1)
    assert sorted(row.digest for row in only(items, "fill")) == sorted(fill(tid).digest for tid in (1, 2, 4))
    assert [row.uncounted for row in only(items, "fill") if row.digest == fill(4).digest] == [True]
    (row,) = only(items, "order")
    expected = order()
    expected.ClearField("fills_json")
    assert row == expected
    assert sorted(row.order_id for row in only(items, "status")) == sorted([digest("order-1"), digest("waiting")])
    assert [row.state for row in only(items, "gap")] == ["open"]
    assert [row.watermark_ms for row in only(items, "watermark")] == [now]
    last = {row.coin: row.position for row in only(items, "last_position")}
    assert last == {"BTC": "0.5", "ETH": "0.5"}
    (cached,) = only(items, "position_cache")
    assert (cached.updated_at_ms, cached.account_value) == (now + 123, "10")
    assert only(items, "known_fills") == [fill(3).digest + digest("done")]


async def test_fills_older_than_the_watch_come_back_with_the_end_of_their_order_however_old(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    far_later = storage_pb2.Watermark(
        address=WALLET, feed=events_pb2.FEED_USER_FILLS, watermark_ms=NOON_MS + 30 * 86_400_000
    )
    await writer.commit(
        batch(
            1,
            unit("waiting", fills=[fill(1, order="waiting", uncounted=True)], statuses=[status("waiting")]),
            unit("gone", fills=[fill(2, order="gone", uncounted=True)], statuses=[status("gone", resolved=True)]),
            unit("old", fills=[fill(3, order="old", uncounted=True)]),
            watermarks=[far_later],
        )
    )
    items = await writer.load(PARTITION, 1)
    assert [row.digest for row in only(items, "fill")] == [fill(1).digest]


async def test_loading_with_an_old_epoch_fails_with_the_current_one(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    await writer.acquire(PARTITION)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await writer.load(PARTITION, 1)
    assert failed.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    detail = dict(failed.value.trailing_metadata() or ())[DETAIL_KEY]
    assert storage_pb2.Refused.FromString(detail).current_epoch == 2


async def test_a_partition_beyond_the_last_is_refused_with_its_field(writer: Writer) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="there is no partition 64"):
        await writer.acquire(64)
    (reply,) = await writer.commit(batch(1, partition=64))
    assert (reply.refused.reason, reply.refused.field) == (Reason.REASON_INVALID, "partition")


async def test_a_stopping_writer_sends_a_batch_to_its_successor_and_takes_that_for_no_crash(
    writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    writer.committer.stop()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await writer.commit(batch(1))
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert storage_pb2.Refused.FromString(dict(refused.value.trailing_metadata() or ())[DETAIL_KEY]).retryable
    assert not caplog.records


async def test_hundreds_of_rows_in_many_partitions_are_committed_in_groups(writer: Writer) -> None:
    for partition in range(8):
        await writer.acquire(partition)
    batches = [
        batch(
            1,
            *(unit(f"{partition}-{index}", fills=[fill(partition * 1000 + index)]) for index in range(100)),
            partition=partition,
        )
        for partition in range(8)
    ]
    replies = await writer.commit(*batches)
    assert all(reply.WhichOneof("result") == "done" for reply in replies)
    assert await count(writer, "hl_fill") == 800
    assert 2 <= writer.metric("batch_write_size_count") <= 8


async def test_a_full_queue_stops_reading_and_loses_nothing(database_url: str) -> None:
    async with running_writer(database_url, queue_batches=1) as writer:
        for partition in range(4):
            await writer.acquire(partition)
        replies = await writer.commit(*(batch(1, partition=partition) for partition in range(4)))
        assert all(reply.WhichOneof("result") == "done" for reply in replies)
        assert writer.metric("message_queue_full_total") > 0


async def test_a_row_that_another_session_holds_delays_the_commit_and_is_no_poison(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    async with writer.beside.write() as connection:
        await partitions.lock(connection, [PARTITION])
        sending = asyncio.ensure_future(writer.commit(batch(1, whole_unit())))
        # Longer than the lock timeout of a server's session.
        await asyncio.sleep(3)
        assert not sending.done()
    (reply,) = await sending
    assert reply.WhichOneof("result") == "done"
    assert not reply.done.dead_letters


async def test_batches_of_streams_that_ended_do_not_pile_up_while_the_database_is_busy(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    waiting = writer.committer.planner
    async with writer.beside.write() as connection:
        await partitions.lock(connection, [PARTITION])
        for _ in range(3):
            calls = [asyncio.ensure_future(writer.commit(batch(1, whole_unit()))) for _ in range(4)]
            async with asyncio.timeout(60):
                # One of the first is in the transaction that waits.
                while len(waiting) < 3:
                    await asyncio.sleep(0)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            async with asyncio.timeout(60):
                while len(waiting) > 0:
                    await asyncio.sleep(0)
        await connection.rollback()
    (reply,) = await writer.commit(batch(1, whole_unit()))
    assert reply.WhichOneof("result") == "done"


async def test_a_stream_that_breaks_right_after_a_batch_gives_its_room_back(database_url: str) -> None:
    async def breaking() -> AsyncIterator[storage_pb2.CommitBatch]:
        yield batch(1, whole_unit())
        raise ConnectionResetError

    async with running_writer(database_url, queue_batches=1) as writer:
        await writer.acquire(PARTITION)
        with pytest.raises(ExceptionGroup):
            # The answer's task is cancelled before its first step: no real client can be so quick each time.
            await writer.service.Commit(breaking(), AsyncMock(grpc.aio.ServicerContext))
        (reply,) = await writer.commit(batch(1, whole_unit()))
        assert reply.WhichOneof("result") == "done"


async def test_a_stream_without_a_batch_is_known_to_be_open(writer: Writer) -> None:
    call = writer.stub.Commit()
    async with asyncio.timeout(30):
        await call.wait_for_connection()
    await call.done_writing()
