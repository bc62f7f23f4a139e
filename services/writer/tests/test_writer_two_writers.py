"""Two writers on one server: each batch is applied once, whoever takes it, and neither stands in the other's way."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest_asyncio
from writer_builders import PARTITION, address, batch, digest, fill, order, signal, unit
from writer_harness import Writer, running_writer

from hlmonitor.domain.partitions import partition_of
from hlmonitor.local.database_fixtures import servers_only
from hlmonitor.v1 import storage_pb2

Pair = tuple[Writer, Writer]
Reason = storage_pb2.Refused.Reason

ROUNDS = 15


@pytest_asyncio.fixture
async def pair(database_url: str) -> AsyncIterator[Pair]:
    async with running_writer(database_url) as first, running_writer(database_url) as second:
        yield first, second


def numbered(number: int, epoch: int = 1, wallet: str = address(1)) -> storage_pb2.CommitBatch:
    name = f"{wallet}-{number}"
    part = unit(
        name,
        wallet=wallet,
        fills=[fill(number, order=name, wallet=wallet, open_number=number)],
        rows=[order(name, wallet=wallet, oid=number)],
        signals=[signal(number, wallet=wallet)],
    )
    return batch(number, part, epoch=epoch, partition=partition_of(address(int(wallet, 16))))


async def count(writer: Writer, table: str) -> int:
    ((found,),) = await writer.rows(f"SELECT count(*) FROM {table}")
    return int(found)


async def assert_applied_once(writer: Writer, batches: int) -> None:
    for table in ("hl_fill", "hl_address_signals", "hl_order_aggregation"):
        assert await count(writer, table) == batches, table
    assert await count(writer, "hl_dead_letter") == 0


@servers_only
async def test_a_batch_sent_to_both_at_once_is_applied_once_and_done_twice(pair: Pair) -> None:
    first, second = pair
    await first.acquire(numbered(1).partition)
    for number in range(1, ROUNDS + 1):
        message = numbered(number)
        replies = await asyncio.gather(*(writer.commit(message) for writer in pair))
        assert [reply.WhichOneof("result") for (reply,) in replies] == ["done", "done"]
    await assert_applied_once(second, ROUNDS)


@servers_only
async def test_groups_of_many_partitions_in_both_writers_never_wait_for_each_other(pair: Pair) -> None:
    wallets = [address(number) for number in range(1, 25)]
    partitions = {partition_of(wallet) for wallet in wallets}
    for partition in partitions:
        await pair[0].acquire(partition)

    async def owner(wallet: str, at: int) -> None:
        for number in range(1, ROUNDS + 1):
            # From one writer to the other and back, as a name that resolves to both would have it.
            (reply,) = await pair[(at + number) % 2].commit(numbered(number, wallet=wallet))
            assert reply.WhichOneof("result") == "done", reply

    chosen = {partition_of(wallet): wallet for wallet in wallets}.values()
    async with asyncio.TaskGroup() as tasks:
        for at, wallet in enumerate(chosen):
            tasks.create_task(owner(wallet, at))
    await assert_applied_once(pair[0], ROUNDS * len(partitions))


@servers_only
async def test_two_owners_that_take_a_partition_from_each_other_leave_one_history(pair: Pair) -> None:
    wallet, partition = address(1), partition_of(address(1))
    done: list[tuple[int, str]] = []

    async def owner(writer: Writer, name: str) -> None:
        for turn in range(ROUNDS):
            epoch = await writer.acquire(partition)
            items = await loaded(writer, partition, epoch)
            if items is None:
                continue
            number = next((item.counter.next_number for item in items if item.HasField("counter")), 1)
            order_name = f"{name}-{turn}"
            rows = [order(order_name, wallet=wallet, oid=int.from_bytes(digest(order_name)[:6]))]
            part = unit(order_name, wallet=wallet, rows=rows, signals=[signal(number, wallet=wallet)])
            (reply,) = await writer.commit(batch(1, part, epoch=epoch, partition=partition))
            if reply.WhichOneof("result") == "done":
                done.append((number, order_name))
            else:
                assert reply.refused.reason == Reason.REASON_STALE_EPOCH

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(owner(pair[0], "anna"))
        tasks.create_task(owner(pair[1], "bert"))
    assert await pair[0].rows("SELECT number FROM hl_address_signals ORDER BY number") == [
        (number,) for number in range(1, len(done) + 1)
    ]
    assert sorted(number for number, _ in done) == list(range(1, len(done) + 1))
    assert await count(pair[0], "hl_order_aggregation") == len(done)
    # Whoever came last was disturbed by nobody.
    assert done


async def loaded(writer: Writer, partition: int, epoch: int) -> list[storage_pb2.LoadPartitionResponse] | None:
    """What the partition holds; None when somebody else has acquired it meanwhile."""
    try:
        return await writer.load(partition, epoch)
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.FAILED_PRECONDITION  # noqa: PT017 the other refusals are failures
        return None


@servers_only
async def test_a_batch_of_an_old_epoch_that_comes_late_through_the_other_writer_is_refused(pair: Pair) -> None:
    first, second = pair
    old = await first.acquire(PARTITION)
    new = await second.acquire(PARTITION)
    (done,) = await second.commit(batch(1, epoch=new))
    (late,) = await first.commit(batch(1, epoch=old))
    assert done.WhichOneof("result") == "done"
    assert late.refused.reason == Reason.REASON_STALE_EPOCH
    assert (late.refused.current_epoch, late.refused.last_batch) == (new, 1)
