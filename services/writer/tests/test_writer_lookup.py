import grpc
import pytest
from writer_builders import PARTITION, batch, digest, fill, order, unit
from writer_harness import Writer

from hlmonitor.v1 import storage_pb2


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
