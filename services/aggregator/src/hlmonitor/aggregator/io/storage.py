"""The client of the writer: epochs, loads, and commits that are sent until they are answered."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import grpc

from hlmonitor.runtime.health import Component
from hlmonitor.runtime.logs import Log
from hlmonitor.v1 import storage_pb2, storage_pb2_grpc

RETRY_S = 0.2
CALL_TIMEOUT_S = 10.0
LOAD_TIMEOUT_S = 60.0
REPLY_TIMEOUT_S = 15.0
"""Without any reply for this long while batches wait, the stream is thought dead and opened anew."""

# A call that the writer has ended answers a write with one of the last two.
_BROKEN = (grpc.aio.AioRpcError, TimeoutError, asyncio.InvalidStateError, grpc.aio.UsageError)


class StaleEpochError(Exception):
    """Another owner has acquired the partition."""


@dataclass(slots=True)
class _Pending:
    message: storage_pb2.CommitBatch
    reply: asyncio.Future[storage_pb2.CommitReply]


@dataclass(slots=True)
class StorageClient:
    """One Commit stream for all partitions of this process, and the unary calls beside it."""

    channel: grpc.aio.Channel
    component: Component
    log: Log
    owner: str
    _pending: dict[tuple[int, int, int], _Pending] = field(default_factory=dict)
    _outgoing: asyncio.Queue[storage_pb2.CommitBatch] = field(default_factory=asyncio.Queue)

    async def acquire(self, partition: int) -> int:
        """Become the partition's owner: the new epoch. Tried until the writer answers."""
        stub = storage_pb2_grpc.StorageStub(self.channel)
        request = storage_pb2.AcquireEpochRequest(partition=partition, owner=self.owner)
        while True:
            try:
                response = await stub.AcquireEpoch(request, timeout=CALL_TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                self._failed("acquire_epoch_failed", error)
                await asyncio.sleep(RETRY_S)
            else:
                return response.epoch

    async def load(self, partition: int, epoch: int) -> AsyncIterator[storage_pb2.LoadPartitionResponse]:
        """Everything that the writer has of the partition.

        Raises:
            StaleEpochError: somebody else has become its owner.
            grpc.aio.AioRpcError: the writer failed; load anew from the start.
        """
        stub = storage_pb2_grpc.StorageStub(self.channel)
        request = storage_pb2.LoadPartitionRequest(partition=partition, epoch=epoch)
        try:
            async for item in stub.LoadPartition(request, timeout=LOAD_TIMEOUT_S):
                yield item
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                raise StaleEpochError from error
            self._failed("load_partition_failed", error)
            raise

    async def lookup(self, request: storage_pb2.LookupRequest) -> storage_pb2.LookupResponse:
        """What is stored of these fills and orders. Tried until the writer answers.

        Raises:
            StaleEpochError: somebody else has become the partition's owner.
        """
        stub = storage_pb2_grpc.StorageStub(self.channel)
        while True:
            try:
                return await stub.Lookup(request, timeout=CALL_TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                    raise StaleEpochError from error
                self._failed("lookup_failed", error)
            await asyncio.sleep(RETRY_S)

    async def read_signals(self, request: storage_pb2.ReadSignalsRequest) -> list[storage_pb2.SignalRow]:
        """A wallet's signals from a number on. Tried until the writer answers.

        Raises:
            StaleEpochError: somebody else has become the partition's owner.
        """
        stub = storage_pb2_grpc.StorageStub(self.channel)
        while True:
            try:
                return list((await stub.ReadSignals(request, timeout=CALL_TIMEOUT_S)).signals)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                    raise StaleEpochError from error
                self._failed("read_signals_failed", error)
            await asyncio.sleep(RETRY_S)

    async def commit(self, message: storage_pb2.CommitBatch) -> storage_pb2.CommitReply:
        """Send a batch until it is answered, over as many streams as that takes.

        Bounded by construction: a partition has one batch in flight.
        """
        key = (message.partition, message.epoch, message.number)
        pending = _Pending(message, asyncio.get_running_loop().create_future())
        self._pending[key] = pending
        self._outgoing.put_nowait(message)
        try:
            return await pending.reply
        finally:
            self._pending.pop(key, None)

    async def run(self) -> None:
        """Keep the Commit stream open, for ever."""
        while True:
            try:
                await self._stream()
            except _BROKEN as error:
                self._failed("commit_stream_broken", error)
            await asyncio.sleep(RETRY_S)

    async def _stream(self) -> None:
        # What was queued for the old stream is among the pending, which all go out again.
        self._outgoing = asyncio.Queue()
        for pending in self._pending.values():
            self._outgoing.put_nowait(pending.message)
        call = storage_pb2_grpc.StorageStub(self.channel).Commit()
        tasks: list[asyncio.Task[None]] = []
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await call.wait_for_connection()
            self.component.up()
            tasks = [asyncio.create_task(self._send(call)), asyncio.create_task(self._receive(call))]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            call.cancel()

    async def _send(self, call: grpc.aio.StreamStreamCall[storage_pb2.CommitBatch, storage_pb2.CommitReply]) -> None:
        while True:
            message = await self._outgoing.get()
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                await call.write(message)

    async def _receive(self, call: grpc.aio.StreamStreamCall[storage_pb2.CommitBatch, storage_pb2.CommitReply]) -> None:
        while True:
            reply = await self._read(call)
            if reply is None:
                return
            self.component.up()
            pending = self._pending.get((reply.partition, reply.epoch, reply.number))
            if pending and not pending.reply.done():
                pending.reply.set_result(reply)

    async def _read(
        self, call: grpc.aio.StreamStreamCall[storage_pb2.CommitBatch, storage_pb2.CommitReply]
    ) -> storage_pb2.CommitReply | None:
        reading = asyncio.ensure_future(call.read())
        try:
            while True:
                waited = bool(self._pending)
                done, _ = await asyncio.wait({reading}, timeout=REPLY_TIMEOUT_S)
                if done:
                    reply = reading.result()
                    # At its end the call yields a marker object instead of a message.
                    return reply if isinstance(reply, storage_pb2.CommitReply) else None
                if waited and self._pending:
                    raise TimeoutError
        finally:
            reading.cancel()

    def _failed(self, event: str, error: Exception) -> None:
        reason = error.details() if isinstance(error, grpc.aio.AioRpcError) else str(error) or "no answer"
        if self.component.is_up:
            self.log.warning(event, reason=reason)
        self.component.down(f"writer: {reason}")
