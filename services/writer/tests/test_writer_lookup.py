import grpc
import pytest
from writer_builders import PARTITION, WALLET, address, batch, digest, fill, order, signal, status, unit
from writer_harness import Writer, only

from hlmonitor.v1 import storage_pb2
from hlmonitor.writer.io import load

OTHER = address(2)


async def _lookup(writer: Writer, *, epoch: int = 1, **asked: list[bytes]) -> storage_pb2.LookupResponse:
    return await writer.stub.Lookup(storage_pb2.LookupRequest(partition=PARTITION, epoch=epoch, **asked))


async def test_stored_fills_and_finished_orders_are_found(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    await writer.commit(
        batch(
            1,
            unit("done", fills=[fill(1, order="done")], rows=[order("done", finished=True)]),
            unit("open", fills=[fill(2, order="open")], rows=[order("open", oid=78)]),
        )
    )
    found = await _lookup(
        writer,
        digests=[fill(1).digest, fill(2).digest, digest("never")],
        order_ids=[digest("done"), digest("open"), digest("never")],
    )
    pairs = {found.known_fills[at : at + 32] for at in range(0, len(found.known_fills), 32)}
    assert pairs == {fill(1).digest + digest("done"), fill(2).digest + digest("open")}
    assert list(found.finished_orders) == [digest("done")]


async def test_order_whose_row_was_cleaned_is_still_finished(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    await writer.commit(batch(1, unit("done", fills=[fill(1, order="done")], rows=[order("done", finished=True)])))
    await writer.run("DELETE FROM hl_order_aggregation")
    assert list((await _lookup(writer, order_ids=[digest("done")])).finished_orders) == [digest("done")]


async def test_lookup_with_an_old_epoch_or_too_many_keys_is_refused(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    await writer.acquire(PARTITION)
    for epoch, keys, code in (
        (1, [digest("one")], grpc.StatusCode.FAILED_PRECONDITION),
        (2, [digest(str(number)) for number in range(5_001)], grpc.StatusCode.INVALID_ARGUMENT),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await _lookup(writer, epoch=epoch, digests=keys)
        assert failed.value.code() is code


async def test_resting_orders_are_loaded_as_ids_and_looked_up_with_their_marked_fills(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    taken = fill(1, order="rests")
    taken.open_number = 1
    await writer.commit(
        batch(
            1,
            unit("rests", fills=[taken], rows=[order("rests", signal_sent=True)]),
            unit("waits", fills=[fill(2, order="waits")], rows=[order("waits", oid=78)]),
            unit(
                "ends",
                fills=[fill(3, order="ends")],
                rows=[order("ends", oid=79, signal_sent=True)],
                statuses=[status("ends")],
            ),
            unit("done", fills=[fill(4, order="done")], rows=[order("done", oid=80, signal_sent=True, finished=True)]),
        )
    )
    items = await writer.load(PARTITION, 1)
    assert [item.resting_orders for item in items if item.WhichOneof("item") == "resting_orders"] == [digest("rests")]
    streamed = {item.fill.order_id for item in items if item.WhichOneof("item") == "fill"}
    assert streamed == {digest("waits"), digest("ends")}
    names = ("rests", "done", "never")
    found = await _lookup(writer, resting_orders=[digest(name) for name in names])
    assert [(row.digest, row.open_number) for row in found.resting_fills] == [(fill(1).digest, 1)]


async def test_orders_of_a_removed_wallet_rest_no_more_and_those_of_others_do(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    stays = order("stays", oid=78, wallet=OTHER, signal_sent=True)
    await writer.commit(
        batch(
            1,
            unit("goes", fills=[fill(1, order="goes")], rows=[order("goes", signal_sent=True)]),
            unit("stays", wallet=OTHER, fills=[fill(2, order="stays", wallet=OTHER)], rows=[stays]),
        )
    )
    comes_back = unit("new", fills=[fill(3, order="new")], rows=[order("new", oid=79)])
    await writer.commit(batch(2, comes_back, removed=[WALLET]))
    items = await writer.load(PARTITION, 1)
    assert [item.resting_orders for item in items if item.WhichOneof("item") == "resting_orders"] == [digest("stays")]
    assert [item.order.order_id for item in items if item.WhichOneof("item") == "order"] == [digest("new")]
    assert not (await _lookup(writer, resting_orders=[digest("goes")])).resting_fills


async def _numbers(
    writer: Writer, from_number: int, most: int = 100, *, epoch: int = 1
) -> list[tuple[int, int | None]]:
    request = storage_pb2.ReadSignalsRequest(
        partition=PARTITION, epoch=epoch, address=WALLET, from_number=from_number, most=most
    )
    rows = (await writer.stub.ReadSignals(request)).signals
    return [(row.number, row.published_seq if row.HasField("published_seq") else None) for row in rows]


def _marks(numbers: range) -> list[storage_pb2.PublishedMark]:
    return [
        storage_pb2.PublishedMark(signal_id=signal(number).signal_id, published_seq=number * 10) for number in numbers
    ]


async def test_signals_are_read_by_number_published_or_not(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    first = unit(signals=[signal(number) for number in (1, 2)])
    broken = unit("order-2", signals=[signal(3, price="no number")])
    last = unit("order-3", signals=[signal(4)])
    await writer.commit(batch(1, first, broken, last), batch(2, published=_marks(range(1, 2))))
    assert await _numbers(writer, 1) == [(1, 10), (2, None), (3, None), (4, None)]
    assert await _numbers(writer, 2, 2) == [(2, None), (3, None)]
    assert await _numbers(writer, 5) == []
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await _numbers(writer, 1, epoch=7)
    assert failed.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_what_the_stream_lost_is_unpublished_again_and_known_to_have_been_published(writer: Writer) -> None:
    await writer.acquire(PARTITION)
    await writer.commit(batch(1, unit(signals=[signal(number) for number in range(1, 5)])))
    await writer.commit(batch(2, published=_marks(range(1, 4))))
    (counter,) = only(await writer.load(PARTITION, 1), "counter")
    assert (counter.published_number, counter.published_id) == (3, signal(3).signal_id)
    rewind = storage_pb2.Rewind(address=WALLET, published_number=1, published_seq=10)
    await writer.commit(batch(3, rewound=[rewind], published=_marks(range(3, 4))))
    assert await _numbers(writer, 1) == [(1, 10), (2, 0), (3, 0), (4, None)]
    items = await writer.load(PARTITION, 1)
    assert [row.number for row in only(items, "unpublished")] == [2, 3, 4]
    (counter,) = only(items, "counter")
    assert (counter.published_number, counter.published_seq) == (1, 10)
    assert (counter.published_id, counter.next_number) == (signal(1).signal_id, 5)
    again = storage_pb2.PublishedMark(signal_id=signal(2).signal_id, published_seq=11)
    await writer.commit(batch(4, published=[again]))
    (counter,) = only(await writer.load(PARTITION, 1), "counter")
    assert (counter.published_number, counter.published_seq) == (2, 11)


async def test_of_many_signals_that_wait_for_nats_a_partition_is_loaded_with_the_first(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "UNPUBLISHED_AT_ONCE", 3)
    await writer.acquire(PARTITION)
    broken = unit("order-2", signals=[signal(3, price="no number")])
    rest = unit("order-3", signals=[signal(number) for number in range(4, 8)])
    await writer.commit(batch(1, unit(signals=[signal(1), signal(2)]), broken, rest))
    await writer.commit(batch(2, published=_marks(range(1, 2))))
    items = await writer.load(PARTITION, 1)
    assert [row.number for row in only(items, "unpublished")] == [2, 3, 4]
    assert [row.next_number for row in only(items, "counter")] == [8]
