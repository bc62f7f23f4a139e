"""Publishes committed signals: the stream first, then the original's subject."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import token_hex

from hlmonitor.aggregator.core.payload import LEGACY_SUBJECT, legacy_json
from hlmonitor.aggregator.core.publishing import PublishQueue
from hlmonitor.aggregator.core.tail import is_lost
from hlmonitor.aggregator.io.signal_stream import NoStreamError, SignalStream, StreamError, WrongLastError
from hlmonitor.aggregator.settings import AggregatorSettings
from hlmonitor.domain.addresses import Address
from hlmonitor.domain.orders import is_void_id
from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.v1.storage_pb2 import SignalRow

RETRY_S = 0.25
MAX_RETRY_S = 2.0


class LostTailError(Exception):
    """The stream does not have what it had confirmed of a wallet, or there is no stream any more."""


@dataclass(frozen=True, slots=True)
class Published:
    """A signal that the stream holds."""

    row: SignalRow
    seq: int
    by_us: bool
    """This process sent it; False when it was found to have been sent by an owner before."""

    @property
    def is_repeat(self) -> bool:
        """It was published before, and the stream had lost it."""
        return self.row.HasField("published_seq")


@dataclass(slots=True)
class Publisher:
    """The way to NATS for every partition of this process."""

    stream: SignalStream
    settings: AggregatorSettings
    metrics: Metrics
    log: Log
    token: Callable[[], str] = lambda: token_hex(8)
    """Something that no other attempt of any process has."""
    slots: asyncio.Semaphore = field(init=False)
    """Bounds what waits for NATS at once."""

    def __post_init__(self) -> None:
        """Bound how many publishes wait for NATS at once."""
        self.slots = asyncio.Semaphore(self.settings.publish_concurrency)

    async def publish_next(
        self, address: Address, queue: PublishQueue, may_publish: Callable[[], bool]
    ) -> Published | None:
        """Publish the head of a wallet's queue, however long that takes; None when there is none, or it may not be.

        Raises:
            LostTailError: what is before it has to be published again.
        """
        wait_s = RETRY_S
        while (row := queue.head()) and may_publish():
            if (seq := queue.head_seq) is not None:
                by_us = queue.is_head_ours
                return Published(queue.confirmed(seq), seq, by_us)
            # An unanswered message may have arrived, and so may another owner's of the same bytes: only a mark tells.
            queue.mark = queue.mark or self.token()
            try:
                async with self.slots:
                    if not may_publish():
                        return None
                    seq = await self.stream.append(
                        address, row.subject, row.payload, after_seq=queue.last_seq, mark=queue.mark
                    )
                return Published(queue.confirmed(seq), seq, by_us=True)
            except WrongLastError:
                if await self._looked_behind(address, queue):
                    continue
            except NoStreamError as error:
                self._failed(error)
                raise LostTailError from error
            except StreamError as error:
                self._failed(error)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, MAX_RETRY_S)
        return None

    async def publish_legacy(self, published: Published) -> None:
        """The original's message, once; for a signal that an owner before us may have sent, as the setting says."""
        row = published.row
        in_doubt = not published.by_us and self.settings.legacy_on_doubt == "skip"
        if not self.settings.legacy or is_void_id(row.signal_id) or published.is_repeat or in_doubt:
            return
        try:
            await self.stream.tell(LEGACY_SUBJECT, legacy_json(row.payload))
        except StreamError:
            self.metrics.signal_errors_total.labels("legacy").inc()
        else:
            self.metrics.legacy_published_total.inc()

    async def _looked_behind(self, address: Address, queue: PublishQueue) -> bool:
        """Learn what the stream holds of the wallet behind our last message; False when NATS did not say."""
        stream = self.stream
        try:
            last_seq = await stream.last_seq(address)
            found = await stream.between(address, queue.last_seq, last_seq) if last_seq > queue.last_seq else []
            if found:
                ids = {message.signal_id: message.seq for message in found}
                queue.refused(ids, found[-1].seq, frozenset(message.mark for message in found))
                return True
            if queue.published_id:
                there = await stream.read(queue.published_seq)
                found_id = there.signal_id if there else None
                if is_lost(await stream.bounds(), queue.published_seq, queue.published_id, found_id):
                    raise LostTailError
        except NoStreamError as error:
            raise LostTailError from error
        except StreamError as error:
            self._failed(error)
            return False
        # What was before has aged out.
        queue.refused({}, last_seq)
        return True

    def _failed(self, error: StreamError) -> None:
        self.metrics.signal_errors_total.labels(error.kind).inc()
        self.log.debug("publish_failed", kind=error.kind, error=str(error))
