"""Group commit: one transaction in flight, the next one gathers what comes meanwhile."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.storage import Database, is_data_error
from hlmonitor.v1 import storage_pb2
from hlmonitor.writer.core.batches import NEVER_ACQUIRED
from hlmonitor.writer.core.groups import GroupPlanner, Waiting
from hlmonitor.writer.io.retries import Patience, StoppingError
from hlmonitor.writer.io.transaction import GroupCommit, Outcome, Reason, Reply, refuse
from hlmonitor.writer.io.units import weight_of


@dataclass(frozen=True, slots=True)
class Request:
    """A batch and who waits for its reply."""

    batch: storage_pb2.CommitBatch
    reply: asyncio.Future[Reply]


@dataclass(slots=True)
class Committer:
    """Commits batches; `commit` may be called by any number of streams."""

    database: Database
    patience: Patience
    group_commit: GroupCommit
    planner: GroupPlanner[Request]
    metrics: Metrics
    log: Log
    room: asyncio.Semaphore
    """Batches that may wait; when none may, `admit` waits and the streams are not read."""
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _stopped: bool = False

    async def admit(self) -> None:
        """Wait until there is room for one more batch; who was admitted has to leave."""
        if self.room.locked():
            self.metrics.message_queue_full_total.inc()
        await self.room.acquire()

    def leave(self) -> None:
        """An admitted batch was answered, or nobody waits for its reply any more."""
        self.room.release()

    async def commit(self, batch: storage_pb2.CommitBatch) -> Reply:
        """The reply to an admitted batch, once its transaction is committed.

        Raises:
            StoppingError: the writer stops before it came to this batch.
        """
        request = Request(batch, asyncio.get_running_loop().create_future())
        waiting = Waiting(batch.partition, weight_of(batch), request)
        try:
            if self._stopped:
                raise StoppingError("commit")
            self.planner.add(waiting)
            self._wake.set()
            return await request.reply
        except asyncio.CancelledError:
            # Whose stream has ended sends the batch again: it may not wait here as often as it is sent.
            self.planner.discard(waiting)
            raise

    async def run(self) -> None:
        """Commit group after group until `stop`; the group in flight is finished."""
        while not self._stopped:
            self._wake.clear()
            group = self.planner.take()
            self.metrics.message_queue_size.set(len(self.planner))
            if group:
                await self._commit([waiting.batch for waiting in group])
            else:
                await self._wake.wait()
        self._give_up([waiting.batch for waiting in self.planner.clear()])

    def stop(self) -> None:
        """Take no more groups; batches that wait are not answered with a result."""
        self._stopped = True
        self._wake.set()

    async def _commit(self, group: Sequence[Request]) -> None:
        try:
            outcome = await self.patience.until_done("commit", lambda: self._transact(group))
        except StoppingError:
            self._give_up(group)
        except Exception as error:
            if not is_data_error(error):
                raise
            await self._isolate(group, error)
        else:
            self._report(outcome)
            for request, reply in zip(group, outcome.replies, strict=True):
                _answer(request, reply)

    async def _transact(self, group: Sequence[Request]) -> Outcome:
        began = time.perf_counter()
        async with self.database.write() as connection:
            outcome = await self.group_commit.run(connection, [request.batch for request in group])
        self.metrics.batch_write_duration_seconds.observe(time.perf_counter() - began)
        self.metrics.batch_write_size.observe(sum(weight_of(request.batch) for request in group))
        return outcome

    async def _isolate(self, group: Sequence[Request], error: Exception) -> None:
        """Data outside of any unit was refused: commit the batches one by one, and refuse the one that is to blame."""
        if len(group) > 1:
            for request in group:
                await self._commit([request])
            return
        (request,) = group
        batch = request.batch
        reply = Reply(partition=batch.partition, epoch=batch.epoch, number=batch.number)
        detail = str(getattr(error, "orig", None) or error)[:1000]
        refuse(reply, Reason.REASON_INVALID, detail, "", NEVER_ACQUIRED)
        self._report(Outcome([reply]))
        _answer(request, reply)

    def _give_up(self, group: Sequence[Request]) -> None:
        for request in group:
            if not request.reply.done():
                request.reply.set_exception(StoppingError("commit"))

    def _report(self, outcome: Outcome) -> None:
        for table, count in outcome.present.items():
            if count:
                self.metrics.batch_dedup_cache_hit_total.labels(table).inc(count)
        for reply in outcome.replies:
            if reply.HasField("refused"):
                reason = Reason.Name(reply.refused.reason).removeprefix("REASON_").lower()
                self.metrics.commits_refused_total.labels(reason).inc()
                self.log.warning(
                    "batch_refused",
                    partition=reply.partition,
                    epoch=reply.epoch,
                    number=reply.number,
                    reason=reason,
                    detail=reply.refused.detail,
                )
        for unit in outcome.refused_units:
            self.metrics.dead_letters_total.inc()
            self.log.error(
                "unit_dead_lettered",
                kind=unit.kind,
                partition=unit.batch.partition,
                order_id=unit.order_id.hex(),
                reason=unit.reason,
            )
        for signal_id in outcome.conflicts:
            self.metrics.signal_conflicts_total.inc()
            self.log.error("signal_conflict", signal_id=signal_id, kept="the stored one")


def _answer(request: Request, reply: Reply) -> None:
    # The stream may be gone; its client sends the batch again and hears that it is done.
    if not request.reply.done():
        request.reply.set_result(reply)
