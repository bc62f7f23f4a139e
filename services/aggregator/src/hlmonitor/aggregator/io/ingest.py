"""The Ingest service: events in, acknowledgements and requests back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc

from hlmonitor.aggregator.core.convert import FieldError
from hlmonitor.aggregator.core.news import Source
from hlmonitor.aggregator.io.owner import Owner
from hlmonitor.aggregator.io.sessions import Session
from hlmonitor.domain.partitions import PARTITIONS
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.v1 import ingest_pb2, ingest_pb2_grpc

MAX_EVENTS = 500
PAUSE_MS = 100

_Context = grpc.aio.ServicerContext[ingest_pb2.EventBatch, ingest_pb2.BatchReply]


@dataclass(slots=True)
class IngestService(ingest_pb2_grpc.IngestServicer):
    """Takes the gateways' streams."""

    owner: Owner
    metrics: Metrics

    async def Push(  # noqa: N802 the contract's name
        self, request_iterator: AsyncIterator[ingest_pb2.EventBatch], context: _Context
    ) -> AsyncIterator[ingest_pb2.BatchReply]:
        """One gateway's stream, for as long as it lasts."""
        session = Session()
        reading = asyncio.create_task(self._read(session, request_iterator))
        reading.add_done_callback(lambda _: session.wake.set())
        try:
            while not reading.done() and not session.is_full:
                await session.wake.wait()
                for reply in session.take():
                    yield reply
            if reading.done() and (error := reading.exception()):
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        finally:
            reading.cancel()
            self.owner.closed(session)

    async def _read(self, session: Session, batches: AsyncIterator[ingest_pb2.EventBatch]) -> None:
        async for batch in batches:
            if len(batch.events) > MAX_EVENTS:
                raise FieldError("events", f"a batch has at most {MAX_EVENTS}, this one has {len(batch.events)}")
            if session.incarnation != batch.incarnation:
                session.incarnation = batch.incarnation
                session.source = Source(batch.gateway, batch.egress_group)
                self.owner.introduced(session)
            self._take(session, batch)

    def _take(self, session: Session, batch: ingest_pb2.EventBatch) -> None:
        refused: set[int] = set()
        for event in batch.events:
            host = self.owner.host(event.partition) if event.partition < PARTITIONS else None
            # After one event of a partition was refused, a later one must not slip in before it.
            if host is None or event.partition in refused:
                refused.add(event.partition)
            else:
                host.take(session, event)
        for partition in refused:
            session.say(ingest_pb2.BatchReply(not_owner=ingest_pb2.NotOwner(partition=partition)))
        if self.owner.is_overloaded:
            self.metrics.message_queue_full_total.inc()
            session.say(ingest_pb2.BatchReply(slow_down=ingest_pb2.SlowDown(pause_ms=PAUSE_MS)))
        session.say(ingest_pb2.BatchReply(received=ingest_pb2.Received(batch=batch.batch)))
