"""Faults put into the services: the simulation must find each of them, or it proves nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from dst.nats_server import NatsServer, covers
from dst.run import run
from dst.settings import Conditions, draw
from hlmonitor.aggregator.core.batch import Outbox
from hlmonitor.aggregator.core.partition import Partition
from hlmonitor.aggregator.core.requests import ResumeRequest
from hlmonitor.aggregator.io.storage import StorageClient
from hlmonitor.gateway.core.session import Session
from hlmonitor.gateway.io.ingest import AggregatorLink
from hlmonitor.v1 import events_pb2, storage_pb2
from hlmonitor.writer.core.batches import Standing, Verdict, judge
from hlmonitor.writer.io import transaction

pytestmark = pytest.mark.timeout(600)

SEEDS = 30
"""A fault that so many runs do not show would not be found."""


def _trouble(seed: int) -> Conditions:
    """Much of it, in a short time."""
    return replace(
        draw(seed),
        aggregators=2,
        kept_rows=10_000,
        window_events_per_address=10,
        orders_per_s=6.0,
        trouble_s=8.0,
        faults_per_s=2.0,
    )


def _acknowledges_at_receipt(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Outbox, "needs_batch", property(lambda self: self.committed))


def _takes_what_was_sent_for_committed(patch: pytest.MonkeyPatch) -> None:
    commit = StorageClient.commit

    async def faulty(self: StorageClient, message: storage_pb2.CommitBatch) -> storage_pb2.CommitReply:
        sending = asyncio.create_task(commit(self, message))
        await asyncio.sleep(0)
        if sending.done():
            return sending.result()
        reply = storage_pb2.CommitReply(partition=message.partition, epoch=message.epoch, number=message.number)
        reply.done.SetInParent()
        return reply

    patch.setattr(StorageClient, "commit", faulty)


def _ignores_epochs(patch: pytest.MonkeyPatch) -> None:
    def faulty(standing: Standing, epoch: int, number: int) -> Verdict:
        return judge(Standing(epoch, standing.last_batch), epoch, number)

    patch.setattr(transaction, "judge", faulty)


def _repeats_under_a_new_number(patch: pytest.MonkeyPatch) -> None:
    commit = StorageClient.commit
    shifts: dict[tuple[int, int], int] = {}

    async def faulty(self: StorageClient, message: storage_pb2.CommitBatch) -> storage_pb2.CommitReply:
        key = message.partition, message.epoch
        while True:
            shifted = storage_pb2.CommitBatch.FromString(message.SerializeToString())
            shifted.number += shifts.setdefault(key, 0)
            try:
                async with asyncio.timeout(0.3):
                    reply = await commit(self, shifted)
            except TimeoutError:
                shifts[key] += 1
                continue
            reply.number = message.number
            return reply

    patch.setattr(StorageClient, "commit", faulty)


def _sends_nothing_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(AggregatorLink, "_rewind", lambda _: None)


def _publishes_whatever_is_last(patch: pytest.MonkeyPatch) -> None:
    append = NatsServer.append

    def faulty(self: NatsServer, pattern: str, subject: str, data: bytes, mark: str, _after_seq: int) -> int:
        last = next((one.seq for one in reversed(self.stored()) if covers(pattern, one.subject)), 0)
        return append(self, pattern, subject, data, mark, last)

    patch.setattr(NatsServer, "append", faulty)


def _drops_without_a_word(patch: pytest.MonkeyPatch) -> None:
    def faulty(self: Session, event: events_pb2.Event, *_: object) -> bool:
        self.window.append(self.address, self._partition, event)
        return True

    patch.setattr(Session, "_keep", faulty)
    # What is missing would be noticed and asked for.
    take = Partition.take_requests
    patch.setattr(
        Partition, "take_requests", lambda self: [one for one in take(self) if isinstance(one, ResumeRequest)]
    )


FAULTS = [
    _acknowledges_at_receipt,
    _takes_what_was_sent_for_committed,
    _ignores_epochs,
    _repeats_under_a_new_number,
    _sends_nothing_again,
    _publishes_whatever_is_last,
    _drops_without_a_word,
]


@pytest.mark.parametrize("inject", FAULTS, ids=lambda inject: inject.__name__.strip("_"))
def test_fault_is_found(inject: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    inject(monkeypatch)
    assert any(run(seed, conditions=_trouble(seed)).problems for seed in range(1, SEEDS + 1))
